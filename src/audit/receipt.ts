/**
 * A receipt: one entry of a log, and the proof that it stands at its index under a signed head. It is a C2SP tlog-proof
 * whose extra data is the entry. Verified with the log's public key alone, from bytes alone (docs/formats/receipt.md).
 */
import { sha256 } from "../crypto/hash.ts";
import type { LogKey } from "../crypto/log-key.ts";
import { utf8 } from "../kernel/bytes.ts";
import { leafHash } from "../merkle/hashing.ts";
import { verifyInclusion } from "../merkle/proofs.ts";
import { maxNoteBytes } from "./checkpoint.ts";
import { type Entry, maxEntryBytes, readEntry } from "./entry.ts";
import { type Generations, readDueHead, walkGenerations } from "./generations.ts";
import type { Head } from "./head.ts";
import { readTlogProof, type TlogProof, tlogProofBytes } from "./tlog-proof.ts";

/** What a receipt is made of. */
export interface ReceiptParts {
  /** The entry's bytes, as they stand in the log. */
  readonly entry: Uint8Array;
  readonly index: number;
  /** From the leaf's sibling up, 32 bytes each. */
  readonly proof: readonly Uint8Array[];
  /** The signed head, as a note. */
  readonly checkpoint: Uint8Array;
}

export type ReceiptVerdict =
  | {
      readonly kind: "holds";
      readonly entry: Entry;
      readonly index: number;
      /** Who signed it, when, and how many entries it covers. */
      readonly head: Head;
    }
  | { readonly kind: "bad"; readonly why: string };

export interface ReceiptTrust {
  /** Of any generations; `readLogKey` reads it. INVARIANT: it doesn't come with the receipt. */
  readonly logKey: LogKey;
  /** Files of the log's crossings by the generation that each leads to: they need no trust. */
  readonly crossings?: ReadonlyMap<number, Uint8Array>;
}

/** A note, an entry in base64, and a path: what a receipt can't be longer than. */
export const maxReceiptBytes = maxNoteBytes + 16 * 1024;

export function receiptBytes({ entry, ...rest }: ReceiptParts): Uint8Array {
  return tlogProofBytes({ ...rest, extra: entry });
}

/** What a receipt's entry says, unverified; undefined for what is none. */
export function receiptBytesEntry(receipt: string): Entry | undefined {
  const parts = partsOf(utf8(receipt));
  const reading = parts && readEntry(parts.extra);
  return reading?.kind === "entry" ? reading.entry : undefined;
}

/** Whether a receipt holds, and what it then says. Never throws. */
export function verifyReceipt(bytes: Uint8Array, { logKey, crossings }: ReceiptTrust): ReceiptVerdict {
  const parts = partsOf(bytes);
  if (parts === undefined) return bad("it is no receipt: expected a tlog-proof that has an entry");
  const { extra, index, proof, checkpoint } = parts;
  const reading = readEntry(extra);
  if (reading.kind !== "entry") return bad(`its entry can't be read: ${reading.why}`);
  const generations = walkGenerations(crossings ?? new Map(), logKey);
  const broken = generations.faults.find(({ what }) => what === "crossing");
  if (broken !== undefined) return bad(broken.text);
  const signed = readDueHead(checkpoint, generations);
  if (signed.kind !== "signed") {
    return bad(`its head isn't to be trusted: ${signed.why}${whatIsMissing(generations)}`);
  }
  const { head } = signed;
  if (index >= head.size) return bad(`its head covers ${head.size} entries, so none has index ${index}`);
  const claim = { leaf: leafHash(sha256, extra), index, size: head.size, root: head.root };
  if (!verifyInclusion(sha256, claim, proof)) {
    return bad(`its entry isn't the one with index ${index} under its head`);
  }
  return { kind: "holds", entry: reading.entry, index, head };
}

function partsOf(bytes: Uint8Array): (TlogProof & { readonly extra: Uint8Array }) | undefined {
  const read = bytes.length > maxReceiptBytes ? undefined : readTlogProof(bytes);
  return read?.extra === undefined || read.extra.length > maxEntryBytes
    ? undefined
    : { ...read, extra: read.extra };
}

/** Heads of other generations need the crossings between, to tell which of them signs at which size. */
function whatIsMissing({ known, crossings, faults }: Generations): string {
  const missing = faults.find(({ what }) => what === "missing");
  if (missing !== undefined) return `; ${missing.path} of the log is needed to judge older heads`;
  if (crossings.size > 0) return "";
  const newest = known.at(-1)?.number ?? 1;
  return `; if the log's keys rotated, a key file of the time or the log's crossings from generation ${newest} on are needed`;
}

function bad(why: string): ReceiptVerdict {
  return { kind: "bad", why };
}
