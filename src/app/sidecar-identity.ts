/** A sidecar's identity: joined once, kept sealed, renewed by itself. */
import { z } from "zod";

import { certificateFacts, isLeafFor, parseCertificate } from "../crypto/certificate.ts";
import { type KeyPair, signingKey } from "../crypto/keys.ts";
import { createSigningRequest } from "../crypto/signing-request.ts";
import type { Profile } from "../crypto/suites.ts";
import {
  enrolledSchema,
  type EnrolledIdentity,
  join,
  type KnownGateway,
  renew,
  type SigningRequests,
} from "../host/net/enrol-client.ts";
import type { Credentials } from "../host/net/tls.ts";
import { readJsonIfThere, writePrivateFile } from "../host/store/files.ts";
import type { KeyFolder } from "../host/store/key-folder.ts";
import { type JoinToken, readJoinToken } from "../identity/join-token.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { LinkAuthentication } from "./config/link.ts";
import { credentialsOf, renewing } from "./credentials.ts";
import { openKeys, statePaths } from "./state-folder.ts";

/** What the gateway gave, and where it is. */
const storedSchema = z.strictObject({ ...enrolledSchema.shape, address: z.string() });
type Stored = z.output<typeof storedSchema>;

export interface SidecarOptions {
  readonly state: string;
  /** Redeemed if this state folder has no identity yet. */
  readonly joinToken: string | undefined;
  readonly profile: Profile;
  /** `hybrid-mtls` for what can't do without a classical identity. */
  readonly authentication?: LinkAuthentication;
  readonly clock: Clock;
  readonly log: Log;
}

export interface SidecarIdentity {
  readonly spiffeId: string;
  readonly trustDomain: string;
  readonly gateway: KnownGateway;
  readonly serverRoots: readonly string[];
  readonly clientRoots: readonly string[];
  readonly keys: KeyFolder;
  readonly key: KeyPair;
  readonly credentials: () => Credentials;
  /** Called with the new credentials whenever they were renewed. */
  readonly onRenewed: (use: (credentials: Credentials) => void) => void;
  readonly stop: () => Promise<void>;
}

/**
 * @throws Refusal `bad_join_token` if there is neither an identity nor a token that gets one, `bad_state` if it lacks
 * the classical part that is asked for
 */
export async function openSidecarIdentity(options: SidecarOptions): Promise<SidecarIdentity> {
  const { clock, log, profile } = options;
  const keys = await openKeys(options.state, undefined);
  const pair: IdentityKeys = {
    key: await keys.key("identity", profile.identity.id as "ML-DSA-65"),
    classicalKey: await keys.key("identity-classical", profile.classical.id as "Ed25519"),
  };
  const { key } = pair;
  let stored = await usable(await storedIdentity(options, pair), pair, options);
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
    gateway: gatewayOf(stored, options),
    serverRoots: stored.server_roots,
    clientRoots: stored.client_roots,
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

async function storedIdentity(options: SidecarOptions, pair: IdentityKeys): Promise<Stored> {
  const file = statePaths(options.state).identity;
  const content = await readJsonIfThere(file);
  const token = options.joinToken === undefined ? undefined : readJoinToken(options.joinToken);
  if (content === undefined) {
    if (token === undefined) {
      throw new Refusal(
        "bad_join_token",
        `No identity in ${options.state}. Make a join token with "latticegate ca token --for agent/NAME" on the gateway and pass it with --join.`,
      );
    }
    return await joined(token, pair, options);
  }
  const parsed = storedSchema.safeParse(content);
  if (!parsed.success) {
    throw new Refusal("bad_state", `${file} can't be read; remove it and join again.`, {
      cause: parsed.error,
    });
  }
  return parsed.data;
}

async function joined(token: JoinToken, pair: IdentityKeys, options: SidecarOptions): Promise<Stored> {
  const { csr, classicalCsr } = requestsFor(pair);
  const enrolled = await join(token, csr, options.profile, classicalCsr);
  options.log.info("identity.joined", { spiffeId: enrolled.spiffe_id, gateway: token.address });
  return await keep({ ...enrolled, address: token.address }, options);
}

async function renewed(stored: Stored, pair: IdentityKeys, options: SidecarOptions): Promise<Stored> {
  const { certificate, classical } = stored;
  const old = { certificate, classicalCertificate: classical?.certificate, ...requestsFor(pair) };
  const enrolled: EnrolledIdentity = await renew(gatewayOf(stored, options), options.profile, old);
  return await keep({ ...enrolled, address: stored.address }, options);
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

function gatewayOf(stored: Stored, { profile, clock }: SidecarOptions): KnownGateway {
  const { address, server_roots: serverRoots, gateway: spiffeId, classical } = stored;
  // Nobody has told us of revocations of the gateway's own.
  const trust = {
    suite: profile.classical,
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
