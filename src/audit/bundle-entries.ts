/** The entries of an audit bundle against its head and its crossings: whether they are as they were signed, and if not, which. */
import { sha256 } from "../crypto/hash.ts";
import { equalInConstantTime, fromUtf8 } from "../kernel/bytes.ts";
import { rootOf } from "../merkle/hashing.ts";
import { rangePathLength, rootOfRange } from "../merkle/range.ts";
import type { AuditBundle } from "./audit-bundle.ts";
import type { IndexedEntry } from "./chain.ts";
import type { Crossing } from "./crossing.ts";
import type { Generations } from "./generations.ts";
import { judgeRotations } from "./judge-rotations.ts";
import { type Link, tamperedEntries } from "./tampered-entries.ts";

export interface BundleFinding {
  readonly what:
    | "format"
    | "fingerprint"
    | "keys"
    | "missing"
    | "crossing"
    | "signature"
    | "changed"
    | "removed"
    | "added"
    | "reordered"
    | "root"
    | "rolled back"
    | "forked";
  /** Of the first entry that it is about. */
  readonly index?: number;
  /** One sentence for people. */
  readonly text: string;
}

export interface ReadEntries {
  readonly links: readonly Link[];
  /** Leaf hashes. */
  readonly leaves: readonly Uint8Array[];
  readonly rotations: readonly IndexedEntry[];
}

export interface ClaimedTree {
  readonly size: number;
  readonly root: Uint8Array;
}

/** What the entries are judged by. */
interface Signed {
  readonly claimed: ClaimedTree;
  readonly generations: Generations;
}

export function judgeBundleEntries(
  bundle: AuditBundle,
  entries: ReadEntries,
  { claimed, generations }: Signed,
): readonly BundleFinding[] {
  const { first, path } = bundle;
  const { leaves, links, rotations } = entries;
  const length = rangePathLength({ first, end: first + leaves.length, size: claimed.size });
  const root = rootOfRange(sha256, { leaves, first, size: claimed.size }, path);
  const isSigned = root !== undefined && equalInConstantTime(root, claimed.root);
  const tampered = tamperedEntries({ first, links, isWhole: length === path.length });
  if (!isSigned) {
    const replaced = replacedRotations(bundle, generations);
    return [...tampered, ...replaced, unexplained(bundle, { claimed, generations }, tampered.length === 0)];
  }
  const roots = rootsOf(bundle, leaves, generations);
  return [
    ...replacedRotations(bundle, generations).map((finding) => ({ ...finding, what: "forked" as const })),
    ...tampered.slice(0, 1).map(({ index }): BundleFinding => {
      const text = `the log was signed with a broken chain: entry ${index} doesn't follow on the one before it`;
      return { what: "root", index, text };
    }),
    ...judgeRotations(generations, { size: claimed.size, rotations, roots }).map(({ what, text }) => {
      return { what, text };
    }),
  ];
}

/** Of the log at the crossings' sizes, as far as a bundle from the first entry on tells them. */
function rootsOf(
  { first }: AuditBundle,
  leaves: readonly Uint8Array[],
  { crossings }: Generations,
): ReadonlyMap<number, Uint8Array> {
  const sizes = first === 0 ? [...crossings.values()].map(({ head }) => head.size) : [];
  const known = sizes.filter((size) => size <= leaves.length);
  return new Map(known.map((size) => [size, rootOf(sha256, leaves.slice(0, size))]));
}

/** Rotations that the crossings prove, and that stand otherwise in the bundle. */
function replacedRotations(bundle: AuditBundle, { crossings }: Generations): readonly BundleFinding[] {
  return [...crossings].flatMap(([number, crossing]) => {
    if (isProven(bundle, crossing) !== false) return [];
    const { index } = crossing;
    const text = `entry ${index} isn't the one that the crossing to generation ${number} proves`;
    return [{ what: "changed", index, text } as const];
  });
}

/** Whether a crossing's entry stands where it must; undefined if that is outside the bundle. */
function isProven({ first, entries }: AuditBundle, { index, entry }: Crossing): boolean | undefined {
  const found = entries[index - first];
  return found === undefined ? undefined : found === fromUtf8(entry);
}

/** That the signed root isn't that of the entries, with what is known of where that comes from. */
function unexplained(
  bundle: AuditBundle,
  { claimed: { size }, generations }: Signed,
  isChained: boolean,
): BundleFinding {
  const { first, path } = bundle;
  const end = first + bundle.entries.length;
  const length = rangePathLength({ first, end, size });
  const range = `entries ${first} to ${end - 1}`;
  if (length === undefined) {
    const text = `${range} can't be under the head: it covers ${size} entries only`;
    return { what: "root", text };
  }
  if (length !== path.length) {
    const text = `${range} of ${size} take ${length} hashes, the bundle has ${path.length}: entries or hashes were taken away or put in`;
    return { what: "root", text };
  }
  if (!isChained) return { what: "root", text: `${range} don't add up to the signed root` };
  // INVARIANT: a chain without a break vouches for all that stands before an entry that is proven.
  const proven = [...generations.crossings.values()].filter(
    (crossing) => isProven(bundle, crossing) === true,
  );
  const since = proven.length === 0 ? first : Math.max(...proven.map(({ index }) => index)) + 1;
  const text =
    `${range} don't add up to the signed root, though each follows on the one before it: ` +
    `they were written anew from entry ${since} or a later one on, or entries at the beginning or the end ` +
    `were taken away or put in, or the path was changed`;
  return { what: "root", index: since, text };
}
