/** Rotations in a log against its crossings: each entry has one, and each crossing is a head of this very log. */
import { equalInConstantTime } from "../kernel/bytes.ts";
import type { IndexedEntry } from "./chain.ts";
import { type Crossing, crossingPath } from "./crossing.ts";
import type { CrossingFault, Generations } from "./generations.ts";
import { readRotation } from "./rotation.ts";

/** What a walk over the log has found. */
export interface WalkedRotations {
  /** Of the head. */
  readonly size: number;
  /** Also those behind the head. */
  readonly rotations: readonly IndexedEntry[];
  /** Of the log at the crossings' sizes; undefined if the head's root isn't the log's. */
  readonly roots: ReadonlyMap<number, Uint8Array> | undefined;
}

type RotationFault =
  | CrossingFault
  | { readonly what: "rolled back" | "forked"; readonly path: string; readonly text: string };

export function judgeRotations(generations: Generations, log: WalkedRotations): readonly RotationFault[] {
  const told = new Set(generations.faults.map(({ path }) => path));
  const ofEntries = log.rotations
    .filter(({ index }) => index < log.size)
    .flatMap((rotation) => judgeEntry(rotation, generations))
    .filter(({ path }) => !told.has(path));
  const ofCrossings = [...generations.crossings].flatMap(([number, crossing]) =>
    judgeCrossing(number, crossing, log),
  );
  return [...ofEntries, ...ofCrossings];
}

function judgeEntry({ index, entry }: IndexedEntry, { crossings }: Generations): readonly CrossingFault[] {
  const number = readRotation(entry)?.number ?? Number.NaN;
  if (Number.isNaN(number)) {
    const text = `entry ${index} rotates the log's keys to no generation that could follow`;
    return [{ what: "crossing", path: `entry ${index}`, text }];
  }
  const path = crossingPath(number);
  const crossing = crossings.get(number);
  if (crossing === undefined) {
    const text = `${path} is missing, though entry ${index} rotates the log's keys to generation ${number}`;
    return [{ what: "missing", path, text }];
  }
  if (crossing.index === index && crossing.rotation.eventHash === entry.eventHash) return [];
  const text = `${path} is of another rotation than entry ${index}`;
  return [{ what: "crossing", path, text }];
}

function judgeCrossing(
  number: number,
  { head, index, rotation }: Crossing,
  { size, rotations, roots }: WalkedRotations,
): readonly RotationFault[] {
  const path = crossingPath(number);
  if (head.size > size) {
    // A head is replaced after its crossing was written: then the entry is there already.
    const isThere = rotations.some(
      (each) => each.index === index && each.entry.eventHash === rotation.eventHash,
    );
    if (isThere) return [];
    const text = `the log was rolled back: its head covers ${size} entries, but ${path} is a head of ${head.size}`;
    return [{ what: "rolled back", path, text }];
  }
  const root = roots?.get(head.size);
  if (root === undefined || equalInConstantTime(root, head.root)) return [];
  const text = `this isn't the log of ${path}: its first ${head.size} entries have another root`;
  return [{ what: "forked", path, text }];
}
