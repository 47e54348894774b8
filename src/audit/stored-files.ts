/**
 * Tiles and bundles as they lie in a log's folder: the full ones, or what stands in for them; what is missing, torn or
 * too long is noted. What is in them is compared elsewhere (log-walk.ts).
 */
import { hashBytes } from "../merkle/hashing.ts";
import { bundlePath, partialTileIds, type TileId, tilePath, tileWidth } from "../merkle/tiles.ts";
import { type Bundle, framedBytes, splitBundle } from "./bundle.ts";
import type { LogFiles } from "./log-walk.ts";

interface MissingFile {
  readonly path: string;
  readonly index: number;
  readonly text: string;
  /**
   * `redundant`: a partial file that isn't there holds nothing of its own, so it isn't missed if the entries give
   * the signed root without it; `entries`: a full bundle; `file`: any other.
   */
  readonly kind: "redundant" | "entries" | "file";
}

interface SurplusFile {
  readonly path: string;
  readonly index: number;
  /** What it should end with: `256 hashes`. */
  readonly than: string;
}

/** What is wrong with the files of a log, as files. */
export interface FileFaults {
  /** Files that aren't there or have the wrong length. */
  readonly missing: MissingFile[];
  /** Files that end within an entry. */
  readonly torn: { readonly path: string; readonly index: number }[];
  /** Files that go on behind what they are the place of. */
  readonly surplus: SurplusFile[];
}

export interface LogStore {
  readonly files: LogFiles;
  readonly evidence: FileFaults;
  /** The first entry that retention keeps, as the log's end says. */
  readonly prunedBefore: () => Promise<number>;
}

/** More of one kind tells a reader nothing new. */
const maxKept = 256;

/** A running log drops partials as it grows, so those of this head are fetched before anything else. */
export async function holdEdge(files: LogFiles, size: number): Promise<LogFiles> {
  const paths = partialTileIds(size).map(tilePath);
  if (size % tileWidth > 0) paths.push(bundlePath(Math.floor(size / tileWidth), size % tileWidth));
  const held = new Map<string, Uint8Array | undefined>();
  for (const path of paths) held.set(path, await files(path));
  return (path) => (held.has(path) ? Promise.resolve(held.get(path)) : files(path));
}

/** A tile as it lies there: the partial one, or as much of the full one that replaced it, or of a wider one. */
export async function storedTile(log: LogStore, id: TileId): Promise<Uint8Array | undefined> {
  const length = id.width * hashBytes;
  const isPartial = id.width < tileWidth;
  const exact = await log.files(tilePath(id));
  const stored =
    exact === undefined && isPartial
      ? await wider(log, id.width, (width) => tilePath({ ...id, width }))
      : exact && { bytes: exact, width: id.width };
  const bytes = stored?.bytes;
  if (stored !== undefined && stored.bytes.length > stored.width * hashBytes) {
    const path = tilePath({ ...id, width: stored.width });
    tellSurplus(log, { path, index: id.index, than: `${stored.width} hashes` });
  }
  if (bytes !== undefined && bytes.length >= length) return bytes.subarray(0, length);
  const text = `${tilePath(id)} is ${bytes === undefined ? "missing" : "cut"}`;
  const isKnown = log.evidence.missing.some(({ path }) => path === tilePath(id));
  const kind = isPartial && bytes === undefined ? "redundant" : "file";
  if (!isKnown) keep(log.evidence.missing, [{ path: tilePath(id), index: id.index, text, kind }]);
  return undefined;
}

/** A copy made while the log grew may have newer partial files than its head asks for. */
async function wider(
  log: LogStore,
  width: number,
  path: (width: number) => string,
): Promise<{ readonly bytes: Uint8Array; readonly width: number } | undefined> {
  const full = await log.files(path(tileWidth));
  if (full !== undefined) return { bytes: full, width: tileWidth };
  for (let more = width + 1; more < tileWidth; more++) {
    const bytes = await log.files(path(more));
    if (bytes !== undefined) return { bytes, width: more };
  }
  return undefined;
}

/** Once a file: a tile is read for both trees. */
function tellSurplus({ evidence: { surplus } }: Pick<LogStore, "evidence">, file: SurplusFile): void {
  if (!surplus.some(({ path }) => path === file.path)) keep(surplus, [file]);
}

/**
 * Bytes behind a bundle's last entry, and entries behind those that it may have.
 * @param width of the file itself, not of what the head covers of it
 * @returns it without them
 */
export function checkBundleEnd(
  log: Pick<LogStore, "evidence">,
  bundle: Bundle,
  { path, index, width }: { readonly path: string; readonly index: number; readonly width: number },
): Bundle {
  const { entries, tornBytes } = bundle;
  // The end of what is still being written may be torn: it was never acknowledged.
  const isTorn = tornBytes > 0 && entries.length === width && !path.startsWith("open/");
  if (!isTorn && entries.length <= width) return bundle;
  tellSurplus(log, { path, index: index * tileWidth, than: `${width} entries` });
  return { ...bundle, entries: entries.slice(0, width) };
}

/** The full bundle, else the open one, else the partial one; and the partial one must be the others' beginning. */
export async function storedBundle(
  log: LogStore,
  index: number,
  width: number,
): Promise<{ readonly bundle: Bundle; readonly path: string; readonly isPruned: boolean }> {
  const { missing } = log.evidence;
  const paths = [
    bundlePath(index),
    `open/${index}`,
    ...(width < tileWidth ? [bundlePath(index, width)] : []),
  ];
  const partialPath = paths[2];
  for (const path of paths) {
    const bytes = await log.files(path);
    if (bytes === undefined) continue;
    const isPartial = path === partialPath;
    const bundle = cutToPlace(log, splitBundle(bytes), { path, index, width, isPartial });
    if (partialPath !== undefined && !isPartial)
      await comparePartial(log, { path: partialPath, index, width }, { path, bytes });
    return { bundle, path, isPruned: false };
  }
  const nothing = { bundle: { entries: [], tornBytes: 0 }, path: bundlePath(index, width) };
  const isPruned = width === tileWidth && (index + 1) * tileWidth <= (await log.prunedBefore());
  if (isPruned) return { ...nothing, isPruned };
  const rest = width < tileWidth ? await wider(log, width, (more) => bundlePath(index, more)) : undefined;
  if (rest !== undefined) {
    const path = bundlePath(index, rest.width);
    const bundle = checkBundleEnd(log, splitBundle(rest.bytes), { path, index, width: rest.width });
    return { bundle, path, isPruned };
  }
  const text = `${bundlePath(index, width)} is missing`;
  const kind = width < tileWidth ? "file" : "entries";
  keep(missing, [{ path: bundlePath(index, width), index: index * tileWidth, text, kind }]);
  return { ...nothing, isPruned };
}

function cutToPlace(
  log: Pick<LogStore, "evidence">,
  bundle: Bundle,
  place: {
    readonly path: string;
    readonly index: number;
    readonly width: number;
    readonly isPartial: boolean;
  },
): Bundle {
  const { path, index, width, isPartial } = place;
  const count = bundle.entries.length;
  if (bundle.tornBytes > 0 && count < width) keep(log.evidence.torn, [{ path, index: index * tileWidth }]);
  // What is too much in a bundle that the head covers to its end is told as put in.
  if (width === tileWidth && count > width) return bundle;
  return checkBundleEnd(log, bundle, { path, index, width: isPartial ? width : tileWidth });
}

async function comparePartial(
  log: LogStore,
  { path, index, width }: { readonly path: string; readonly index: number; readonly width: number },
  whole: { readonly path: string; readonly bytes: Uint8Array },
): Promise<void> {
  const partial = await log.files(path);
  // A full bundle took its place.
  if (partial === undefined && whole.path === bundlePath(index)) return;
  if (partial !== undefined) checkBundleEnd(log, splitBundle(partial), { path, index, width });
  // If entries are missing from both alike, that is told where they are missing.
  if (partial !== undefined && sameBytes(wholeEntries(partial, width), wholeEntries(whole.bytes, width)))
    return;
  const text = partial === undefined ? `${path} is missing` : `${path} isn't the beginning of ${whole.path}`;
  keep(log.evidence.missing, [
    { path, index: index * tileWidth, text, kind: partial === undefined ? "redundant" : "file" },
  ]);
}

export async function fullOrOpen(
  files: LogFiles,
  index: number,
): Promise<{ readonly path: string; readonly bytes: Uint8Array } | undefined> {
  // It may be renamed between two looks.
  for (const path of [bundlePath(index), `open/${index}`, bundlePath(index)]) {
    const bytes = await files(path);
    if (bytes !== undefined) return { path, bytes };
  }
  return undefined;
}

function wholeEntries(bundle: Uint8Array, width: number): Uint8Array {
  return framedBytes(splitBundle(bundle).entries.slice(0, width));
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

export function keep<Row>(rows: Row[], more: readonly Row[]): void {
  rows.push(...more.slice(0, maxKept - rows.length));
}
