/** Keys on disk: each secret sealed in a file of its own, under one key that a passphrase unlocks. */
import { readdir, rm } from "node:fs/promises";
import path from "node:path";

import { z } from "zod";

import {
  exportSecret,
  generateKeyPairAside,
  importSecret,
  type KeyPair,
  randomSecret,
  type SigningKey,
  signingKey,
} from "../../crypto/keys.ts";
import { freshKdfParameters, openSecret, sealSecret, unlockKey } from "../../crypto/sealed.ts";
import { signatureSuite, type SignatureSuiteId } from "../../crypto/suites/signatures.ts";
import { toBase64url } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { ensurePrivateFolder, isThere, makePrivateFile, noneIfMissing, readJsonIfThere } from "./files.ts";
import { readSecretSource, type SecretSource } from "./secret-source.ts";

export interface KeyFolder {
  /** The key of that name, made and sealed at first use. */
  readonly key: (name: string, suiteId: SignatureSuiteId) => Promise<KeyPair>;
  /** The same if it is there already; none is made. */
  readonly existing: (name: string, suiteId: SignatureSuiteId) => Promise<KeyPair | undefined>;
  /** The same for a key that only signs: held here, or by a signer process. */
  readonly signing: (name: string, suiteId: SignatureSuiteId) => Promise<SigningKey>;
  /** Seals a key that was made elsewhere. @throws Refusal `bad_state` if there is another of that name */
  readonly adopt: (name: string, pair: KeyPair) => Promise<void>;
  /** Erases the key of that name, if there is one. */
  readonly remove: (name: string) => Promise<void>;
  /** 32 random bytes of that name, made and sealed at first use. */
  readonly secret: (name: string) => Promise<Uint8Array>;
  /** What lies in the folder, unopened. */
  readonly list: () => Promise<readonly StoredKey[]>;
}

export interface StoredKey {
  readonly name: string;
  /** A suite's id, or `secret`. */
  readonly kind: string;
}

const kdfSchema = z.strictObject({
  salt: z.string().regex(/^[A-Za-z0-9_-]{22,86}$/),
  memoryKiB: z.int().min(8192).max(4_194_304),
  passes: z.int().min(1).max(64),
  lanes: z.int().min(1).max(64),
});
const kdfFile = "kdf.json";
const sealedSchema = z.strictObject({ kind: z.string(), nonce: z.string(), sealed: z.string() });

/** @throws Refusal `bad_state` if the passphrase isn't there or a file can't be read */
export async function openKeyFolder(folder: string, unlock: SecretSource): Promise<KeyFolder> {
  await ensurePrivateFolder(folder);
  const sealingKey = await openSealingKey(folder, unlock);
  /** Used, and filled with zeros: what is made of a secret is the only copy that stays. */
  const opened = async <T>(
    { name, kind }: StoredKey,
    make: () => Uint8Array | Promise<Uint8Array>,
    use: (secret: Uint8Array) => T,
  ): Promise<T> => {
    const file = path.join(folder, `${name}.json`);
    const boundName = `${kind}/${name}`;
    const stored = await readSealed(file);
    if (stored !== undefined && stored.kind !== kind) {
      throw new Refusal("bad_state", `${file} holds a ${stored.kind}, expected ${kind}.`);
    }
    const secret = stored === undefined ? await make() : openSecret(sealingKey, boundName, stored);
    try {
      const sealed = (): string => JSON.stringify({ kind, ...sealSecret(sealingKey, boundName, secret) });
      if (stored !== undefined || (await makePrivateFile(file, sealed()))) return use(secret);
    } finally {
      secret.fill(0);
    }
    // Another process made one meanwhile, and may have shown its public key to the world.
    return await opened({ name, kind }, make, use);
  };
  const once = sharing();
  const key = (name: string, suiteId: SignatureSuiteId): Promise<KeyPair> => {
    const suite = signatureSuite(suiteId);
    const make = async (): Promise<Uint8Array> => exportSecret(await generateKeyPairAside(suite));
    return once(`${suiteId}/${name}`, () =>
      opened({ name, kind: suiteId }, make, (secret) => importSecret(suite, secret)),
    );
  };
  return {
    key,
    existing: async (name, suiteId) =>
      (await isThere(path.join(folder, `${name}.json`))) ? await key(name, suiteId) : undefined,
    signing: async (name, suiteId) => signingKey(await key(name, suiteId)),
    secret: (name) => {
      const sealed = { name, kind: "secret" };
      const copy = (secret: Uint8Array): Uint8Array => Uint8Array.from(secret);
      return once(`secret/${name}`, () => opened(sealed, () => randomSecret(32), copy));
    },
    adopt: async (name, pair) => {
      const { suite, publicKey } = pair;
      const make = (): Uint8Array => exportSecret(pair);
      const sealed = { name, kind: suite.id };
      const held = await opened(sealed, make, (secret) => importSecret(suite, secret));
      if (held.publicKey.equals(publicKey)) return;
      throw new Refusal("bad_state", `${folder} has another key named "${name}" already.`);
    },
    remove: (name) => rm(path.join(folder, `${name}.json`), { force: true }),
    list: () => listKeys(folder),
  };
}

/** Two who ask for a new key at once get the same one. */
function sharing(): <T>(what: string, work: () => Promise<T>) => Promise<T> {
  const underWay = new Map<string, Promise<unknown>>();
  return async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    const known =
      (underWay.get(what) as Promise<T> | undefined) ?? work().finally(() => underWay.delete(what));
    underWay.set(what, known);
    return await known;
  };
}

/** The names and kinds in a key folder, without what unlocks it; none if it isn't there. */
export async function listKeys(folder: string): Promise<readonly StoredKey[]> {
  const files = await readdir(folder).catch(noneIfMissing);
  const names = files.filter((file) => /^[A-Za-z0-9][^/]*\.json$/.test(file) && file !== kdfFile);
  return await Promise.all(
    names.toSorted().map(async (file) => {
      const { kind } = (await readSealed(path.join(folder, file))) ?? { kind: "nothing" };
      return { name: file.slice(0, -".json".length), kind };
    }),
  );
}

async function openSealingKey(folder: string, unlock: SecretSource): Promise<Uint8Array> {
  const passphrase = await readSecretSource(unlock, "The keys can't be unlocked");
  try {
    const file = path.join(folder, kdfFile);
    const stored = await readJsonIfThere(file);
    const kdf = stored === undefined ? freshKdfParameters() : parsed(kdfSchema, stored, file);
    const isOurs = stored !== undefined || (await makePrivateFile(file, JSON.stringify(kdf)));
    return await unlockKey(passphrase, isOurs ? kdf : parsed(kdfSchema, await readJsonIfThere(file), file));
  } finally {
    passphrase.fill(0);
  }
}

async function readSealed(file: string): Promise<z.output<typeof sealedSchema> | undefined> {
  const sealed = await readJsonIfThere(file);
  return sealed === undefined ? undefined : parsed(sealedSchema, sealed, file);
}

/**
 * The default unlock file of a state folder, made at first use: it keeps the seeds unreadable in a
 * backup or on a stolen disk image that lacks it, and no more, since it lies on the same machine.
 */
export async function ensureUnlockFile(file: string): Promise<void> {
  // Looked at, not read: text that was read stays in memory for as long as it likes.
  if (await isThere(file)) return;
  await ensurePrivateFolder(path.dirname(file));
  await makePrivateFile(file, `${toBase64url(randomSecret(32))}\n`);
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
