/** The entry with which a log's keys rotate: which generation ends, which follows, and who did it. */
import { type LogGeneration, keysHash } from "../crypto/log-key.ts";
import { toHex } from "../kernel/bytes.ts";
import type { EntryDraft } from "../model/entry.ts";
import type { Entry } from "./entry.ts";

export const rotationEvent = "log.rotate";

/** Who rotates, and when. */
export interface RotationCause {
  readonly atUnixMs: number;
  readonly callId: string;
  readonly principal: string;
  /** What made it rotate, such as a command. */
  readonly by: string;
}

/** What a rotation's entry says. */
export interface Rotation {
  /** The generation that follows. */
  readonly number: number;
  /** `keysHash` of the keys that end, and of those that follow. */
  readonly keysBefore: string;
  readonly keys: string;
}

export function rotationDraft(before: LogGeneration, after: LogGeneration, cause: RotationCause): EntryDraft {
  const { atUnixMs, callId, principal, by } = cause;
  return {
    event: rotationEvent,
    atUnixMs,
    callId,
    principal,
    tool: null,
    outcome: "allowed",
    facts: { by, ...factsOf("", after), ...factsOf("before.", before) },
  };
}

/** Undefined if it is no entry of a rotation. */
export function readRotation({ event, facts }: Pick<Entry, "event" | "facts">): Rotation | undefined {
  if (event !== rotationEvent) return undefined;
  const number = Number(facts["generation"]);
  const [keys, keysBefore] = [facts["keys"] ?? "", facts["before.keys"] ?? ""];
  const isWhole = Number.isSafeInteger(number) && facts["before.generation"] === String(number - 1);
  return isWhole ? { number, keys, keysBefore } : { number: Number.NaN, keys, keysBefore };
}

function factsOf(prefix: string, { number, keys }: LogGeneration): Readonly<Record<string, string>> {
  return {
    [`${prefix}generation`]: String(number),
    [`${prefix}algorithms`]: keys.map(({ kind }) => kind).join(" "),
    [`${prefix}key_ids`]: keys.map(({ keyId }) => toHex(keyId)).join(" "),
    [`${prefix}keys`]: keysHash(keys),
  };
}
