/** What was adopted, so that it can be given back: `adopted/` in the gateway's state folder. */
import { readFile } from "node:fs/promises";
import path from "node:path";

import { z } from "zod";

import { sha256Hex } from "../../crypto/hash.ts";
import { ensurePrivateFolder, readJsonIfThere, writePrivateFile } from "../../host/store/files.ts";

import { clientKinds } from "../../inventory/clients/client-kinds.ts";
import { Refusal } from "../../kernel/refusal.ts";

const digest = z.string().regex(/^[0-9a-f]{64}$/);

const entrySchema = z.strictObject({
  path: z.array(z.string()),
  server: z.string(),
  /** Its text before; secrets may stand in it. */
  original: z.string(),
});
const fileSchema = z.strictObject({
  file: z.string(),
  client: z.enum(clientKinds.map(({ id }) => id)),
  before: digest,
  after: digest,
  entries: z.array(entrySchema),
});
const schema = z.strictObject({
  version: z.literal(1),
  files: z.array(fileSchema),
  /** What a server is, by a digest, and where its secrets are. */
  servers: z.record(z.string(), z.strictObject({ place: digest, secrets: z.array(z.string()) })),
  config: z.strictObject({ before: digest, after: digest }).optional(),
});

export type Records = z.output<typeof schema>;
export type AdoptedFile = z.output<typeof fileSchema>;
export type AdoptedEntry = z.output<typeof entrySchema>;

export function adoptedFolder(state: string): string {
  return path.join(state, "adopted");
}

/** @throws Refusal `bad_state` */
export async function readRecords(state: string): Promise<Records> {
  const file = path.join(adoptedFolder(state), "adopted.json");
  const value = await readJsonIfThere(file);
  if (value === undefined) return { version: 1, files: [], servers: {} };
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new Refusal("bad_state", `${file} isn't what \`latticegate adopt\` wrote; restore it from a backup.`);
}

export async function writeRecords(state: string, records: Records): Promise<void> {
  await ensurePrivateFolder(adoptedFolder(state));
  await writePrivateFile(
    path.join(adoptedFolder(state), "adopted.json"),
    `${JSON.stringify(records, null, 2)}\n`,
  );
}

/** @returns the digest under which the bytes are kept */
export async function keepBackup(state: string, bytes: Uint8Array): Promise<string> {
  const name = sha256Hex(bytes);
  await ensurePrivateFolder(adoptedFolder(state));
  await writePrivateFile(backupFile(state, name), bytes);
  return name;
}

/** @throws Refusal `bad_state` if it isn't there as it was */
export async function readBackup(state: string, name: string): Promise<Buffer> {
  const file = backupFile(state, name);
  const bytes = await readFile(file).catch(() => undefined);
  if (bytes !== undefined && sha256Hex(bytes) === name) return bytes;
  throw new Refusal("bad_state", `${file}, the copy of what was there before, is gone or was changed.`);
}

export function backupFile(state: string, name: string): string {
  return path.join(adoptedFolder(state), `${name}.before`);
}
