/** A sidecar's identity as it lies in the state folder, and what is made of it: keys, credentials, terms. */
import { z } from "zod";

import {
  certificateFacts,
  certificateHash,
  isIssuedBy,
  isLeafFor,
  parseCertificate,
} from "../crypto/certificate.ts";
import { type KeyPair, signingKey } from "../crypto/keys.ts";
import { type InForce, type LinkTerms, readInForce, termsAt } from "../crypto/suites/in-force.ts";
import { defaultProfile, type Profile, profileNames, resolveProfile } from "../crypto/suites/profiles.ts";
import { isSignatureSuiteId, type SignatureSuiteId } from "../crypto/suites/signatures.ts";
import { enrolledSchema, type KnownGateway } from "../host/net/enrol-client.ts";
import type { Credentials } from "../host/net/tls.ts";
import { readJsonIfThere, writePrivateFile } from "../host/store/files.ts";
import type { KeyFolder } from "../host/store/key-folder.ts";
import type { JoinToken } from "../identity/join-token.ts";
import { toBase64url } from "../kernel/bytes.ts";
import type { Clock } from "../kernel/clock.ts";
import { Refusal } from "../kernel/refusal.ts";
import { credentialsOf } from "./credentials.ts";
import { statePaths } from "./state-folder.ts";

/** What the gateway gave, and where it is. */
const storedSchema = z.strictObject({
  ...enrolledSchema.shape,
  address: z.string(),
  /** Its gateway's, where that is of before and says nothing of what is in force. */
  profile: z.enum(profileNames).default(defaultProfile),
  /** Names of the keys in the key folder. */
  key: z.string().optional(),
  classical_key: z.string().optional(),
  /** The gateway's wish for fresh keys, by its own clock, that the key was made after. */
  fresh_keys_since: z.iso.datetime().optional(),
  /** Of before, by this machine's clock: not compared with anything. */
  key_since: z.iso.datetime().optional(),
  /** The certificate of another algorithm it had before, for peers that know no newer root yet. */
  previous: z.strictObject({ certificate: z.string(), key: z.string() }).optional(),
  /** SHA-256 of the join token, base64url: another token is another wish. */
  joined_with: z.string().optional(),
});
export type StoredIdentity = z.output<typeof storedSchema>;

/** The keys of one identity: ML-DSA, and the classical one beside it. */
export interface IdentityKeys {
  readonly key: KeyPair;
  readonly classicalKey: KeyPair;
  /** Of the certificate before, if that is still shown. */
  readonly previous?: KeyPair | undefined;
}

export async function readIdentity(state: string): Promise<StoredIdentity | undefined> {
  const file = statePaths(state).identity;
  const content = await readJsonIfThere(file);
  if (content === undefined) return undefined;
  const parsed = storedSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  throw new Refusal("bad_state", `${file} can't be read; remove it and join again.`, { cause: parsed.error });
}

export async function keepIdentity(identity: StoredIdentity, state: string): Promise<StoredIdentity> {
  await writePrivateFile(statePaths(state).identity, JSON.stringify(identity, null, 2));
  return identity;
}

/**
 * The keys its certificates are for.
 * @throws Refusal `bad_state` if one isn't there, or is another one: none is made in its place
 */
export async function keysOf(stored: StoredIdentity, keys: KeyFolder): Promise<IdentityKeys> {
  const { identity, classical } = profileOfIdentity(stored);
  const names = keyNames(stored);
  const { previous } = stored;
  const keyFor = async (pem: string, name: string, suite: SignatureSuiteId): Promise<KeyPair> => {
    const key = await keys.existing(name, suiteOfCertificate(pem) ?? suite);
    if (key !== undefined && isFor(pem, key)) return key;
    throw new Refusal(
      "bad_state",
      `The identity's certificate is for a key "${name}" that ${key === undefined ? "isn't there" : "is another one now"}. Restore the state folder from a backup, or remove identity.json and join again.`,
    );
  };
  return {
    key: await keyFor(stored.certificate, names.key, identity.id),
    // An identity that never had a classical part gets one with its next renewal.
    classicalKey: stored.classical
      ? await keyFor(stored.classical.certificate, names.classicalKey, classical.id)
      : await keys.key(names.classicalKey, classical.id),
    ...(previous && { previous: await keyFor(previous.certificate, previous.key, identity.id) }),
  };
}

/** @throws Refusal `upstream_failed` if it has certificates for other keys than were asked for */
export function checkKeys(
  { certificate, classical }: Pick<StoredIdentity, "certificate" | "classical">,
  { key, classicalKey }: IdentityKeys,
): void {
  const isOurs =
    isFor(certificate, key) && (classical === undefined || isFor(classical.certificate, classicalKey));
  if (isOurs) return;
  throw new Refusal("upstream_failed", "The gateway gave a certificate for another key than was asked for.");
}

function isFor(pem: string, { publicKey }: KeyPair): boolean {
  return parseCertificate(pem)?.publicKey.equals(publicKey) ?? false;
}

/** Identities of before had names by profile. */
export function keyNames(stored: StoredIdentity): { readonly key: string; readonly classicalKey: string } {
  const suffix = stored.profile === defaultProfile ? "" : `.${stored.profile}`;
  return {
    key: stored.key ?? `identity${suffix}`,
    classicalKey: stored.classical_key ?? `identity-classical${suffix}`,
  };
}

/** What was in force when this identity was last renewed. */
export function profileOfIdentity(stored: StoredIdentity): Profile {
  return stored.in_force === undefined
    ? resolveProfile(stored.profile)
    : readInForce(stored.in_force).profile;
}

export function inForceOfIdentity(stored: StoredIdentity): InForce {
  if (stored.in_force !== undefined) return readInForce(stored.in_force);
  return { profile: resolveProfile(stored.profile), sinceUnixMs: 0, outgoing: [] };
}

export function termsOfIdentity(stored: StoredIdentity, nowUnixMs: number): LinkTerms {
  return termsAt(inForceOfIdentity(stored), nowUnixMs);
}

export function gatewayOf(stored: StoredIdentity, clock: Clock): KnownGateway {
  const { address, server_roots: serverRoots, gateway: spiffeId, classical } = stored;
  // Nobody has told us of revocations of the gateway's own.
  const trust = {
    suite: profileOfIdentity(stored).classical,
    roots: classical?.server_roots ?? [],
    revokedSerials: new Set<string>(),
  };
  return { address, serverRoots, spiffeId, classical: classical && { trust, clock } };
}

/** The newest first; the one before as long as it counts anywhere. */
export function credentialsOfIdentity(
  stored: StoredIdentity,
  { key, classicalKey, previous }: IdentityKeys,
  nowUnixMs: number,
): readonly Credentials[] {
  const { certificate, classical } = stored;
  const parsed = parseCertificate(certificate);
  const isServer = parsed !== undefined && isLeafFor(parsed, "server");
  const beside = classical && {
    certificate: classical.certificate,
    key: signingKey(classicalKey),
    peerRoots: isServer ? classical.client_roots : classical.server_roots,
  };
  const newest = credentialsOf(key, certificate, beside);
  const old = stored.previous && parseCertificate(stored.previous.certificate);
  if (old === undefined || previous === undefined || stored.previous === undefined) return [newest];
  const { keyAlgorithm, notAfterUnixMs } = certificateFacts(old);
  const { identities } = termsOfIdentity(stored, nowUnixMs);
  const counts = notAfterUnixMs > nowUnixMs && identities.some(({ id }) => id === keyAlgorithm);
  return counts ? [newest, credentialsOf(previous, stored.previous.certificate, beside)] : [newest];
}

export function notAfterOf(stored: StoredIdentity): number {
  const certificate = parseCertificate(stored.certificate);
  if (certificate === undefined)
    throw new Refusal("bad_state", "The stored certificate can't be read; join again.");
  return certificateFacts(certificate).notAfterUnixMs;
}

/** Whether there is an identity whose certificate counts under these roots, and that knows the gateway by one of them. */
export async function isHeldUnder(
  state: string,
  roots: { readonly server: readonly string[]; readonly client: readonly string[] },
): Promise<boolean> {
  const stored = storedSchema.safeParse(await readJsonIfThere(statePaths(state).identity)).data;
  const certificate = stored && parseCertificate(stored.certificate);
  if (certificate === undefined) return false;
  const known = new Set(stored?.server_roots.map(trimmed));
  return (
    roots.server.some((root) => known.has(trimmed(root))) &&
    roots.client.some((pem) => {
      const root = parseCertificate(pem);
      return root !== undefined && isIssuedBy(certificate, root);
    })
  );
}

function trimmed(pem: string): string {
  return pem.trim();
}

/** Whether the token is of the authority this identity is of, as far as one can tell without asking. */
export function knowsRoot(stored: StoredIdentity, token: JoinToken): boolean {
  const hash = toBase64url(token.serverRootHash);
  return stored.server_roots.some((pem) => {
    const root = parseCertificate(pem);
    return root !== undefined && certificateHash(root) === hash;
  });
}

function suiteOfCertificate(pem: string): SignatureSuiteId | undefined {
  const certificate = parseCertificate(pem);
  const algorithm = certificate && certificateFacts(certificate).keyAlgorithm;
  return algorithm !== undefined && isSignatureSuiteId(algorithm) ? algorithm : undefined;
}
