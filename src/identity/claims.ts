/**
 * What a message says in `_meta` of who sent it, against what the sender's certificate proves. A claim never
 * authorises anything; one that contradicts the proof is a sign of a confused or hostile client. What speaks
 * of somebody else (a user, on whose behalf) and what can't be compared (a vendor's own ids) is let be.
 */
import { everyMember, folded, type Place, scanJson, textAt } from "../wire/json-scan.ts";
import { isGatewayId } from "./spiffe-id.ts";

/** The members of a `_meta`, with the bytes they stand in. */
export interface MetaMembers {
  readonly bytes: Uint8Array;
  readonly members: ReadonlyMap<string, Place>;
}

export interface FalseClaim {
  /** The key in `_meta`, as it was written. */
  readonly key: string;
  /** The identity that was claimed, if it was one; as it was written, of any length. */
  readonly claimed?: string;
}

/** Names of keys that say who sends. */
const namesOfSender = [
  "caller",
  "callerid",
  "calleridentity",
  "callerspiffeid",
  "principal",
  "principalid",
  "identity",
  "spiffeid",
  "subject",
  "subjectid",
  "sub",
  "actor",
  "actorid",
  "act",
  "agentid",
  "agentidentity",
  "agentspiffeid",
  "clientid",
  "clientidentity",
  "clientspiffeid",
  "workload",
  "workloadid",
  "workloadidentity",
  "workloadspiffeid",
] as const;

/** Within a claim that is an object: who vouches, for whom it is meant, who is behind it. Not the sender. */
const namesOfOthers = [
  "issuer",
  "iss",
  "audience",
  "aud",
  "trustdomain",
  "user",
  "userid",
  "onbehalfof",
] as const;

const claimsSender = keysNamed(namesOfSender);
const speaksOfOthers = keysNamed(namesOfOthers);
/** Our own key: nobody else gives it a meaning, so there is nothing that can't be compared. */
const ownKey = keysNamed(["caller"], "dev\\.latticegate/");

/**
 * The first claim that contradicts the proof; undefined if none does.
 * @param callerId the caller's id, as proven
 * @param boundKeys further keys whose value must be the caller's id, or a SPIFFE ID's path after the trust domain
 */
export function falseClaim(
  meta: MetaMembers,
  callerId: string,
  boundKeys: ReadonlySet<string>,
): FalseClaim | undefined {
  for (const [key, place] of meta.members) {
    const isBound = boundKeys.size > 0 && boundKeys.has(boundKey(key));
    if (!isBound && !claimsSender.test(key)) continue;
    const found = isBound
      ? unlessBound(textOf(meta.bytes, place), callerId)
      : unlessTrue(textsOf(meta.bytes, place), callerId, ownKey.test(key));
    if (found === undefined) continue;
    // A gateway hands on what its callers say of themselves; it has compared that with their certificates.
    return isGatewayId(callerId) ? undefined : { key, ...found };
  }
  return undefined;
}

/** How a configured key is compared: some servers read names without regard to case. */
export function boundKey(key: string): string {
  return folded(key);
}

type Contradiction = Pick<FalseClaim, "claimed">;

function unlessBound(text: string | undefined, callerId: string): Contradiction | undefined {
  const isSame = text !== undefined && (text === callerId || text === pathOf(callerId));
  return isSame ? undefined : contradiction(text);
}

/** `agent/billing` of `spiffe://acme.test/agent/billing`. A client's own name for itself is no path of ours. */
function pathOf(callerId: string): string | undefined {
  return callerId.startsWith("spiffe://") ? callerId.split("/").slice(3).join("/") : undefined;
}

function unlessTrue(
  texts: readonly string[],
  callerId: string,
  mustBeSame: boolean,
): Contradiction | undefined {
  const text = texts.find((each) => each !== callerId && (mustBeSame || isCallerId(each)));
  return text === undefined ? undefined : contradiction(text);
}

/** The text a claim is, or the texts one level within it. */
function textsOf(bytes: Uint8Array, place: Place): readonly string[] {
  const text = textOf(bytes, place);
  if (text !== undefined) return [text];
  if (bytes[place.start] !== 0x7b) return [];
  const inner = bytes.subarray(place.start, place.end);
  const { members = new Map<string, Place>() } = scanJson(inner, { [everyMember]: true });
  return [...members].flatMap(([name, at]) => (speaksOfOthers.test(name) ? [] : (textOf(inner, at) ?? [])));
}

function textOf(bytes: Uint8Array, place: Place): string | undefined {
  return bytes[place.start] === 0x22 ? textAt(bytes, place) : undefined;
}

/** Any text that means to be one: who claims to be a malformed identity claims to be somebody else too. */
function isCallerId(text: string): boolean {
  return /^(spiffe:\/\/|oauth:)/i.test(text);
}

/**
 * Matches keys with one of these names without regard to case and to `-`, `_` and `.`. One expression, since
 * every call asks for each of its keys: half of what folding them into a set's words costs.
 * @param prefix an expression; by default any prefix, or none
 */
function keysNamed(names: readonly string[], prefix = "(?:.*/)?"): RegExp {
  const separators = "[-_.]*";
  const spelled = names.map((name) => name.split("").join(separators)).join("|");
  return new RegExp(`^${prefix}${separators}(?:${spelled})${separators}$`, "isu");
}

function contradiction(text: string | undefined): Contradiction {
  return text !== undefined && isCallerId(text) ? { claimed: text } : {};
}
