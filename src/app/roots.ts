/** The roots of a state folder: made at the first start, and taken into use with their keys. */
import { certificateHash, type ParsedCertificate, parseCertificate } from "../crypto/certificate.ts";
import {
  algorithmOfKeyType,
  isSignatureSuiteId,
  type SignatureSuiteId,
} from "../crypto/suites/signatures.ts";
import { readIfThere, writePrivateFile } from "../host/store/files.ts";
import type { KeyFolder } from "../host/store/key-folder.ts";
import type { RootChange, RootRecord, RootStore } from "../host/store/state-roots.ts";
import { type Authority, createRoot, type Purpose, purposes, type Root } from "../identity/authority.ts";
import type { Clock } from "../kernel/clock.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { StatePaths } from "./state-folder.ts";

/** A generation that counts. */
export interface TrustedRoot extends RootRecord {
  readonly certificate: string;
  readonly ended: null;
}

/** In which algorithm, and by which clock, roots are made. */
export interface RootMaking {
  readonly trustDomain: string;
  readonly suite: SignatureSuiteId;
  readonly clock: Clock;
}

/** The key of a generation, in the key folder. */
export function rootKeyName({ purpose, generation }: Pick<RootRecord, "purpose" | "generation">): string {
  return `${purpose}-root${generation === 1 ? "" : `.${generation}`}`;
}

export function trustedOf(roots: readonly RootRecord[], purpose: Purpose): readonly TrustedRoot[] {
  return roots.filter((root): root is TrustedRoot => root.purpose === purpose && isTrusted(root));
}

/** Hashes of the roots under which callers' certificates count. */
export function issuersOf(roots: readonly RootRecord[]): ReadonlySet<string> {
  return hashesOf(trustedOf(roots, "client").map(({ certificate }) => certificate));
}

export function hashesOf(pems: readonly string[]): ReadonlySet<string> {
  return new Set(pems.map((pem) => certificateHash(readRoot(pem))));
}

/** @throws Refusal `bad_state` if it is no certificate */
export function readRoot(pem: string): ParsedCertificate {
  const certificate = parseCertificate(pem);
  if (certificate === undefined) throw new Refusal("bad_state", "A stored root certificate can't be read.");
  return certificate;
}

/**
 * Makes a generation of that algorithm where none is trusted: the first one, or one for a profile that was changed.
 * Takes over roots that stand in files only.
 */
export async function ensureRoots(
  paths: StatePaths,
  keys: KeyFolder,
  store: RootStore,
  making: RootMaking,
): Promise<void> {
  for (const purpose of purposes) {
    if (store.roots().every((root) => root.purpose !== purpose)) {
      const record = await firstRoot(paths, keys, purpose, making);
      store.change((roots, change) => {
        if (roots.every((root) => root.purpose !== purpose)) change.add(record);
      });
    }
    await ensureRootOf(keys, store, purpose, making);
  }
  await checkKeys(paths, keys, store);
  await exportRoots(paths, store);
}

/** Who has certificates of both algorithms shows each peer what it can verify, so that this one may issue at once. */
export async function ensureRootOf(
  keys: KeyFolder,
  store: RootStore,
  purpose: Purpose,
  making: RootMaking,
): Promise<void> {
  const isThere = (roots: readonly RootRecord[]): boolean =>
    trustedOf(roots, purpose).some(({ suite }) => suite === making.suite);
  if (isThere(store.roots())) return;
  const root = await newRoot(keys, store.roots(), purpose, making);
  store.change((roots, change) => {
    if (isThere(roots)) return;
    mustBeNext(roots, root);
    change.add(root);
    change.tell(eventOf("rotate", root, making.clock));
  });
}

/** The next generation, not yet in the store. */
export async function newRoot(
  keys: KeyFolder,
  roots: readonly RootRecord[],
  purpose: Purpose,
  { trustDomain, suite, clock }: RootMaking,
): Promise<Omit<TrustedRoot, "ended">> {
  const which = { purpose, generation: nextGeneration(roots, purpose) };
  const key = await keys.signing(rootKeyName(which), suite);
  const now = clock.nowUnixMs();
  const certificate = await createRoot(trustDomain, which, key, now);
  return { ...which, suite, certificate, outside: null, createdUnixMs: now, issuesFromUnixMs: now };
}

/** The next number of that purpose: above everything there was. */
export function nextGeneration(roots: readonly RootRecord[], purpose: Purpose): number {
  return 1 + Math.max(0, ...roots.filter((root) => root.purpose === purpose).map((root) => root.generation));
}

export function mustBeNext(
  roots: readonly RootRecord[],
  { purpose, generation }: Pick<RootRecord, "purpose" | "generation">,
): void {
  if (nextGeneration(roots, purpose) === generation) return;
  throw new Refusal("bad_state", "Another command changed the roots meanwhile; look at them and try again.");
}

export function eventOf(
  what: string,
  {
    purpose,
    generation,
    certificate,
    suite,
  }: Pick<RootRecord, "purpose" | "generation" | "certificate" | "suite">,
  clock: Clock,
): Parameters<RootChange["tell"]>[0] {
  return {
    atUnixMs: clock.nowUnixMs(),
    what,
    facts: {
      purpose,
      generation: String(generation),
      suite,
      ...(certificate !== null && { root: certificateHash(readRoot(certificate)) }),
    },
  };
}

async function firstRoot(
  paths: StatePaths,
  keys: KeyFolder,
  purpose: Purpose,
  { trustDomain, suite, clock }: RootMaking,
): Promise<Omit<RootRecord, "ended">> {
  const which = { purpose, generation: 1 };
  const nowUnixMs = clock.nowUnixMs();
  const stored = await readIfThere(rootFile(paths, purpose));
  const made = stored === undefined ? suite : suiteOfRoot(stored);
  const key = await keys.signing(rootKeyName(which), made);
  const certificate = stored ?? (await createRoot(trustDomain, which, key, nowUnixMs));
  return {
    ...which,
    suite: made,
    certificate,
    outside: null,
    createdUnixMs: nowUnixMs,
    issuesFromUnixMs: nowUnixMs,
  };
}

/** Other programs read the trust anchors from these files; the database is what counts. */
export async function exportRoots(paths: StatePaths, store: RootStore): Promise<void> {
  const roots = store.roots();
  for (const purpose of purposes) {
    const pem = trustedOf(roots, purpose).map(({ certificate }) => certificate.trimEnd());
    await writePrivateFile(rootFile(paths, purpose), `${pem.join("\n")}\n`);
  }
}

/** The trusted generations with their keys. */
export async function loadAuthority(
  trustDomain: string,
  keys: KeyFolder,
  roots: readonly RootRecord[],
): Promise<Authority> {
  const load = async (purpose: Purpose): Promise<readonly [Root, ...Root[]]> => {
    const [first, ...more] = await Promise.all(
      trustedOf(roots, purpose).map(async (record) => ({
        generation: record.generation,
        certificate: record.certificate,
        issuesFromUnixMs: record.issuesFromUnixMs,
        key: await keys.signing(rootKeyName(record), record.suite),
      })),
    );
    if (first === undefined) {
      throw new Refusal(
        "bad_state",
        `No ${purpose} root is trusted; restore the state folder from a backup.`,
      );
    }
    return [first, ...more];
  };
  return { trustDomain, roots: { server: await load("server"), client: await load("client") } };
}

/** Keys and certificates may come from two backups, or the keys from another signer. */
async function checkKeys(paths: StatePaths, keys: KeyFolder, store: RootStore): Promise<void> {
  for (const root of purposes.flatMap((purpose) => trustedOf(store.roots(), purpose))) {
    const { publicKey } = await keys.signing(rootKeyName(root), root.suite);
    if (readRoot(root.certificate).publicKey.equals(publicKey)) continue;
    const file = rootFile(paths, root.purpose);
    throw new Refusal("bad_state", `${file} isn't the certificate of the root key there is; restore both.`);
  }
}

function suiteOfRoot(pem: string): SignatureSuiteId {
  const { asymmetricKeyType } = readRoot(pem).publicKey;
  const suite = algorithmOfKeyType(asymmetricKeyType);
  if (!isSignatureSuiteId(suite))
    throw new Refusal("bad_state", `A stored root is ${suite}, which isn't known.`);
  return suite;
}

function rootFile(paths: StatePaths, purpose: Purpose): string {
  return purpose === "server" ? paths.serverRoot : paths.clientRoot;
}

function isTrusted(root: RootRecord): boolean {
  return root.certificate !== null && root.ended === null;
}
