/**
 * The bytes of a backup (docs/formats/backup.md): a few files, sealed as one under a passphrase of their own
 * with argon2id and AES-256-GCM. Whatever is wrong with one is one refusal; nothing in it is used before all of
 * it was authenticated.
 */
import { concat, fromBase64url, fromUtf8, toBase64url, utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { randomSecret } from "./keys.ts";
import { freshKdfParameters, type KdfParameters, openBytes, sealUnder, unlockKey } from "./sealed.ts";

export interface BackupFile {
  /** Relative, with `/`. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface Backup {
  readonly madeUnixMs: number;
  readonly trustDomain: string;
  readonly files: readonly BackupFile[];
}

const magic = "latticegate-backup/1\n";
/** It is held in memory; a log that is longer is copied by itself. */
export const maxBackupBytes = 256 * 1024 * 1024;
const maxFiles = 100_000;
const maxPathLength = 200;
const maxHeadBytes = 1024;
/** What a file may make us spend before it has proven anything. */
const maxKdf = { memoryKiB: 1_048_576, passes: 16, lanes: 16 } as const;

/** @throws Refusal `bad_state` if it is more than a backup can hold */
export async function sealBackup(backup: Backup, passphrase: Uint8Array): Promise<Uint8Array> {
  const kdf = freshKdfParameters();
  const nonce = randomSecret(12);
  const head = utf8(`${magic}${JSON.stringify({ ...kdf, nonce: toBase64url(nonce) })}\n`);
  const index = {
    made: new Date(backup.madeUnixMs).toISOString(),
    trust_domain: backup.trustDomain,
    files: backup.files.map(({ path, bytes }) => ({ path, bytes: bytes.length })),
  };
  const parts = [utf8(`${JSON.stringify(index)}\n`), ...backup.files.map(({ bytes }) => bytes)];
  const size = parts.reduce((sum, { length }) => sum + length, 0);
  if (size > maxBackupBytes - 2 * maxHeadBytes || backup.files.length > maxFiles) throw tooLarge();
  return concat([head, sealUnder(await unlockKey(passphrase, kdf), nonce, head, concat(parts))]);
}

/** @throws Refusal `bad_state` for anything but a whole backup, unchanged, under that passphrase */
export async function openBackup(bytes: Uint8Array, passphrase: Uint8Array): Promise<Backup> {
  if (bytes.length > maxBackupBytes) throw tooLarge();
  const { head, kdf, nonce } = readHead(bytes);
  const sealed = bytes.subarray(head.length);
  if (sealed.length < 16) throw cut();
  const key = await unlockKey(passphrase, kdf);
  let plain: Uint8Array;
  try {
    plain = openBytes(key, head, { nonce, sealed });
  } catch (cause) {
    throw new Refusal(
      "bad_state",
      "The backup doesn't open: another passphrase, or the file was cut or changed.",
      { cause },
    );
  }
  return readContent(plain);
}

function readHead(bytes: Uint8Array): {
  readonly head: Uint8Array;
  readonly kdf: KdfParameters;
  readonly nonce: Uint8Array;
} {
  const start = bytes.subarray(0, maxHeadBytes);
  if (fromUtf8(start.subarray(0, magic.length)) !== magic) {
    throw new Refusal("bad_state", `This is no backup: expected a file that begins with "${magic.trim()}".`);
  }
  const end = start.indexOf(0x0a, magic.length);
  if (end === -1) throw cut();
  const fields = objectIn(start.subarray(magic.length, end));
  const nonce = fromBase64url(String(fields["nonce"]));
  const kdf = {
    salt: String(fields["salt"]),
    memoryKiB: numberIn(fields["memoryKiB"], 8192, maxKdf.memoryKiB),
    passes: numberIn(fields["passes"], 1, maxKdf.passes),
    lanes: numberIn(fields["lanes"], 1, maxKdf.lanes),
  };
  if (nonce?.length !== 12 || (fromBase64url(kdf.salt)?.length ?? 0) < 16) throw cut();
  return { head: bytes.subarray(0, end + 1), kdf, nonce };
}

/** Authenticated: whatever is wrong here was written by who had the passphrase, and is refused all the same. */
function readContent(plain: Uint8Array): Backup {
  const end = plain.indexOf(0x0a);
  if (end === -1) throw cut();
  const index = objectIn(plain.subarray(0, end));
  const rows = index["files"];
  if (!Array.isArray(rows) || rows.length > maxFiles) throw cut();
  let at = end + 1;
  const files = rows.map((row: unknown): BackupFile => {
    const { path, bytes: size } =
      typeof row === "object" && row !== null ? (row as Record<string, unknown>) : {};
    const length = numberIn(size, 0, plain.length - at);
    if (typeof path !== "string" || !isPlainPath(path)) throw cut();
    const bytes = plain.subarray(at, at + length);
    at += length;
    return { path, bytes };
  });
  if (at !== plain.length || new Set(files.map(({ path }) => path)).size !== files.length) throw cut();
  const madeUnixMs = Date.parse(String(index["made"]));
  const trustDomain = index["trust_domain"];
  if (Number.isNaN(madeUnixMs) || typeof trustDomain !== "string") throw cut();
  return { madeUnixMs, trustDomain, files };
}

/** No way up, no way out: segments of plain characters that don't begin with a dot. */
function isPlainPath(path: string): boolean {
  return (
    path.length <= maxPathLength && /^[A-Za-z0-9_][A-Za-z0-9_.-]*(\/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$/.test(path)
  );
}

function objectIn(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(fromUtf8(bytes) ?? "");
    if (typeof value === "object" && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch {
    // Said below, as for any other kind of damage.
  }
  throw cut();
}

function numberIn(value: unknown, least: number, most: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
  throw cut();
}

function cut(): Refusal {
  return new Refusal(
    "bad_state",
    "The backup can't be read: it was cut or changed, or a newer version wrote it.",
  );
}

function tooLarge(): Refusal {
  return new Refusal(
    "bad_state",
    `A backup holds up to ${maxBackupBytes / 1024 / 1024} MiB and ${maxFiles} files. Leave the log out and copy log/ by itself: it is append-only.`,
  );
}
