/** Secrets that stand outside our own folders: in a file, an environment variable or a systemd credential. */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import path from "node:path";

import { utf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";

/** Where a secret stands. `credential`: a file of that name in `$CREDENTIALS_DIRECTORY` (systemd.exec(5)). */
export type SecretSource =
  | { readonly file: string }
  | { readonly env: string }
  | { readonly credential: string };

/** Fewer could be guessed. */
const minBytes = 16;
/** Nobody's passphrase is longer; a device or a log named by mistake would be. */
const maxBytes = 4096;

/**
 * The secret without the white space around it; whoever asked fills it with zeros after use.
 * A variable is removed from the environment, so that no process started later inherits it.
 * @throws Refusal `bad_state` with `what` can't be done if it isn't there or is too short
 */
export async function readSecretSource(source: SecretSource, what: string): Promise<Uint8Array> {
  const secret = trimmed((await read(source)) ?? new Uint8Array(0));
  if (secret.length >= minBytes && secret.length <= maxBytes) return secret;
  throw new Refusal(
    "bad_state",
    `${what}: expected at least ${minBytes} characters, at most ${maxBytes}, in ${whereabouts(source)}.`,
  );
}

/** As it is told to an operator. */
function whereabouts(source: SecretSource): string {
  if ("env" in source) return `the environment variable ${source.env}`;
  return "file" in source ? source.file : `the systemd credential ${source.credential}`;
}

async function read(source: SecretSource): Promise<Uint8Array | undefined> {
  if ("file" in source) return await readBounded(source.file, 0);
  if ("credential" in source) {
    const folder = process.env["CREDENTIALS_DIRECTORY"];
    if (folder === undefined || !path.isAbsolute(folder) || !isCredentialName(source.credential)) {
      return undefined;
    }
    // systemd puts plain files there; a link would be somebody else's doing.
    return await readBounded(path.join(folder, source.credential), constants.O_NOFOLLOW);
  }
  const text = process.env[source.env];
  delete process.env[source.env];
  return text === undefined ? undefined : utf8(text);
}

/** systemd.exec(5), LoadCredential=: a file name, which neither leads out of the folder nor names it. */
export function isCredentialName(name: string): boolean {
  return /^[A-Za-z0-9_.@-]{1,255}$/.test(name) && name !== "." && name !== "..";
}

async function readBounded(file: string, flags: number): Promise<Uint8Array | undefined> {
  try {
    await using handle = await open(file, constants.O_RDONLY | flags);
    // Of our own, not of the pool that Buffer shares among small ones.
    const bytes = Buffer.alloc(maxBytes + 3);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0);
    return bytes.subarray(0, bytesRead);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ELOOP") return undefined;
    throw new Refusal("bad_state", `${file} can't be read (${String(code)}).`, { cause: error });
  }
}

/** A copy without white space at its ends; `bytes` is filled with zeros. */
function trimmed(bytes: Uint8Array): Uint8Array {
  let [start, end] = [0, bytes.length];
  while (start < end && isSpace(bytes[start])) start += 1;
  while (start < end && isSpace(bytes[end - 1])) end -= 1;
  const secret = Uint8Array.from(bytes.subarray(start, end));
  bytes.fill(0);
  return secret;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || (byte !== undefined && byte >= 0x09 && byte <= 0x0d);
}
