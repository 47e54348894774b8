/** The keys a journal signs with, generation by generation, and a rotation between its entry and its crossing. */
import { crossingBytes, crossingPath } from "../../audit/crossing.ts";
import type { Rotation } from "../../audit/rotation.ts";
import { keysHash, type LogGeneration, maxGenerations, weaknessOfKeys } from "../../crypto/log-key.ts";
import { type NoteSigner, noteVerifier } from "../../crypto/note-keys.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { TreeSnapshot } from "./journal-heads.ts";

export interface GenerationSigners {
  readonly number: number;
  /** Sign each head: at least what verifiers require; each named like the log's origin. */
  readonly signers: readonly NoteSigner[];
  /** Signs the first head of each UTC day, and where generations meet. */
  readonly dailySigner: NoteSigner | undefined;
}

/** What a rotation's entry leaves to be done: the head that it is the last entry of, signed by both generations. */
export interface UncrossedRotation {
  readonly entry: Uint8Array;
  readonly index: number;
  readonly proof: readonly Uint8Array[];
  readonly snapshot: TreeSnapshot;
}

export interface PendingCrossing extends UncrossedRotation {
  readonly from: GenerationSigners;
  readonly to: GenerationSigners;
}

export function signersOf({ signers, dailySigner }: GenerationSigners): readonly NoteSigner[] {
  return dailySigner === undefined ? signers : [...signers, dailySigner];
}

export function publicGeneration(generation: GenerationSigners): LogGeneration {
  return { number: generation.number, keys: signersOf(generation).map(({ vkey }) => noteVerifier(vkey)) };
}

/** @throws Refusal `bad_config` if verifiers would take no head of it */
export function requireSigners(origin: string, generation: GenerationSigners): LogGeneration {
  const known = publicGeneration(generation);
  const weakness = weaknessOfKeys(known.keys);
  if (weakness !== undefined || known.keys.some(({ name }) => name !== origin)) {
    throw new Refusal(
      "bad_config",
      `The log ${origin} has no use for these keys: ${weakness ?? "each needs that name"}.`,
    );
  }
  return known;
}

/** @throws Refusal `bad_config` if `next` can't follow `current` */
export function requireNext(origin: string, current: GenerationSigners, next: GenerationSigners): void {
  requireSigners(origin, next);
  if (next.number !== current.number + 1 || next.number > maxGenerations) {
    throw new Refusal(
      "bad_config",
      `Generation ${next.number} of the log's keys can't follow ${current.number}; there are at most ${maxGenerations}.`,
    );
  }
}

/** What the entry of a rotation says of the keys that follow. */
export interface RotationSaid {
  readonly says: Rotation;
  readonly kinds: readonly string[];
}

/** The rotation that the last run didn't bring to its end. @throws Refusal `bad_state` without its keys */
export async function unfinishedRotation(
  options: {
    readonly origin: string;
    readonly next?: (number: number, kinds: readonly string[]) => Promise<GenerationSigners>;
  },
  from: GenerationSigners,
  { rotation }: { readonly rotation: (UncrossedRotation & RotationSaid) | undefined },
): Promise<PendingCrossing | undefined> {
  if (rotation === undefined) return undefined;
  const to = await options.next?.(rotation.says.number, rotation.kinds);
  if (to === undefined) {
    throw new Refusal(
      "bad_state",
      `The log's rotation to generation ${rotation.says.number} isn't finished.`,
    );
  }
  requireNext(options.origin, from, to);
  requireKeysOf(rotation.says, to);
  return { ...rotation, from, to };
}

/** @throws Refusal `bad_state` if these aren't the keys that the rotation's entry names */
function requireKeysOf(rotation: Rotation, next: GenerationSigners): void {
  if (next.number === rotation.number && keysHash(signersOf(next)) === rotation.keys) return;
  throw new Refusal(
    "bad_state",
    `The log's keys were about to rotate to generation ${rotation.number}, but its keys aren't there; restore them.`,
  );
}

/** The file that is kept for good, before the head itself is published. */
export function crossingFile(
  { from, to, entry, index, proof }: PendingCrossing,
  checkpoint: Uint8Array,
): { readonly path: string; readonly bytes: Uint8Array } {
  const sides = { from: publicGeneration(from), to: publicGeneration(to) };
  return {
    path: crossingPath(to.number),
    bytes: crossingBytes({ ...sides, entry, index, proof, checkpoint }),
  };
}
