/** The gateway's side of grants: who may have one, and what is on record of it. */
import { randomUUIDv7 } from "node:crypto";

import type { Journal } from "../gate/ports.ts";
import { checkPostQuantum } from "../gate/reach.ts";
import { checkLink, mayUse } from "../gate/stages.ts";
import type { World } from "../gate/world.ts";
import type { Asker, GrantsDesk } from "../host/net/grants-http.ts";
import type { UserGrants } from "../host/oauth/user-grants.ts";
import type { GrantStore } from "../host/store/state-grants.ts";
import { callerOf } from "../identity/admission.ts";
import type { Clock } from "../kernel/clock.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Caller, holderOf } from "../model/caller.ts";
import type { Channel } from "../model/channel.ts";

export interface DeskOptions {
  /** By the name of their server. */
  readonly grants: ReadonlyMap<string, UserGrants>;
  readonly store: GrantStore;
  readonly world: () => World;
  /** As the state database has them at this very moment; the world follows it. */
  readonly revokedSerials: () => ReadonlySet<string>;
  readonly journal: Journal;
  readonly clock: Clock;
}

export function grantsDesk(options: DeskOptions): GrantsDesk {
  const { grants, store, world, journal, clock } = options;
  /** @throws Refusal `no_identity`, `classical_link`, `link_too_weak`, as for a call to that server */
  const identify = (channel: Channel, now: World, server?: string): Asker => {
    const atUnixMs = clock.nowUnixMs();
    checkPostQuantum(channel);
    const caller = callerOf(channel, now.trust, atUnixMs);
    checkLink({ channel, atUnixMs, ...(server !== undefined && { server }) }, now);
    return { caller, channel };
  };
  /** @throws Refusal `denied` for who may use nothing of that server; whether it has grants isn't theirs to know */
  const open = ({ caller, channel }: Asker, server: string): UserGrants => {
    identify(channel, world(), server);
    if (!world().servers.has(server) || !mayUse({ caller, channel }, server, world())) {
      throw new Refusal("denied", `No rule lets this caller use "${server}".`);
    }
    const found = grants.get(server);
    if (found !== undefined) return found;
    throw new Refusal("bad_message", `"${server}" needs no grant.`);
  };
  const record = (event: "grant.store" | "grant.remove", caller: Caller, facts: Facts): Promise<unknown> =>
    journal.append({
      event,
      atUnixMs: clock.nowUnixMs(),
      callId: randomUUIDv7(),
      principal: caller.id,
      tool: null,
      outcome: "allowed",
      facts,
    });
  return {
    identify: (channel) => identify(channel, world()),
    begin: (asker, server, redirectUri) => open(asker, server).begin(asker.caller, redirectUri),
    finish: async (asker, server, parameters) => {
      const { caller, channel } = asker;
      const check = (): void => {
        const trust = { ...world().trust, revokedSerials: options.revokedSerials() };
        identify(channel, { ...world(), trust }, server);
      };
      const granted = await open(asker, server).finish(caller, { parameters, check });
      const { issuer, scope, holder } = granted;
      try {
        await record("grant.store", caller, { server, issuer, scope });
      } catch (error) {
        store.remove(server, holder); // What isn't on record isn't used.
        throw error;
      }
      return granted;
    },
    list: ({ caller }) => store.list(holderOf(caller)),
    revoke: async ({ caller, channel }, server) => {
      identify(channel, world(), server);
      // Whoever lost the right to a server may still take back what it has there.
      const found = grants.get(server);
      const removed = (await found?.revoke(holderOf(caller))) ?? store.remove(server, holderOf(caller));
      if (removed) await record("grant.remove", caller, { server });
      return removed;
    },
  };
}

type Facts = Readonly<Record<string, string>>;
