/**
 * What a log's key may be used for by somebody who isn't trusted with it: heads of the one log it belongs to, never
 * of fewer entries than the last one, and never of others. So whoever has the gateway can't sign a second past. Once
 * the next generation of keys has signed a head, the one before it signs that head and no other. And renewals of this
 * log, of now, by the generation that signs: what they wrap is for the gateway to say, but never for a time gone by.
 */
import { type CosignedTree, readCosignedMessage } from "../crypto/cosigned-message.ts";
import { signsCosignedMessage } from "../crypto/note-keys.ts";
import type { SignatureSuite } from "../crypto/suites/signatures.ts";
import { equalInConstantTime, fromUtf8 } from "../kernel/bytes.ts";
import { readCheckpointBody } from "./checkpoint.ts";
import { readRenewalBody, type RenewalBody } from "./renewal.ts";

interface Tree {
  readonly size: number;
  readonly root: Uint8Array;
}

export interface HeadSeen extends Tree {
  readonly origin: string;
  /** The newest generation of keys that has signed. */
  readonly generation: number;
  /** The first head that this generation signed after another, and the last one of that other. */
  readonly crossing: Tree | undefined;
}

export interface LogKeyUse {
  readonly suite: SignatureSuite;
  /** Which generation the key is of. */
  readonly generation: number;
  readonly trustDomain: string;
  /** The newest head these keys were used for; undefined before the first. */
  readonly last: HeadSeen | undefined;
}

export type JudgedHead =
  | { readonly kind: "head"; readonly head: HeadSeen }
  | { readonly kind: "refused"; readonly why: string };

/** A head may have waited for the signer; its time must still be about now. */
const maxClockDifferenceMs = 5 * 60_000;

/** @param bytes a checkpoint's text, a renewal's, or a `cosigned_message`, as it would be signed */
export function judgeHead(bytes: Uint8Array, use: LogKeyUse, nowUnixMs: number): JudgedHead {
  const { suite, generation, trustDomain, last } = use;
  const cosigns = signsCosignedMessage(suite.keyType);
  if (cosigns === undefined) return refused(`a log has no ${suite.id} key`);
  const renewal = cosigns ? undefined : readRenewalBody(fromUtf8(bytes) ?? "");
  if (renewal !== undefined) return judgeRenewal(renewal, use, nowUnixMs);
  const head = cosigns ? readCosigned(bytes, nowUnixMs) : readCheckpointBody(fromUtf8(bytes) ?? "");
  if (head === undefined) return refused("it is no head of a log of about this time");
  const { origin, size, root } = head;
  if (last === undefined) {
    return isOriginIn(trustDomain, origin)
      ? { kind: "head", head: { origin, size, root, generation, crossing: undefined } }
      : refused("it is of a log outside this trust domain");
  }
  if (origin !== last.origin) return refused(`it is of another log than ${last.origin}`);
  if (size < last.size) return refused(`it has ${size} entries, the last one had ${last.size}`);
  if (size === last.size && !equalInConstantTime(root, last.root)) {
    return refused(`it has other entries than the last one of ${size}`);
  }
  return judgeGeneration({ size, root }, generation, last);
}

/** Nothing of it has to be remembered: the last head stays what it was. */
function judgeRenewal(
  { origin, size, atUnixMs }: RenewalBody,
  { generation, last }: LogKeyUse,
  nowUnixMs: number,
): JudgedHead {
  if (last === undefined) return refused("it is a renewal of a log that no head was signed for");
  if (origin !== last.origin) return refused(`it is a renewal of another log than ${last.origin}`);
  if (size > last.size) return refused(`it is a renewal of ${size} entries, the last head had ${last.size}`);
  if (generation !== last.generation) {
    return refused(`it is a renewal by generation ${generation} of the log's keys; ${last.generation} signs`);
  }
  return isAboutNow(atUnixMs, nowUnixMs)
    ? { kind: "head", head: last }
    : refused("it is a renewal of another time than now");
}

/** @param tree of a head that may follow the last one */
function judgeGeneration(tree: Tree, generation: number, last: HeadSeen): JudgedHead {
  const isSame = tree.size === last.size;
  if (generation === last.generation) return { kind: "head", head: isSame ? last : { ...last, ...tree } };
  if (generation === last.generation + 1) {
    return { kind: "head", head: { ...last, ...tree, generation, crossing: tree } };
  }
  if (generation > last.generation) return refused(`generation ${last.generation + 1} of the keys is next`);
  const isCrossing = isSame && last.crossing?.size === tree.size && generation === last.generation - 1;
  return isCrossing
    ? { kind: "head", head: last }
    : refused(`generation ${generation} of the log's keys has ended; ${last.generation} signs`);
}

function readCosigned(bytes: Uint8Array, nowUnixMs: number): CosignedTree | undefined {
  const message = readCosignedMessage(bytes);
  if (message === undefined || message.name !== message.origin) return undefined;
  return isAboutNow(message.atUnixS * 1000, nowUnixMs) ? message : undefined;
}

function isAboutNow(atUnixMs: number, nowUnixMs: number): boolean {
  return Math.abs(atUnixMs - nowUnixMs) <= maxClockDifferenceMs;
}

function isOriginIn(trustDomain: string, origin: string): boolean {
  return (
    origin.startsWith(`${trustDomain}/log/`) && /^[A-Za-z0-9._-]+\/log\/[A-Za-z0-9_-]{1,64}$/.test(origin)
  );
}

function refused(why: string): JudgedHead {
  return { kind: "refused", why };
}
