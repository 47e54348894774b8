/**
 * Consistency proofs out of a log's files: which tiles a proof needs follows from the sizes alone, so they are read
 * first (a few per level of the tree, however long the log is) and hashed afterwards.
 */
import { sha256 } from "../crypto/hash.ts";
import { equalInConstantTime } from "../kernel/bytes.ts";
import { hashBytes } from "../merkle/hashing.ts";
import { consistencyProof } from "../merkle/proofs.ts";
import { levelWidth, type Subtree, subtreeFromTiles, tilePath, tileWidth } from "../merkle/tiles.ts";
import { type CheckpointBody } from "../crypto/note-keys.ts";
import { readCheckpointBody, readNote } from "./checkpoint.ts";
import type { LogFiles } from "./log-walk.ts";
import type { ShownHead } from "./witness-answer.ts";

export interface PublishedHead {
  readonly body: CheckpointBody;
  readonly checkpoint: Uint8Array;
}

/** The newest head; undefined without one. Nobody verified it. */
export async function publishedHead(files: LogFiles): Promise<PublishedHead | undefined> {
  const checkpoint = await files("checkpoint");
  const note = checkpoint === undefined ? undefined : readNote(checkpoint);
  const body = note === undefined ? undefined : readCheckpointBody(note.text);
  return checkpoint === undefined || body === undefined ? undefined : { body, checkpoint };
}

/** While a log is written its newest head moves on, and the tiles it needed go after two more. */
const maxTries = 4;

/**
 * The newest head, and how it grew out of the tree of `old` entries; without a proof if it has fewer.
 * @returns undefined if there is no head, or its tiles aren't there
 */
export async function shownFrom(files: LogFiles, old: number): Promise<ShownHead | undefined> {
  for (let tries = 1; tries <= maxTries; tries++) {
    const head = await publishedHead(files);
    if (head === undefined) return undefined;
    const { body, checkpoint } = head;
    const isGrown = old > 0 && old < body.size;
    const proof = isGrown
      ? await hashesOf(files, body.size, (of) => consistencyProof(old, body.size, of))
      : [];
    if (proof !== undefined) return { old, proof, checkpoint };
  }
  return undefined;
}

/** Whether a head is of the log that these files hold; undefined if that can't be told (any more). */
export async function isOfLog(
  files: LogFiles,
  { origin, size, root }: Pick<CheckpointBody, "origin" | "size" | "root">,
): Promise<boolean | undefined> {
  if (size === 0) return true;
  for (let tries = 1; tries <= maxTries; tries++) {
    const head = await publishedHead(files);
    if (head === undefined) return undefined;
    if (head.body.origin !== origin || head.body.size < size) return false;
    const [ours] = (await hashesOf(files, head.body.size, (of) => [of(0, size)])) ?? [];
    if (ours !== undefined) return equalInConstantTime(ours, root);
  }
  return undefined;
}

/** @param ask for subtrees of the tree of `size` entries: called twice, first to find what has to be read */
async function hashesOf(
  files: LogFiles,
  size: number,
  ask: (subtree: Subtree) => readonly Uint8Array[],
): Promise<readonly Uint8Array[] | undefined> {
  const needed = new Map<string, Uint8Array | undefined>();
  const path = (level: number, index: number): string => {
    const width = Math.min(levelWidth(size, level) - index * tileWidth, tileWidth);
    return tilePath({ level, index, width });
  };
  const nothing = new Uint8Array(tileWidth * hashBytes);
  ask(
    subtreeFromTiles(sha256, (level, index) => {
      needed.set(path(level, index), undefined);
      return nothing;
    }),
  );
  for (const each of needed.keys()) {
    const bytes = await files(each);
    if (bytes === undefined) return undefined;
    needed.set(each, bytes);
  }
  return ask(subtreeFromTiles(sha256, (level, index) => needed.get(path(level, index)) ?? nothing));
}
