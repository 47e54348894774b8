/**
 * One entry and how it leads to a renewal's root: what proves a single record when the hash or the signatures of its
 * time have fallen. A file of its own form, like a C2SP tlog-proof (docs/formats/renewal.md).
 */
import { type Hashes, hashes as ourHashes } from "../crypto/hash.ts";
import type { LogKey } from "../crypto/log-key.ts";
import { everythingStands, type Standing } from "../crypto/suites/fallen.ts";
import { hashSuite } from "../crypto/suites/symmetric.ts";
import { concat, fromBase64, fromUtf8, toBase64, utf8 } from "../kernel/bytes.ts";
import { type Hash, leafHash, rootOf } from "../merkle/hashing.ts";
import { inclusionProof, verifyInclusion } from "../merkle/proofs.ts";
import { tileWidth } from "../merkle/tiles.ts";
import { maxNoteBytes, readNote } from "./checkpoint.ts";
import { maxEntryBytes } from "./entry.ts";
import { rootsOfEntries } from "./entry-roots.ts";
import type { LogFiles } from "./log-walk.ts";
import { readRenewal, readRenewalBody, type RenewalBody } from "./renewal.ts";

export interface RenewedEntry {
  readonly entry: Uint8Array;
  readonly index: number;
  readonly proof: readonly Uint8Array[];
  /** The renewal's note. */
  readonly note: Uint8Array;
}

export type RenewedEntryReading =
  | {
      readonly kind: "proven";
      readonly entry: Uint8Array;
      readonly index: number;
      readonly renewal: RenewalBody & { readonly signedBy: readonly string[] };
    }
  | { readonly kind: "bad"; readonly why: string };

const format = "dev.latticegate/renewed-entry@v1";
const maxPath = 53;
const maxBytes = maxNoteBytes + 2 * maxEntryBytes + maxPath * 100;

/** Reads the log up to the renewal once; undefined if the log has no such entry below it (any more). */
export async function proveRenewed(
  files: LogFiles,
  index: number,
  note: Uint8Array,
  hashes: Hashes = ourHashes,
): Promise<RenewedEntry | undefined> {
  const body = readRenewalBody(readNote(note)?.text ?? "");
  if (body === undefined || index >= body.size) return undefined;
  const hash = hashes(body.hash);
  const first = index - (index % tileWidth);
  const bundleRoots: Uint8Array[] = [];
  const near: Uint8Array[] = [];
  let entry: Uint8Array | undefined;
  const see = (bytes: Uint8Array, at: number): void => {
    if (at === index) entry = bytes;
    if (at >= first && at < first + tileWidth) near.push(leafHash(hash, bytes));
  };
  const seeBundle = (root: Uint8Array): void => void bundleRoots.push(root);
  const { rootAt } = await rootsOfEntries(files, [body], { hashes, see, seeBundle });
  if (rootAt(body) === undefined || entry === undefined) return undefined;
  // Beside the path stand whole bundles (the last one as it is), or parts of the entry's own.
  const proof = inclusionProof(index, body.size, (start, end) =>
    start >= first && end <= first + near.length
      ? rootOf(hash, near.slice(start - first, end - first))
      : rootOf(hash, bundleRoots.slice(start / tileWidth, Math.ceil(end / tileWidth))),
  );
  // One that was removed stands there by its SHA-256 hash, though a copy may have kept it.
  const claim = { leaf: leafHash(hash, entry), index, size: body.size, root: body.root };
  return verifyInclusion(hash, claim, proof) ? { entry, index, proof, note } : undefined;
}

export function renewedEntryBytes({ entry, index, proof, note }: RenewedEntry): Uint8Array {
  const lines = [format, `entry ${toBase64(entry)}`, `index ${index}`, ...proof.map(toBase64)];
  return concat([utf8(`${lines.join("\n")}\n\n`), note]);
}

/** With the log's key alone. @param logKey of the generation that signed the renewal, at least */
export function readRenewedEntry(
  bytes: Uint8Array,
  logKey: LogKey,
  standing: Standing = everythingStands,
  hashes: Hashes = ourHashes,
): RenewedEntryReading {
  const parts = partsOf(bytes);
  if (parts === undefined) return { kind: "bad", why: "it is no proof of an entry under a renewal" };
  const { entry, index, path, note } = parts;
  const reading = readRenewal(note, logKey, standing);
  if (reading.kind === "bad") return { kind: "bad", why: `its renewal isn't to be trusted: ${reading.why}` };
  const { renewal } = reading;
  const { digestBytes } = hashSuite(renewal.hash);
  const hash: Hash = hashes(renewal.hash);
  const claim = { leaf: leafHash(hash, entry), index, size: renewal.size, root: renewal.root };
  const isIn = path.every(({ length }) => length === digestBytes) && verifyInclusion(hash, claim, path);
  return isIn
    ? { kind: "proven", entry, index, renewal }
    : { kind: "bad", why: "its entry isn't the one under its renewal" };
}

interface Parts {
  readonly entry: Uint8Array;
  readonly index: number;
  readonly path: readonly Uint8Array[];
  readonly note: Uint8Array;
}

const shape =
  /^dev\.latticegate\/renewed-entry@v1\nentry ([A-Za-z0-9+/=]+)\nindex (0|[1-9][0-9]{0,15})\n((?:[A-Za-z0-9+/=]+\n){0,53})\n/;

function partsOf(bytes: Uint8Array): Parts | undefined {
  const text = bytes.length > maxBytes ? "" : (fromUtf8(bytes) ?? "");
  const [whole = "", base64 = "", digits = "", lines = ""] = shape.exec(text) ?? [];
  const entry = fromBase64(base64);
  const index = Number(digits);
  const hashes = lines.split("\n").slice(0, -1).map(fromBase64);
  const path = hashes.flatMap((hash) => hash ?? []);
  const isWhole = whole !== "" && Number.isSafeInteger(index) && path.length === hashes.length;
  if (!isWhole || entry === undefined || entry.length > maxEntryBytes) return undefined;
  return { entry, index, path, note: utf8(text.slice(whole.length)) };
}
