/**
 * What a witness makes of a head it is shown: does it continue the last one it saw? Everything follows from what the
 * witness keeps, the keys it pinned and the answer; nothing is fetched or stored here (docs/formats/witness.md).
 */
import { sha256 } from "../crypto/hash.ts";
import { formatLogKey, type LogKey, readLogKey } from "../crypto/log-key.ts";
import { equalInConstantTime } from "../kernel/bytes.ts";
import { verifyConsistency } from "../merkle/proofs.ts";
import { crossingPath } from "./crossing.ts";
import { type Generations, readDueHead, walkGenerations } from "./generations.ts";
import { type Head, readHead } from "./head.ts";
import type { ShownHead } from "./witness-answer.ts";

/** What a witness has of a log. */
export interface WitnessedLog {
  /** Pinned when it first saw the log, and those that followed from them. */
  readonly keys: LogKey;
  /** The last head that it took, as a note; undefined before the first. */
  readonly checkpoint: Uint8Array | undefined;
}

export interface ShownLog extends Omit<ShownHead, "old"> {
  /** Crossings to generations after the newest that is pinned, by number, unread. */
  readonly crossings: ReadonlyMap<number, Uint8Array>;
}

/** Of what a log can be convicted. `frozen` is found by the clock, not here. */
export const incidentKinds = ["rollback", "truncation", "split-view", "other-log", "keys", "frozen"] as const;
export type IncidentKind = (typeof incidentKinds)[number];

export type WitnessVerdict =
  | {
      readonly kind: "consistent";
      readonly head: Head;
      /** With the generations that followed. */
      readonly keys: LogKey;
      readonly isNewer: boolean;
    }
  | {
      readonly kind: "incident";
      readonly what: IncidentKind;
      readonly says: string;
      /** What its heads were read with. */
      readonly keys: LogKey;
    }
  /** Nobody signed this: an answer, but no evidence. */
  | { readonly kind: "unreadable"; readonly says: string };

/** @throws Error if what the witness keeps is no head by its own keys */
export function judgeShown(witnessed: WitnessedLog, shown: ShownLog): WitnessVerdict {
  const generations = followed(witnessed.keys, shown.crossings);
  if ("says" in generations) return generations;
  const reading = readDueHead(shown.checkpoint, generations);
  if (reading.kind === "unreadable") return { kind: "unreadable", says: reading.why };
  if (reading.kind === "unsigned") return unsigned(reading.body.origin, reading.why, witnessed.keys);
  const { head } = reading;
  const taken = (isNewer: boolean): WitnessVerdict => ({
    kind: "consistent",
    head,
    keys: generations.known,
    isNewer,
  });
  if (witnessed.checkpoint === undefined) return taken(true);
  const kept = keptHead(witnessed.checkpoint, generations.known);
  const incident = (what: IncidentKind, says: string): WitnessVerdict => ({
    kind: "incident",
    what,
    says,
    keys: generations.known,
  });
  if (head.size < kept.size) return incident(...shorter(kept, head));
  if (head.size > kept.size)
    return grows(kept, head, shown.proof) ? taken(true) : incident(...split(kept, head));
  return equalInConstantTime(head.root, kept.root) ? taken(false) : incident(...split(kept, head));
}

/** Whether keys are pinned that the head of an answer could be verified with: else crossings have to be fetched. */
export function needsCrossings(keys: LogKey, checkpoint: Uint8Array): boolean {
  const [newest] = keys.slice(-1);
  return newest !== undefined && readHead(checkpoint, [newest]).kind === "unsigned";
}

/** The newest of them, as many as are kept; but none so new that the head's own make way. */
export function keysToPin(keys: LogKey, { generations }: Head): LogKey {
  const newest = readLogKey(formatLogKey(keys));
  if (newest.some(({ number }) => generations.includes(number))) return newest;
  return keys.filter(({ number }) => number <= Math.max(...generations));
}

function followed(
  keys: LogKey,
  crossings: ReadonlyMap<number, Uint8Array>,
): Generations | Extract<WitnessVerdict, { readonly kind: "incident" }> {
  const generations = walkGenerations(crossings, keys);
  // Those to pinned generations aren't asked for again.
  const paths = new Set([...crossings.keys()].map(crossingPath));
  const fault = generations.faults.find(({ path }) => paths.has(path));
  if (fault === undefined) return generations;
  const says = `The log's keys don't follow from those seen: ${fault.text}.`;
  return { kind: "incident", what: "keys", says, keys };
}

function unsigned(origin: string, why: string, keys: LogKey): WitnessVerdict {
  const known = keys[0]?.keys[0]?.name ?? "another log";
  if (origin !== known) {
    const says = `It shows the log ${origin}; the log it had was ${known}.`;
    return { kind: "incident", what: "other-log", says, keys };
  }
  const says = `Its head isn't signed by the keys that are due: ${why}.`;
  return { kind: "incident", what: "keys", says, keys };
}

function keptHead(checkpoint: Uint8Array, keys: LogKey): Head {
  const reading = readHead(checkpoint, keys);
  if (reading.kind === "signed") return reading.head;
  throw new Error(`the head that was kept doesn't hold: ${reading.why}`);
}

function grows(kept: Head, head: Head, proof: readonly Uint8Array[]): boolean {
  // Every log grew out of the empty one.
  if (kept.size === 0) return true;
  const claim = { from: kept.size, fromRoot: kept.root, size: head.size, root: head.root };
  return verifyConsistency(sha256, claim, proof);
}

function split(kept: Head, head: Head): readonly [IncidentKind, string] {
  const says =
    head.size === kept.size
      ? `It has two histories of ${kept.size} entries: another root was signed for the same size.`
      : `Its head of ${head.size} entries doesn't continue the one of ${kept.size} that it signed before: entries were changed, or another history is shown.`;
  return ["split-view", says];
}

/** An older head that is shown again, or one that was signed after entries had gone: both have less than was seen. */
function shorter(kept: Head, head: Head): readonly [IncidentKind, string] {
  const less = `It has ${head.size} entries, and had ${kept.size}`;
  const [before, now] = [kept.atUnixS ?? 0, head.atUnixS ?? 0];
  if (now <= before) {
    return [
      "rollback",
      `${less}: it was set back to an older copy, whose head is no newer than the one kept.`,
    ];
  }
  return ["truncation", `${less}: the newest are gone, and the shorter log was signed after that.`];
}
