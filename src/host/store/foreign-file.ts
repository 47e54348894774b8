/** A file of somebody else's making that is rewritten: followed to where it is, replaced whole, with its mode and owner. */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { lstat, open, realpath, rename, rm } from "node:fs/promises";
import path from "node:path";

import { sha256Hex } from "../../crypto/hash.ts";
import { Refusal } from "../../kernel/refusal.ts";

export interface ForeignFile {
  /** As it was named. */
  readonly named: string;
  /** Where it is, links followed. */
  readonly file: string;
  readonly bytes: Buffer;
  readonly sha256: string;
}

const maxBytes = 32 * 1024 * 1024;

/**
 * @returns undefined if there is none
 * @throws Refusal `bad_config` if it isn't one that may be rewritten
 */
export async function readForeignFile(named: string): Promise<ForeignFile | undefined> {
  const file = await realpath(named).catch(() => undefined);
  if (file === undefined) return undefined;
  const whose = await lstat(named);
  await using handle = await open(
    file,
    constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
  ).catch((cause: unknown) => {
    throw new Refusal("bad_config", `${named} can't be read.`, { cause });
  });
  const facts = await handle.stat();
  const refuse = (because: string): never => {
    throw new Refusal("bad_config", `${named} ${because}; it is left as it is.`);
  };
  if (!facts.isFile()) refuse("is no file");
  if (facts.size > maxBytes) refuse(`has more than ${maxBytes} bytes`);
  if (facts.nlink > 1) refuse("has more than one name (hard links), which would become two files");
  const own = process.getuid?.();
  if (own !== undefined && (facts.uid !== own || whose.uid !== own))
    refuse("belongs to another user, whose commands the gateway would run as you");
  if (own !== undefined && (facts.mode & 0o002) !== 0)
    refuse("can be written by everybody, whose commands the gateway would run as you");
  const bytes = await handle.readFile();
  return { named, file, bytes, sha256: sha256Hex(bytes) };
}

/**
 * Replaces the file by `bytes`, or leaves it wholly as it was.
 * @throws Refusal `bad_config` if it isn't any more what was read
 */
export async function replaceForeignFile(read: ForeignFile, bytes: Uint8Array): Promise<void> {
  const { mode, uid, gid } = await lstat(read.file);
  const draft = path.join(
    path.dirname(read.file),
    `.${path.basename(read.file)}.${randomBytes(6).toString("hex")}`,
  );
  try {
    const handle = await open(draft, "wx", 0o600);
    try {
      await handle.writeFile(bytes);
      if (process.getuid !== undefined) await handle.chown(uid, gid);
      await handle.chmod(mode & 0o7777);
      await handle.sync();
    } finally {
      await handle.close();
    }
    const now = await readForeignFile(read.named);
    if (now?.file !== read.file || now.sha256 !== read.sha256)
      throw new Refusal(
        "bad_config",
        `${read.named} changed meanwhile; nothing was written to it. Run this again.`,
      );
    await rename(draft, read.file);
  } finally {
    await rm(draft, { force: true });
  }
}
