/**
 * What stands in a renewal's tree for entries that retention removed (docs/formats/renewal.md): for each whole entry
 * bundle the root of its leaves under the renewal's hash, in `renewals/<N>.pruned`, one after the other from the
 * first on. The renewal's signed root vouches for them.
 */
import { equalInConstantTime } from "../kernel/bytes.ts";
import { type Hash, hashBytes, leafHash, rootOf } from "../merkle/hashing.ts";
import { tileHashes, tilePath, tileWidth } from "../merkle/tiles.ts";
import type { LogFiles } from "./log-walk.ts";
import { renewalPath } from "./renewal.ts";

export function removedRootsPath(number: number): string {
  return `${renewalPath(number)}.pruned`;
}

export interface RemovedRoots {
  /** Of that bundle in the tree of renewal `number`; undefined if the file isn't there or doesn't go that far. */
  readonly at: (number: number, bundle: number, digestBytes: number) => Promise<Uint8Array | undefined>;
}

/** A running log appends to them as it removes entries: one that is too short is read again. */
export function removedRoots(files: LogFiles): RemovedRoots {
  const known = new Map<number, Uint8Array>();
  return {
    at: async (number, bundle, digestBytes) => {
      const [start, end] = [bundle * digestBytes, (bundle + 1) * digestBytes];
      let bytes = known.get(number);
      if (bytes === undefined || bytes.length < end) {
        bytes = (await files(removedRootsPath(number))) ?? new Uint8Array();
        known.set(number, bytes);
      }
      return bytes.length < end ? undefined : bytes.subarray(start, end);
    },
  };
}

/** The level-0 hashes of a bundle whose entries were removed; undefined if the tile isn't there or is cut. */
export async function leavesOfRemoved(
  files: LogFiles,
  bundle: number,
): Promise<readonly Uint8Array[] | undefined> {
  const tile = await files(tilePath({ level: 0, index: bundle, width: tileWidth }));
  return tile?.length === tileWidth * hashBytes ? tileHashes(tile) : undefined;
}

/** Where entries were gone when a renewal was made, the data of their leaves are their SHA-256 leaf hashes. */
export function rootOfLeafHashes(hash: Hash, leaves: readonly Uint8Array[]): Uint8Array {
  return rootOf(
    hash,
    leaves.map((leaf) => leafHash(hash, leaf)),
  );
}

export function sameRoot(a: Uint8Array | undefined, b: Uint8Array): a is Uint8Array {
  return a !== undefined && a.length === b.length && equalInConstantTime(a, b);
}
