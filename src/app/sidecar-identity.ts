/** A sidecar's identity: joined once, kept sealed, renewed by itself. */
import { z } from "zod";

import {
  certificateFacts,
  certificateHash,
  isIssuedBy,
  isLeafFor,
  parseCertificate,
} from "../crypto/certificate.ts";
import { sha256 } from "../crypto/hash.ts";
import { type KeyPair, signingKey } from "../crypto/keys.ts";
import { createSigningRequest } from "../crypto/signing-request.ts";
import { defaultProfile, type Profile, profileNames, resolveProfile } from "../crypto/suites/profiles.ts";
import {
  enrolledSchema,
  type EnrolledIdentity,
  enrolWorkload,
  join,
  type KnownGateway,
  renew,
  type SigningRequests,
} from "../host/net/enrol-client.ts";
import type { Credentials } from "../host/net/tls.ts";
import { readJsonIfThere, writePrivateFile } from "../host/store/files.ts";
import type { KeyFolder } from "../host/store/key-folder.ts";
import { type JoinToken, readJoinToken } from "../identity/join-token.ts";
import { toBase64url, utf8 } from "../kernel/bytes.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Bootstrap, readProof } from "./bootstrap.ts";
import type { LinkAuthentication } from "./config/link.ts";
import { credentialsOf, renewing } from "./credentials.ts";
import { openKeys, statePaths } from "./state-folder.ts";

/** What the gateway gave, and where it is. */
const storedSchema = z.strictObject({
  ...enrolledSchema.shape,
  address: z.string(),
  profile: z.enum(profileNames).default(defaultProfile),
  /** SHA-256 of the join token, base64url: another token is another wish. */
  joined_with: z.string().optional(),
});
type Stored = z.output<typeof storedSchema>;

/** A proof may be refused for a while, e.g. until the platform has made the next token; two renewals' time is left for it. */
const proveAheadMs = 3_600_000;

export interface SidecarOptions {
  readonly state: string;
  /** Redeemed if this state folder has no identity yet, or one that was got with another token. */
  readonly joinToken: string | undefined;
  /** Used if this state folder has no identity yet, or one that can't be renewed any more. */
  readonly bootstrap?: Bootstrap | undefined;
  /** `hybrid-mtls` for what can't do without a classical identity. */
  readonly authentication?: LinkAuthentication;
  readonly clock: Clock;
  readonly log: Log;
}

export interface SidecarIdentity {
  readonly spiffeId: string;
  readonly trustDomain: string;
  /** What the gateway speaks. */
  readonly profile: Profile;
  readonly gateway: KnownGateway;
  /** As of the last renewal. */
  readonly serverRoots: readonly string[];
  readonly clientRoots: readonly string[];
  readonly keys: KeyFolder;
  readonly key: KeyPair;
  readonly credentials: () => Credentials;
  /** Called with the new credentials whenever they were renewed; the roots are new then, too. */
  readonly onRenewed: (use: (credentials: Credentials) => void) => void;
  readonly stop: () => Promise<void>;
}

/**
 * @throws Refusal `bad_join_token` if there is neither an identity nor a token that gets one, `bad_state` if it lacks
 * the classical part that is asked for
 */
export async function openSidecarIdentity(options: SidecarOptions): Promise<SidecarIdentity> {
  const { clock, log } = options;
  const keys = await openKeys(options.state, undefined);
  let stored = await storedIdentity(options, keys);
  const pair = await identityKeys(keys, resolveProfile(stored.profile));
  const { key } = pair;
  stored = await usable(stored, pair, options);
  if (options.authentication === "hybrid-mtls" && stored.classical === undefined) throw notHybrid(options);
  let use: (credentials: Credentials) => void = () => {};
  const renewal = renewing(notAfter(stored), { clock, log }, async () => {
    stored = await renewed(stored, pair, options);
    use(credentials(stored, pair));
    log.info("identity.renewed", { spiffeId: stored.spiffe_id });
    return notAfter(stored);
  });
  return {
    spiffeId: stored.spiffe_id,
    trustDomain: stored.trust_domain,
    profile: resolveProfile(stored.profile),
    get gateway() {
      return gatewayOf(stored, options);
    },
    get serverRoots() {
      return stored.server_roots;
    },
    get clientRoots() {
      return stored.client_roots;
    },
    keys,
    key,
    credentials: () => credentials(stored, pair),
    onRenewed: (next) => (use = next),
    stop: renewal.stop,
  };
}

function notHybrid({ state }: SidecarOptions): Refusal {
  return new Refusal(
    "bad_state",
    `The identity in ${state} has no classical part, which hybrid-mtls needs. Its gateway gives one when it is renewed: it must be up, and of this version.`,
  );
}

/** The keys of one identity: ML-DSA, and the classical one beside it. */
interface IdentityKeys {
  readonly key: KeyPair;
  readonly classicalKey: KeyPair;
}

/**
 * Ended while nobody was running, it is renewed now; one that still counts, in the background. One from before there
 * were classical identities is renewed now as well, into one that has both, if the gateway can be reached.
 */
async function usable(stored: Stored, pair: IdentityKeys, options: SidecarOptions): Promise<Stored> {
  const hasEnded = notAfter(stored) <= options.clock.nowUnixMs();
  if (hasEnded) return await renewed(stored, pair, options);
  if (stored.classical !== undefined) return stored;
  try {
    return await renewed(stored, pair, options);
  } catch (error) {
    const reason = error instanceof Error ? error.message : "unknown";
    options.log.warn("identity.renewal_failed", { reason });
    return stored;
  }
}

/** Two keys for each profile: an identity of another algorithm is another key. */
async function identityKeys(keys: KeyFolder, profile: Profile): Promise<IdentityKeys> {
  const suffix = profile.name === defaultProfile ? "" : `.${profile.name}`;
  return {
    key: await keys.key(`identity${suffix}`, profile.identity.id),
    classicalKey: await keys.key(`identity-classical${suffix}`, profile.classical.id),
  };
}

async function storedIdentity(options: SidecarOptions, keys: KeyFolder): Promise<Stored> {
  const { joinToken, bootstrap } = options;
  const stored = await readIdentity(options);
  if (stored === undefined && bootstrap !== undefined) {
    const profile = resolveProfile(defaultProfile);
    return await enrolled(bootstrap, await identityKeys(keys, profile), profile, options);
  }
  if (joinToken === undefined || stored?.joined_with === hashOf(joinToken)) {
    if (stored !== undefined) return stored;
    throw new Refusal(
      "bad_join_token",
      `No identity in ${options.state}. Make a join token with "latticegate ca token --for agent/NAME" on the gateway and pass it with --join; workloads that have a token of their own pass --gateway and --token-file.`,
    );
  }
  if (stored === undefined) return await joined(joinToken, keys, options);
  if (stored.joined_with === undefined && knowsRoot(stored, readJoinToken(joinToken))) return stored;
  try {
    return await joined(joinToken, keys, options);
  } catch (error) {
    // A token that was used for something else, or a gateway that is away: the identity there is may do.
    if (!(error instanceof Refusal)) throw error;
    options.log.warn("identity.token_unused", { code: error.code, reason: error.message });
    return stored;
  }
}

async function readIdentity({ state }: SidecarOptions): Promise<Stored | undefined> {
  const file = statePaths(state).identity;
  const content = await readJsonIfThere(file);
  if (content === undefined) return undefined;
  const parsed = storedSchema.safeParse(content);
  if (!parsed.success) {
    throw new Refusal("bad_state", `${file} can't be read; remove it and join again.`, {
      cause: parsed.error,
    });
  }
  return parsed.data;
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
function knowsRoot(stored: Stored, token: JoinToken): boolean {
  const hash = toBase64url(token.serverRootHash);
  return stored.server_roots.some((pem) => {
    const root = parseCertificate(pem);
    return root !== undefined && certificateHash(root) === hash;
  });
}

async function joined(text: string, keys: KeyFolder, options: SidecarOptions): Promise<Stored> {
  const token = readJoinToken(text);
  const profile = resolveProfile(token.profile);
  const { csr, classicalCsr } = requestsFor(await identityKeys(keys, profile));
  const enrolled = await join(token, csr, profile, classicalCsr);
  options.log.info("identity.joined", { spiffeId: enrolled.spiffe_id, gateway: token.address });
  const { address } = token;
  return await keep(
    { ...enrolled, address, profile: profile.document.based_on, joined_with: hashOf(text) },
    options,
  );
}

/** A new identity for the proof as it stands now. */
async function enrolled(
  bootstrap: Bootstrap,
  pair: IdentityKeys,
  profile: Profile,
  options: SidecarOptions,
): Promise<Stored> {
  const { anchor } = bootstrap;
  const proof = await readProof(bootstrap);
  const identity = await enrolWorkload(anchor, proof, requestsFor(pair), profile);
  options.log.info("identity.enrolled", { spiffeId: identity.spiffe_id, gateway: anchor.address });
  return await keep({ ...identity, address: anchor.address, profile: profile.document.based_on }, options);
}

async function renewed(stored: Stored, pair: IdentityKeys, options: SidecarOptions): Promise<Stored> {
  const { bootstrap, clock, log } = options;
  if (bootstrap === undefined) return await renewedAsIs(stored, pair, options);
  const leftMs = Date.parse(stored.renewable_until ?? "9999-12-31") - clock.nowUnixMs();
  if (leftMs <= proveAheadMs) {
    try {
      return await enrolled(bootstrap, pair, resolveProfile(stored.profile), options);
    } catch (error) {
      if (leftMs <= 0) throw error;
      log.warn("identity.proof_failed", { reason: error instanceof Error ? error.message : "unknown" });
    }
  }
  try {
    return await renewedAsIs(stored, pair, options);
  } catch (error) {
    // Ended too long ago, or of an authority that is gone, so that no link to it is proven any more: who can prove
    // itself begins anew. The anchor says whether the gateway is the right one.
    if (!(error instanceof Refusal) || !["bad_certificate", "upstream_failed"].includes(error.code))
      throw error;
    return await enrolled(bootstrap, pair, resolveProfile(stored.profile), options);
  }
}

async function renewedAsIs(stored: Stored, pair: IdentityKeys, options: SidecarOptions): Promise<Stored> {
  const { certificate, classical } = stored;
  const old = { certificate, classicalCertificate: classical?.certificate, ...requestsFor(pair) };
  const profile = resolveProfile(stored.profile);
  const identity: EnrolledIdentity = await renew(gatewayOf(stored, options), profile, old);
  return await keep({ ...stored, ...identity }, options);
}

function hashOf(token: string): string {
  return toBase64url(sha256(utf8(token)));
}

async function keep(identity: Stored, options: SidecarOptions): Promise<Stored> {
  await writePrivateFile(statePaths(options.state).identity, JSON.stringify(identity, null, 2));
  return identity;
}

function requestsFor({
  key,
  classicalKey,
}: IdentityKeys): SigningRequests & { readonly classicalCsr: Uint8Array } {
  return { csr: createSigningRequest(key), classicalCsr: createSigningRequest(classicalKey) };
}

function gatewayOf(stored: Stored, { clock }: SidecarOptions): KnownGateway {
  const { address, server_roots: serverRoots, gateway: spiffeId, classical } = stored;
  // Nobody has told us of revocations of the gateway's own.
  const trust = {
    suite: resolveProfile(stored.profile).classical,
    roots: classical?.server_roots ?? [],
    revokedSerials: new Set<string>(),
  };
  return { address, serverRoots, spiffeId, classical: classical && { trust, clock } };
}

function credentials(stored: Stored, { key, classicalKey }: IdentityKeys): Credentials {
  const { certificate, classical } = stored;
  if (classical === undefined) return credentialsOf(key, certificate);
  const parsed = parseCertificate(certificate);
  const isServer = parsed !== undefined && isLeafFor(parsed, "server");
  return credentialsOf(key, certificate, {
    certificate: classical.certificate,
    key: signingKey(classicalKey),
    peerRoots: isServer ? classical.client_roots : classical.server_roots,
  });
}

function notAfter(stored: Stored): number {
  const certificate = parseCertificate(stored.certificate);
  if (certificate === undefined)
    throw new Refusal("bad_state", "The stored certificate can't be read; join again.");
  return certificateFacts(certificate).notAfterUnixMs;
}
