/**
 * What a renewal wraps beside the entries: a list of files in the log's folder, each with its leaf in a second tree.
 * The note names the tree's root and size, so that one file is proven by the list and itself.
 */
import { fromBase64, fromUtf8, toBase64, utf8, concat } from "../kernel/bytes.ts";
import { type Hash, leafHash, rootOf } from "../merkle/hashing.ts";
import type { LogFiles } from "./log-walk.ts";
import { maxRenewals } from "./renewal.ts";

export interface RenewedFile {
  readonly path: string;
  readonly leaf: Uint8Array;
}

/** A hundred years of days, the crossings, and three files a renewal. */
export const maxRenewedFiles = 36_600 + 1024 + 3 * maxRenewals;
const maxListBytes = maxRenewedFiles * 160;

/** Crossings, daily heads signed by the hash-based key, renewals before this one and its head; nothing else. */
const shape =
  /^(first-key\.txt|crossings\/[1-9][0-9]{0,3}\.tlog-proof|checkpoints\/[0-9]{4}-[0-9]{2}-[0-9]{2}\.first|renewals\/[1-9][0-9]{0,3}(\.files|\.checkpoint)?)$/;

export function isRenewedFile(path: string): boolean {
  return shape.test(path);
}

/** HASH(0x00 ‖ path ‖ 0x0A ‖ bytes): under another name, a file is another leaf. */
export function renewedFile(hash: Hash, path: string, bytes: Uint8Array): RenewedFile {
  return { path, leaf: leafHash(hash, concat([utf8(`${path}\n`), bytes])) };
}

export function renewedFilesRoot(hash: Hash, list: readonly RenewedFile[]): Uint8Array {
  return rootOf(
    hash,
    list.map(({ leaf }) => leaf),
  );
}

export function formatRenewedFiles(list: readonly RenewedFile[]): Uint8Array {
  return utf8(list.map(({ path, leaf }) => `${toBase64(leaf)} ${path}\n`).join(""));
}

/** Undefined if it isn't such a list, in the order of its paths. */
export function readRenewedFiles(bytes: Uint8Array, digestBytes: number): readonly RenewedFile[] | undefined {
  if (bytes.length > maxListBytes) return undefined;
  const text = fromUtf8(bytes) ?? "-";
  if (text !== "" && !text.endsWith("\n")) return undefined;
  const list: RenewedFile[] = [];
  for (const line of text.split("\n").slice(0, -1)) {
    const file = readLine(line);
    if (file?.leaf.length !== digestBytes || file.path <= (list.at(-1)?.path ?? "")) return undefined;
    list.push(file);
  }
  return list.length > maxRenewedFiles ? undefined : list;
}

function readLine(line: string): RenewedFile | undefined {
  const [, base64 = "", path = ""] = /^([A-Za-z0-9+/=]+) ([a-z0-9/.-]+)$/.exec(line) ?? [];
  const leaf = fromBase64(base64);
  return leaf === undefined || !isRenewedFile(path) ? undefined : { path, leaf };
}

/** Reads each file once for each hash, however many renewals have it. */
export function renewedFileReader(
  files: LogFiles,
): (path: string, name: string, hash: Hash) => Promise<RenewedFile | undefined> {
  const known = new Map<string, RenewedFile>();
  return async (path, name, hash) => {
    const had = known.get(`${name} ${path}`);
    if (had !== undefined) return had;
    const bytes = await files(path);
    const file = bytes && renewedFile(hash, path, bytes);
    if (file !== undefined) known.set(`${name} ${path}`, file);
    return file;
  };
}
