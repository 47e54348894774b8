/** A sidecar's identity: joined once, kept sealed, renewed by itself. */
import { z } from "zod";

import { certificateFacts, parseCertificate } from "../crypto/certificate.ts";
import type { KeyPair } from "../crypto/keys.ts";
import { createSigningRequest } from "../crypto/signing-request.ts";
import type { Profile } from "../crypto/suites.ts";
import {
  enrolledSchema,
  type EnrolledIdentity,
  join,
  type KnownGateway,
  renew,
} from "../host/net/enrol-client.ts";
import type { Credentials } from "../host/net/tls.ts";
import { readJsonIfThere, writePrivateFile } from "../host/store/files.ts";
import type { KeyFolder } from "../host/store/key-folder.ts";
import { type JoinToken, readJoinToken } from "../identity/join-token.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal } from "../kernel/refusal.ts";
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

/** @throws Refusal `bad_join_token` if there is neither an identity nor a token that gets one */
export async function openSidecarIdentity(options: SidecarOptions): Promise<SidecarIdentity> {
  const { clock, log, profile } = options;
  const keys = await openKeys(options.state, undefined);
  const key = await keys.key("identity", profile.identity.id as "ML-DSA-65");
  let stored = await storedIdentity(options, key);
  // Ended while nobody was running; one that still counts is renewed in the background.
  if (notAfter(stored) <= clock.nowUnixMs()) stored = await renewed(stored, key, options);
  let use: (credentials: Credentials) => void = () => {};
  const renewal = renewing(notAfter(stored), { clock, log }, async () => {
    stored = await renewed(stored, key, options);
    use(credentialsOf(key, stored.certificate));
    log.info("identity.renewed", { spiffeId: stored.spiffe_id });
    return notAfter(stored);
  });
  return {
    spiffeId: stored.spiffe_id,
    trustDomain: stored.trust_domain,
    gateway: gatewayOf(stored),
    serverRoots: stored.server_roots,
    clientRoots: stored.client_roots,
    keys,
    key,
    credentials: () => credentialsOf(key, stored.certificate),
    onRenewed: (next) => (use = next),
    stop: renewal.stop,
  };
}

async function storedIdentity(options: SidecarOptions, key: KeyPair): Promise<Stored> {
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
    return await joined(token, key, options);
  }
  const parsed = storedSchema.safeParse(content);
  if (!parsed.success) {
    throw new Refusal("bad_state", `${file} can't be read; remove it and join again.`, {
      cause: parsed.error,
    });
  }
  return parsed.data;
}

async function joined(token: JoinToken, key: KeyPair, options: SidecarOptions): Promise<Stored> {
  const enrolled = await join(token, createSigningRequest(key), options.profile);
  options.log.info("identity.joined", { spiffeId: enrolled.spiffe_id, gateway: token.address });
  return await keep({ ...enrolled, address: token.address }, options);
}

async function renewed(stored: Stored, key: KeyPair, options: SidecarOptions): Promise<Stored> {
  const old = { certificate: stored.certificate, csr: createSigningRequest(key) };
  const enrolled: EnrolledIdentity = await renew(gatewayOf(stored), options.profile, old);
  return await keep({ ...enrolled, address: stored.address }, options);
}

async function keep(identity: Stored, options: SidecarOptions): Promise<Stored> {
  await writePrivateFile(statePaths(options.state).identity, JSON.stringify(identity, null, 2));
  return identity;
}

function gatewayOf(stored: Stored): KnownGateway {
  return { address: stored.address, serverRoots: stored.server_roots, spiffeId: stored.gateway };
}

function notAfter(stored: Stored): number {
  const certificate = parseCertificate(stored.certificate);
  if (certificate === undefined)
    throw new Refusal("bad_state", "The stored certificate can't be read; join again.");
  return certificateFacts(certificate).notAfterUnixMs;
}
