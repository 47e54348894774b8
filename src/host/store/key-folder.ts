/** Keys on disk: each secret sealed in a file of its own, under one key that a passphrase unlocks. */
import path from "node:path";

import { z } from "zod";

import {
  exportSecret,
  generateKeyPair,
  importSecret,
  type KeyPair,
  randomSecret,
  type SigningKey,
  signingKey,
} from "../../crypto/keys.ts";
import { freshKdfParameters, openSecret, sealSecret, unlockKey } from "../../crypto/sealed.ts";
import { signatureSuite, type SignatureSuiteId } from "../../crypto/suites.ts";
import { toBase64url, utf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { ensurePrivateFolder, readIfThere, readJsonIfThere, writePrivateFile } from "./files.ts";

/** Where the passphrase comes from. */
export type Unlock = { readonly file: string } | { readonly env: string };

export interface KeyFolder {
  /** The key of that name, made and sealed at first use. */
  readonly key: (name: string, suiteId: SignatureSuiteId) => Promise<KeyPair>;
  /** The same for a key that only signs. */
  readonly signing: (name: string, suiteId: SignatureSuiteId) => Promise<SigningKey>;
  /** 32 random bytes of that name, made and sealed at first use. */
  readonly secret: (name: string) => Promise<Uint8Array>;
}

const kdfSchema = z.strictObject({
  salt: z.string().regex(/^[A-Za-z0-9_-]{22,86}$/),
  memoryKiB: z.int().min(8192).max(4_194_304),
  passes: z.int().min(1).max(64),
  lanes: z.int().min(1).max(64),
});
const sealedSchema = z.strictObject({ kind: z.string(), nonce: z.string(), sealed: z.string() });

/** @throws Refusal `bad_state` if the passphrase isn't there or a file can't be read */
export async function openKeyFolder(folder: string, unlock: Unlock): Promise<KeyFolder> {
  await ensurePrivateFolder(folder);
  const passphrase = await readPassphrase(unlock);
  const kdfFile = path.join(folder, "kdf.json");
  const stored = await readJsonIfThere(kdfFile);
  const kdf = stored === undefined ? freshKdfParameters() : parsed(kdfSchema, stored, kdfFile);
  if (stored === undefined) await writePrivateFile(kdfFile, JSON.stringify(kdf));
  const sealingKey = await unlockKey(passphrase, kdf);

  const loaded = new Map<string, Promise<Uint8Array>>();
  /** Two who ask for a new key at once get the same one. */
  const load = (name: string, kind: string, make: () => Uint8Array): Promise<Uint8Array> => {
    const boundName = `${kind}/${name}`;
    const known = loaded.get(boundName) ?? loadOnce(name, kind, make).finally(() => loaded.delete(boundName));
    loaded.set(boundName, known);
    return known;
  };
  const loadOnce = async (name: string, kind: string, make: () => Uint8Array): Promise<Uint8Array> => {
    const file = path.join(folder, `${name}.json`);
    const boundName = `${kind}/${name}`;
    const sealed = await readJsonIfThere(file);
    if (sealed !== undefined) {
      const found = parsed(sealedSchema, sealed, file);
      if (found.kind !== kind)
        throw new Refusal("bad_state", `${file} holds a ${found.kind}, expected ${kind}.`);
      return openSecret(sealingKey, boundName, found);
    }
    const secret = make();
    await writePrivateFile(file, JSON.stringify({ kind, ...sealSecret(sealingKey, boundName, secret) }));
    return secret;
  };
  const key = async (name: string, suiteId: SignatureSuiteId): Promise<KeyPair> => {
    const suite = signatureSuite(suiteId);
    return importSecret(suite, await load(name, suiteId, () => exportSecret(generateKeyPair(suite))));
  };
  return {
    key,
    signing: async (name, suiteId) => signingKey(await key(name, suiteId)),
    secret: (name) => load(name, "secret", () => randomSecret(32)),
  };
}

/**
 * The default unlock file of a state folder, made at first use: it keeps the seeds unreadable in a
 * backup or on a stolen disk image that lacks it, and no more, since it lies on the same machine.
 */
export async function ensureUnlockFile(file: string): Promise<void> {
  if ((await readIfThere(file)) !== undefined) return;
  await ensurePrivateFolder(path.dirname(file));
  await writePrivateFile(file, `${toBase64url(randomSecret(32))}\n`);
}

async function readPassphrase(unlock: Unlock): Promise<Uint8Array> {
  const where = "env" in unlock ? `the environment variable ${unlock.env}` : unlock.file;
  const text = "env" in unlock ? process.env[unlock.env] : await readIfThere(unlock.file);
  const passphrase = text?.trim();
  if (passphrase === undefined || passphrase.length < 16) {
    throw new Refusal(
      "bad_state",
      `The keys can't be unlocked: expected at least 16 characters in ${where}.`,
    );
  }
  return utf8(passphrase);
}

function parsed<T>(schema: z.ZodType<T>, value: unknown, file: string): T {
  const result = schema.safeParse(value);
  if (!result.success) {
    throw new Refusal("bad_state", `${file} isn't what was written there; restore it from a backup.`, {
      cause: result.error,
    });
  }
  return result.data;
}
