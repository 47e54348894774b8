/** A subscription's filter, as each member gets its part of it: what is of all members goes to all, an address to its owner. */
import { fromUtf8, utf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { RequestFrame } from "../../wire/frame.ts";
import { scanJson, spliced, tolerantScanLimits } from "../../wire/json-scan.ts";
import { envelopeOf } from "./view.ts";
import type { Turn } from "./virtual-server.ts";

type Filter = Readonly<Record<string, unknown>>;

export interface Subscription {
  readonly filter: Filter;
  /** The request as the member gets it. */
  readonly body: Uint8Array;
  /** What of the client's filter the member's acknowledgement honours, in the client's names. */
  readonly honoured: (acknowledgement: Uint8Array) => Filter;
}

/** Addresses in one subscription: each is looked up. */
const maxAddresses = 1000;

/** By member; one that has no part in it is left out. @throws Refusal `bad_message` */
export async function splitSubscription(
  frame: RequestFrame,
  turn: Turn,
): Promise<ReadonlyMap<string, Subscription>> {
  const place = scanJson(frame.bytes, { params: { notifications: true } })
    .members?.get("params")
    ?.members?.get("notifications");
  const asked = place && filterIn(frame.bytes.subarray(place.start, place.end));
  if (place === undefined || asked === undefined) {
    throw new Refusal("bad_envelope", "Expected an object `notifications` in params.");
  }
  const { resourceSubscriptions, taskIds, ...general } = asked;
  const addresses = await owned(texts(resourceSubscriptions), async (uri) => {
    const wanted = { kind: "resources", name: uri, meta: envelopeOf(frame) } as const;
    return await turn.view.find(turn.asking, turn.open, wanted).catch(unlessFault);
  });
  const tasks = await owned(texts(taskIds), async (id) => {
    const member = turn.view.tasks.of(id);
    return member === undefined ? undefined : { member, key: id };
  });
  const parts = new Map<string, Subscription>();
  for (const member of turn.open) {
    const uris = addresses.get(member) ?? new Map<string, string>();
    const ids = tasks.get(member) ?? new Map<string, string>();
    const filter: Filter = {
      ...general,
      ...(uris.size > 0 && { resourceSubscriptions: [...uris.keys()] }),
      ...(ids.size > 0 && { taskIds: [...ids.keys()] }),
    };
    if (Object.keys(filter).length === 0) continue;
    const body = spliced(frame.bytes, place, utf8(JSON.stringify(filter)));
    parts.set(member, { filter, body, honoured: (message) => inClientsNames(message, uris) });
  }
  return parts;
}

/** By owner, each text in the owner's own name, with the client's. */
async function owned(
  names: readonly string[],
  find: (name: string) => Promise<{ readonly member: string; readonly key: string } | undefined>,
): Promise<ReadonlyMap<string, Map<string, string>>> {
  if (names.length > maxAddresses) {
    throw new Refusal("bad_envelope", `Expected at most ${maxAddresses} addresses in a subscription.`);
  }
  const byOwner = new Map<string, Map<string, string>>();
  for (const name of names) {
    const found = await find(name);
    if (found === undefined) continue;
    byOwner.set(found.member, (byOwner.get(found.member) ?? new Map<string, string>()).set(found.key, name));
  }
  return byOwner;
}

/** What nobody has isn't honoured; that is no reason to refuse the rest. */
function unlessFault(error: unknown): undefined {
  if (!(error instanceof Refusal)) throw error;
}

function inClientsNames(acknowledgement: Uint8Array, uris: ReadonlyMap<string, string>): Filter {
  const place = scanJson(acknowledgement, { params: { notifications: true } }, tolerantScanLimits)
    .members?.get("params")
    ?.members?.get("notifications");
  const filter = place && filterIn(acknowledgement.subarray(place.start, place.end));
  if (filter?.["resourceSubscriptions"] === undefined) return filter ?? {};
  return {
    ...filter,
    resourceSubscriptions: texts(filter["resourceSubscriptions"]).map((uri) => uris.get(uri) ?? uri),
  };
}

function filterIn(json: Uint8Array): Filter | undefined {
  const value: unknown = JSON.parse(fromUtf8(json) ?? "null");
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}
