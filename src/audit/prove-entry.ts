/** Makes receipts from a log's files: an entry's path out of the tiles that its newest head vouches for. */
import { sha256 } from "../crypto/hash.ts";
import { hashBytes, leafHash } from "../merkle/hashing.ts";
import { inclusionProof, verifyInclusion } from "../merkle/proofs.ts";
import {
  bundlePath,
  levelWidth,
  type Subtree,
  subtreeFromTiles,
  tilePath,
  tileWidth,
} from "../merkle/tiles.ts";
import { splitBundle } from "./bundle.ts";
import { readCheckpointBody, readNote } from "./checkpoint.ts";
import type { LogFiles } from "./log-walk.ts";
import { receiptBytes } from "./receipt.ts";

export type ProvenEntry =
  | { readonly kind: "receipt"; readonly bytes: Uint8Array; readonly size: number }
  /** The head covers fewer entries. */
  | { readonly kind: "uncovered"; readonly size: number }
  /** Files that the head speaks of aren't there, or not as it has them. */
  | { readonly kind: "bad"; readonly why: string };

/** The receipt of entry `index`, under the head there is now. Signatures are passed on, not verified. */
export async function proveEntry(files: LogFiles, index: number): Promise<ProvenEntry> {
  const checkpoint = await files("checkpoint");
  const note = checkpoint === undefined ? undefined : readNote(checkpoint);
  const body = note === undefined ? undefined : readCheckpointBody(note.text);
  if (checkpoint === undefined || body === undefined) return bad("the log has no head that can be read");
  const { size, root } = body;
  if (index >= size) return { kind: "uncovered", size };
  const entry = await entryAt(files, index, size);
  if (entry === undefined) return bad(`entry ${index} isn't there`);
  const proof = await proofFromTiles(files, size, (subtree) => inclusionProof(index, size, subtree));
  if (typeof proof === "string") return bad(`${proof} isn't there`);
  const claim = { leaf: leafHash(sha256, entry), index, size, root };
  if (!verifyInclusion(sha256, claim, proof))
    return bad(`entry ${index} isn't what the head was signed over`);
  return { kind: "receipt", bytes: receiptBytes({ entry, index, proof, checkpoint }), size };
}

async function entryAt(files: LogFiles, index: number, size: number): Promise<Uint8Array | undefined> {
  const number = Math.floor(index / tileWidth);
  const width = Math.min(tileWidth, size - number * tileWidth);
  const bytes =
    (await files(bundlePath(number))) ??
    (await files(`open/${number}`)) ??
    // Full since, or a copy without `open/`.
    (await files(bundlePath(number))) ??
    (await files(bundlePath(number, width)));
  return bytes === undefined ? undefined : splitBundle(bytes).entries[index % tileWidth];
}

/** A proof in a tree of `size` leaves out of the stored tiles; or the path of the tile that is missing for it. */
export async function proofFromTiles(
  files: LogFiles,
  size: number,
  make: (subtree: Subtree) => readonly Uint8Array[],
): Promise<readonly Uint8Array[] | string> {
  const wanted = new Map<string, { readonly level: number; readonly index: number }>();
  const blank = new Uint8Array(tileWidth * hashBytes);
  const note = (level: number, at: number): Uint8Array => {
    wanted.set(`${level}/${at}`, { level, index: at });
    return blank;
  };
  // Once to learn which tiles the path needs, and once with them.
  make(subtreeFromTiles(sha256, note));
  const tiles = new Map<string, Uint8Array>();
  for (const [name, { level, index: at }] of wanted) {
    const width = Math.min(tileWidth, levelWidth(size, level) - at * tileWidth);
    const bytes = await tileAt(files, { level, index: at, width });
    if (bytes === undefined) return tilePath({ level, index: at, width });
    tiles.set(name, bytes);
  }
  return make(subtreeFromTiles(sha256, (level, at) => tiles.get(`${level}/${at}`) ?? blank));
}

/** A partial tile gives way to the full one that begins like it. */
async function tileAt(
  files: LogFiles,
  tile: { readonly level: number; readonly index: number; readonly width: number },
): Promise<Uint8Array | undefined> {
  const full = tilePath({ ...tile, width: tileWidth });
  const bytes = (await files(tilePath(tile))) ?? (await files(full));
  const length = tile.width * hashBytes;
  return bytes === undefined || bytes.length < length ? undefined : bytes.subarray(0, length);
}

function bad(why: string): ProvenEntry {
  return { kind: "bad", why };
}
