/** What people do about held calls: commands and the API, whether the gateway runs or not; one that runs follows at once. */
import { existsSync } from "node:fs";

import { openSecret } from "../../crypto/sealed.ts";
import type { SaidArgument } from "../../gate/ports.ts";
import type { ApprovalRequest, Approver } from "../../host/store/approval-rows.ts";
import { type ApprovalStore, openApprovals } from "../../host/store/state-approvals.ts";
import { fromUtf8 } from "../../kernel/bytes.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Config } from "../config.ts";
import { openConfigKeys } from "../signer/gateway-signer.ts";
import { statePaths } from "../state-folder.ts";

/** Under which name the key folder has the key of what people are shown. */
export const approvalsKey = "approvals";

/** Whose requests. */
export interface ApprovalPlace {
  /** The gateway's state folder. */
  readonly state: string;
  readonly clock: Clock;
}

/** A request as people see it; its arguments where they were asked for, and it isn't over. */
export interface ShownRequest {
  readonly id: string;
  readonly state: ApprovalRequest["state"];
  readonly caller: string;
  /** On behalf of whom, who began first. */
  readonly chain: readonly string[];
  readonly server: string;
  readonly method: string;
  readonly name: string;
  readonly rules: ApprovalRequest["terms"];
  readonly have: number;
  readonly need: number;
  readonly asked: string;
  readonly expires: string;
  readonly votes: readonly {
    readonly by: string;
    readonly login: string;
    readonly what: "approve" | "deny";
    readonly at: string;
    readonly reason?: string;
  }[];
  readonly arguments?: readonly SaidArgument[];
}

/** Newest first. */
export function listRequests(
  place: ApprovalPlace,
  options: { readonly all: boolean },
): readonly ShownRequest[] {
  if (!existsSync(statePaths(place.state).database)) return [];
  return withApprovals(place, (store) =>
    store.list(options, place.clock.nowUnixMs()).map((each) => shownOf(each)),
  );
}

/** @param key opens what the call says @throws Refusal `bad_state` if there is no such request */
export function showRequest(place: ApprovalPlace, id: string, key: Uint8Array): ShownRequest {
  const request = withApprovals(place, (store) => store.of(id, place.clock.nowUnixMs()));
  if (request === undefined) throw unknown(id);
  return shownOf(request, key);
}

/** The same beside the gateway, whose keys it opens. */
export async function showStored(config: Config, id: string, clock: Clock): Promise<ShownRequest> {
  const { keys, close } = await openConfigKeys(config);
  try {
    return showRequest({ state: config.state, clock }, id, await keys.secret(approvalsKey));
  } finally {
    close();
  }
}

/**
 * One approver's decision.
 * @returns the request as it stands now
 * @throws Refusal `bad_state` if there is nothing to decide, `denied` if that one may not
 */
export function decideRequest(
  place: ApprovalPlace,
  id: string,
  vote: { readonly by: Approver; readonly what: "approve" | "deny"; readonly reason?: string },
): ShownRequest {
  if (!existsSync(statePaths(place.state).database)) throw unknown(id);
  return withApprovals(place, (store) => shownOf(store.decide(id, vote, place.clock.nowUnixMs())));
}

function shownOf(request: ApprovalRequest, key?: Uint8Array): ShownRequest {
  const { id, state, caller, chain, server, method, name, terms, have, need, votes, shown } = request;
  return {
    id,
    state,
    caller,
    chain,
    server,
    method,
    name,
    rules: terms,
    have,
    need,
    asked: iso(request.askedUnixMs),
    expires: iso(request.expiresUnixMs),
    votes: votes.map(({ by, login, what, atUnixMs, reason }) => ({
      by,
      login,
      what,
      at: iso(atUnixMs),
      ...(reason !== undefined && { reason }),
    })),
    ...(key && shown && { arguments: argumentsIn(openSecret(key, sealedName(id), shown)) }),
  };
}

/** What a request's arguments are sealed as. */
export function sealedName(id: string): string {
  return `approval/${id}`;
}

function argumentsIn(bytes: Uint8Array): readonly SaidArgument[] {
  return JSON.parse(fromUtf8(bytes) ?? "[]") as readonly SaidArgument[];
}

function unknown(id: string): Refusal {
  return new Refusal("bad_state", `There is no request "${id}"; "latticegate approvals list" has them.`);
}

function withApprovals<T>({ state }: ApprovalPlace, work: (store: ApprovalStore) => T): T {
  const store = openApprovals(statePaths(state).database);
  try {
    return work(store);
  } finally {
    store.close();
  }
}

function iso(unixMs: number): string {
  return new Date(unixMs).toISOString();
}
