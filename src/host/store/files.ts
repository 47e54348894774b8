/** Files of our own state: folders 0700, files 0600, replaced whole or not at all. */
import { randomBytes } from "node:crypto";
import { chmod, link, mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";

import { Refusal } from "../../kernel/refusal.ts";

/** @throws Refusal `bad_state` if others may look into an existing folder and that can't be changed */
export async function ensurePrivateFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (((await stat(folder)).mode & 0o077) === 0) return;
  try {
    await chmod(folder, 0o700);
  } catch (cause) {
    throw new Refusal(
      "bad_state",
      `${folder} is readable by others (expected mode 0700) and can't be changed.`,
      { cause },
    );
  }
}

/** Puts `content` there, instead of what was there. */
export async function writePrivateFile(file: string, content: string | Uint8Array): Promise<void> {
  await fromDraft(file, content, (draft) => rename(draft, file));
}

/** Of several who do this at once, processes too, one decides for all. @returns false if there is one already */
export async function makePrivateFile(file: string, content: string | Uint8Array): Promise<boolean> {
  try {
    await fromDraft(file, content, (draft) => link(draft, file));
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

async function fromDraft(
  file: string,
  content: string | Uint8Array,
  place: (draft: string) => Promise<void>,
): Promise<void> {
  const draft = path.join(path.dirname(file), `.${path.basename(file)}.${randomBytes(6).toString("hex")}`);
  try {
    await writeFile(draft, content, { mode: 0o600, flag: "wx", flush: true });
    await place(draft);
  } finally {
    await rm(draft, { force: true });
  }
}

/** What was renamed into these folders survives a loss of power; those that aren't there are passed over. */
export async function syncFolders(folder: string, below: readonly string[]): Promise<void> {
  for (const name of [...below, "."]) {
    await using handle = await open(path.join(folder, name)).catch(undefinedIfMissing);
    await handle?.sync();
  }
}

/** The file's text, or undefined if there is no such file. */
export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** The file's JSON, or undefined if there is no such file. @throws Refusal `bad_state` if it is no JSON */
export async function readJsonIfThere(file: string): Promise<unknown> {
  const text = await readIfThere(file);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Refusal("bad_state", `${file} isn't JSON; restore it from a backup or remove it.`, { cause });
  }
}

export async function isThere(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** For a listing of a folder that may not be there. */
export function noneIfMissing(error: unknown): readonly string[] {
  if (isMissing(error)) return [];
  throw error;
}

function undefinedIfMissing(error: unknown): undefined {
  if (!isMissing(error)) throw error;
}

function isMissing(error: unknown): boolean {
  return codeOf(error) === "ENOENT";
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
