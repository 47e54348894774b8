/** A head that was kept elsewhere, against a bundle's: the log may have grown since, and nothing else. */
import { sha256 } from "../crypto/hash.ts";
import { equalInConstantTime } from "../kernel/bytes.ts";
import { rootOf } from "../merkle/hashing.ts";
import type { BundleFinding, ClaimedTree } from "./bundle-entries.ts";
import type { HeadReading } from "./head.ts";

/** `untold`: the log is no smaller, but the bundle doesn't have what shows that it begins as it did. */
export type KeptHeadRelation = "begins with it" | "untold";

export type KeptHeadVerdict =
  | { readonly kind: "relation"; readonly relation: KeptHeadRelation }
  | { readonly kind: "finding"; readonly finding: BundleFinding; readonly relation?: undefined };

export function judgeKeptHead(
  kept: HeadReading,
  claimed: ClaimedTree,
  { first, leaves }: { readonly first: number; readonly leaves: readonly Uint8Array[] },
): KeptHeadVerdict {
  if (kept.kind !== "signed")
    return finding("signature", `the head that was kept can't be used: ${kept.why}`);
  const { size, root } = kept.head;
  if (size > claimed.size) {
    const text = `the log was rolled back: its head covers ${claimed.size} entries, but one of ${size} was seen`;
    return finding("rolled back", text);
  }
  const isThere = size === 0 || (first === 0 && size <= leaves.length);
  const then =
    size === claimed.size ? claimed.root : isThere ? rootOf(sha256, leaves.slice(0, size)) : undefined;
  if (then === undefined) return { kind: "relation", relation: "untold" };
  if (equalInConstantTime(then, root)) return { kind: "relation", relation: "begins with it" };
  return finding("forked", `this isn't the log that was seen: its first ${size} entries have another root`);
}

function finding(what: BundleFinding["what"], text: string): KeptHeadVerdict {
  return { kind: "finding", finding: { what, text } };
}
