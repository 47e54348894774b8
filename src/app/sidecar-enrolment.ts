/**
 * How a sidecar gets its identity and the next one: with a token, a proof of its own, or the identity it has.
 * INVARIANT: whoever calls this holds the lock of the identity (`whileIdentityLocked`).
 */
import { sha256 } from "../crypto/hash.ts";
import { createSigningRequest } from "../crypto/signing-request.ts";
import type { LinkTerms } from "../crypto/suites/in-force.ts";
import { defaultProfile, type Profile, profileOf, resolveProfile } from "../crypto/suites/profiles.ts";
import type { SignatureSuiteId } from "../crypto/suites/signatures.ts";
import {
  askProfile,
  type AskedProfile,
  enrolWorkload,
  join,
  provenGateway,
  renew,
  type SigningRequests,
} from "../host/net/enrol-client.ts";
import type { KeyFolder } from "../host/store/key-folder.ts";
import { setWitnessAside } from "../host/store/witness-folder.ts";
import type { Anchor } from "../identity/anchor.ts";
import { readJoinToken } from "../identity/join-token.ts";
import { toBase64url, utf8 } from "../kernel/bytes.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Bootstrap, readProof } from "./bootstrap.ts";
import { keepAlone, pendingKey } from "./identity-keys.ts";
import { statePaths } from "./state-folder.ts";
import {
  checkKeys,
  gatewayOf,
  type IdentityKeys,
  keyNames,
  keysOf,
  knowsRoot,
  readIdentity,
  type StoredIdentity,
  termsOfIdentity,
} from "./stored-identity.ts";

export interface EnrolmentOptions {
  readonly state: string;
  /** Redeemed if this state folder has no identity yet, or one that was got with another token. */
  readonly joinToken: string | undefined;
  /** Used if this state folder has no identity yet, or one that can't be renewed any more. */
  readonly bootstrap?: Bootstrap | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** A proof may be refused for a while, e.g. until the platform has made the next token; two renewals' time is left for it. */
const proveAheadMs = 3_600_000;
/** Before any wish for fresh keys. */
const never = new Date(0).toISOString();

/** @throws Refusal `bad_join_token` if there is neither an identity nor a way to one */
export async function firstIdentity(options: EnrolmentOptions, keys: KeyFolder): Promise<StoredIdentity> {
  const { state, joinToken, bootstrap } = options;
  const stored = await readIdentity(state);
  if (stored === undefined && bootstrap !== undefined) return await enrolled(bootstrap, keys, options);
  if (joinToken === undefined || stored?.joined_with === hashOf(joinToken)) {
    if (stored !== undefined) return stored;
    throw new Refusal(
      "bad_join_token",
      `No identity in ${state}. Make a join token with "latticegate ca token --for agent/NAME" on the gateway and pass it with --join; workloads that have a token of their own pass --gateway and --token-file.`,
    );
  }
  if (stored === undefined) return await joined(joinToken, keys, options);
  if (stored.joined_with === undefined && knowsRoot(stored, readJoinToken(joinToken))) return stored;
  const isOther = !knowsRoot(stored, readJoinToken(joinToken));
  try {
    const identity = await joined(joinToken, keys, options);
    // A person chose another authority; its log is another one.
    if (isOther) await setWitnessAside(statePaths(state).witness, options.clock.nowUnixMs());
    return identity;
  } catch (error) {
    // A token that was used for something else, or a gateway that is away: the identity there is may do.
    if (!(error instanceof Refusal)) throw error;
    options.log.warn("identity.token_unused", { code: error.code, reason: error.message });
    return stored;
  }
}

/** The next identity: renewed, or proven anew. */
export async function nextIdentity(
  stored: StoredIdentity,
  keys: KeyFolder,
  options: EnrolmentOptions,
): Promise<StoredIdentity> {
  const { bootstrap, clock, log } = options;
  if (bootstrap === undefined) return await renewed(stored, keys, options);
  const leftMs = Date.parse(stored.renewable_until ?? "9999-12-31") - clock.nowUnixMs();
  if (leftMs <= proveAheadMs) {
    try {
      return await enrolled(bootstrap, keys, options);
    } catch (error) {
      if (leftMs <= 0) throw error;
      log.warn("identity.proof_failed", { reason: error instanceof Error ? error.message : "unknown" });
    }
  }
  try {
    return await renewed(stored, keys, options);
  } catch (error) {
    // Ended too long ago, or of an authority that is gone, so that no link to it is proven any more: who can prove
    // itself begins anew. The anchor says whether the gateway is the right one.
    if (!(error instanceof Refusal) || !["bad_certificate", "upstream_failed"].includes(error.code))
      throw error;
    return await enrolled(bootstrap, keys, options);
  }
}

async function joined(text: string, keys: KeyFolder, options: EnrolmentOptions): Promise<StoredIdentity> {
  const token = readJoinToken(text);
  const terms = resolveProfile(token.profile);
  const { address, serverRootHash } = token;
  const beginning = await begin({ address, serverRootHashes: [serverRootHash] }, terms, keys, options);
  const { csr, classicalCsr } = requestsFor(beginning.pair);
  const identity = await join(token, csr, terms, classicalCsr);
  checkKeys(identity, beginning.pair);
  options.log.info("identity.joined", { spiffeId: identity.spiffe_id, gateway: address });
  const joinedWith = hashOf(text);
  return await keepAlone(
    { ...identity, address, ...beginning.stored, joined_with: joinedWith },
    keys,
    options.state,
  );
}

/** A new identity for the proof as it stands now. */
async function enrolled(
  bootstrap: Bootstrap,
  keys: KeyFolder,
  options: EnrolmentOptions,
): Promise<StoredIdentity> {
  const { anchor } = bootstrap;
  const terms = resolveProfile(defaultProfile);
  // Before anything is asked: without a proof there is nothing to ask for.
  const proof = await readProof(bootstrap);
  const beginning = await begin(anchor, terms, keys, options);
  const identity = await enrolWorkload(anchor, proof, requestsFor(beginning.pair), terms);
  checkKeys(identity, beginning.pair);
  options.log.info("identity.enrolled", { spiffeId: identity.spiffe_id, gateway: anchor.address });
  return await keepAlone({ ...identity, address: anchor.address, ...beginning.stored }, keys, options.state);
}

type Beginning = Pick<StoredIdentity, "profile" | "key" | "classical_key" | "fresh_keys_since">;

/** What the gateway's identities are of, asked before anything is shown to it, and fresh keys for one. */
async function begin(
  anchor: Anchor,
  terms: Profile,
  keys: KeyFolder,
  { state }: EnrolmentOptions,
): Promise<{ readonly stored: Beginning; readonly pair: IdentityKeys }> {
  const asked = await askProfile(await provenGateway(anchor, terms), terms);
  const profile = asked === undefined ? terms : profileOf(asked.profile);
  const freshKeysSince = asked?.fresh_keys_since;
  const keyOf = (base: "identity" | "identity-classical", suite: SignatureSuiteId) =>
    pendingKey(base, { suite, freshKeysSince }, { keys, state });
  const key = await keyOf("identity", profile.identity.id);
  const classicalKey = await keyOf("identity-classical", profile.classical.id);
  const stored = {
    profile: profile.document.based_on,
    key: key.name,
    classical_key: classicalKey.name,
    fresh_keys_since: freshKeysSince,
  };
  return { stored, pair: { key: key.pair, classicalKey: classicalKey.pair } };
}

async function renewed(
  stored: StoredIdentity,
  keys: KeyFolder,
  options: EnrolmentOptions,
): Promise<StoredIdentity> {
  const { clock, state } = options;
  const terms: LinkTerms = termsOfIdentity(stored, clock.nowUnixMs());
  const gateway = gatewayOf(stored, clock);
  const asked = await askProfile(gateway, terms);
  const old = await keysOf(stored, keys);
  const wanted = wantedKey(stored, old, asked);
  const next = wanted && (await pendingKey("identity", wanted, { keys, state }));
  const pair = { ...old, key: next?.pair ?? old.key };
  const { certificate, classical } = stored;
  const identity = await renew(gateway, terms, {
    certificate,
    classicalCertificate: classical?.certificate,
    ...requestsFor(pair),
    ...(next && { key: old.key }),
  });
  checkKeys(identity, pair);
  const { previous: _, key_since: __, ...before } = stored;
  const isOther = pair.key.suite.id !== old.key.suite.id;
  const previous = isOther ? { certificate, key: keyNames(stored).key } : stored.previous;
  const newKey = next && { key: next.name, fresh_keys_since: wanted?.freshKeysSince };
  return await keepAlone({ ...before, ...identity, ...newKey, ...(previous && { previous }) }, keys, state);
}

/** Another key, if the profile asks for another algorithm or somebody for fresh ones. */
function wantedKey(
  stored: StoredIdentity,
  { key }: IdentityKeys,
  asked: AskedProfile | undefined,
): Parameters<typeof pendingKey>[1] | undefined {
  if (asked === undefined) return undefined;
  const suite = profileOf(asked.profile).identity.id;
  const freshKeysSince = asked.fresh_keys_since;
  // Both by the gateway's clock.
  const isStale = Date.parse(freshKeysSince ?? never) > Date.parse(stored.fresh_keys_since ?? never);
  return suite === key.suite.id && !isStale ? undefined : { suite, freshKeysSince };
}

function requestsFor({
  key,
  classicalKey,
}: Pick<IdentityKeys, "key" | "classicalKey">): SigningRequests & { readonly classicalCsr: Uint8Array } {
  return { csr: createSigningRequest(key), classicalCsr: createSigningRequest(classicalKey) };
}

function hashOf(token: string): string {
  return toBase64url(sha256(utf8(token)));
}
