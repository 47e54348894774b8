/** Files of a machine that is looked at: anything may stand there, and nothing of it may hold us up. */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

export type BoundedText =
  | {
      readonly kind: "text";
      readonly text: string;
      /** Longer than asked for: what follows was left. */
      readonly isCut: boolean;
      /** Others than its owner who may read it, by its mode. */
      readonly readers: "owner" | "group" | "everybody";
    }
  | { readonly kind: "absent" }
  | { readonly kind: "unreadable"; readonly because: string };

/** Pipes and devices are not opened for long: without waiting, and only to see what they are. */
const withoutWaiting = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

export async function readBounded(file: string, maxBytes: number): Promise<BoundedText> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, withoutWaiting);
    const stat = await handle.stat();
    if (!stat.isFile()) return { kind: "unreadable", because: "it is no file" };
    const bytes = await upTo(handle, maxBytes + 1);
    const mode = process.platform === "win32" ? 0 : stat.mode;
    return {
      kind: "text",
      text: decoded(bytes.subarray(0, maxBytes)),
      isCut: bytes.length > maxBytes,
      readers: (mode & 0o004) !== 0 ? "everybody" : (mode & 0o040) !== 0 ? "group" : "owner",
    };
  } catch (error) {
    return whyNot(error);
  } finally {
    await handle?.close();
  }
}

/** Files below /proc have no size before they are read. */
async function upTo(handle: FileHandle, maxBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let left = maxBytes; left > 0;) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(Math.min(left, 256 * 1024)));
    if (bytesRead === 0) break;
    parts.push(buffer.subarray(0, bytesRead));
    left -= bytesRead;
  }
  return Buffer.concat(parts);
}

/** Editors on Windows write UTF-16 now and then. */
function decoded(bytes: Buffer): string {
  return bytes[0] === 0xff && bytes[1] === 0xfe ? bytes.toString("utf16le") : bytes.toString("utf8");
}

const absent = new Set(["ENOENT", "ENOTDIR"]);
const reasons: Readonly<Record<string, string>> = {
  EACCES: "this user may not read it",
  EPERM: "this user may not read it",
  ELOOP: "its symbolic links go in circles",
  EISDIR: "it is a folder",
  ENXIO: "it is no file",
  ENAMETOOLONG: "its name is too long",
};

/** What an error of the file system means to somebody who looks around. */
export function whyNot(error: unknown): Exclude<BoundedText, { kind: "text" }> {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (absent.has(code)) return { kind: "absent" };
  return { kind: "unreadable", because: reasons[code] ?? `it couldn't be read (${code || "unknown error"})` };
}
