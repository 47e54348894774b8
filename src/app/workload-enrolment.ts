/** Workloads that prove themselves, with a token of an issuer or the SVID of another authority: which identity they get, or none. */
import { open } from "node:fs/promises";
import path from "node:path";

import { decodeJwt, type JWTPayload } from "jose";

import { sha256 } from "../crypto/hash.ts";
import { isSignedByOutsideKey } from "../crypto/outside-key.ts";
import { claimedUris, parseBundle, verifyOutsidePath } from "../crypto/outside-path.ts";
import type { ParsedCertificate } from "../crypto/certificate.ts";
import type { SvidRequest } from "../host/net/enrol-http.ts";
import { type ExpectedToken, type Issuers, openIssuers, type VerifiedToken } from "../host/oauth/issuers.ts";
import type { SpentToken } from "../host/store/state-tokens.ts";
import { within } from "../host/within.ts";
import { gatewayIdOf, trustDomainOf } from "../identity/spiffe-id.ts";
import { svidProofText } from "../identity/svid-proof.ts";
import {
  compileEnrolment,
  type EnrolmentRule,
  type Identified,
  proofRefusedText,
} from "../identity/workload.ts";
import { toBase64url, utf8 } from "../kernel/bytes.ts";
import type { Clock } from "../kernel/clock.ts";
import { printable } from "../kernel/printable.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Config } from "./config.ts";
import type { EnrolmentDocument } from "./config/enrolment.ts";
import { issuerSpecs } from "./config/issuers.ts";

/** What a workload has proven itself to be. */
export interface ProvenWorkload {
  readonly spiffeId: string;
  readonly purpose: "client" | "server";
  /** `token:NAME` or `svid:NAME`, after the entry that fit. */
  readonly how: string;
  /** When it has to prove itself again. */
  readonly untilUnixMs: number;
  /** For the audit log. */
  readonly facts: Readonly<Record<string, string>>;
  /** What may not be used again. */
  readonly token?: SpentToken;
}

export interface WorkloadEnrolment {
  /** @throws Refusal `proof_refused`, with the reason for the log alone; `issuer_unavailable`; `busy` */
  readonly byToken: (token: string) => Promise<ProvenWorkload>;
  /** @throws Refusal `proof_refused`, with the reason for the log alone; `busy` */
  readonly bySvid: (request: SvidRequest) => Promise<ProvenWorkload>;
  readonly issuersSeen: Issuers["seen"];
}

type Entry = EnrolmentDocument[number];
type TokenEntry = Extract<Entry, { readonly token: unknown }> & { readonly rule: EnrolmentRule };
type SvidEntry = Extract<Entry, { readonly svid: unknown }> & { readonly rule: EnrolmentRule };

/** Metadata, keys and a second try may each take their time; a newcomer's link lives ten seconds. */
const issuerTimeoutMs = 8000;
/** A token is remembered for longer than any clock skew lets it count. */
const rememberAfterEndMs = 10 * 60_000;
/** A bundle of 64 certificates. */
const maxBundleBytes = 512 * 1024;

export function workloadEnrolment(
  config: Pick<Config, "enrolment" | "issuers" | "trust_domain" | "folder">,
  clock: Clock,
): WorkloadEnrolment {
  const issuers = openIssuers(issuerSpecs(config.issuers, config.folder), clock);
  const tokens = config.enrolment.flatMap((entry): readonly TokenEntry[] =>
    "token" in entry ? [{ ...entry, rule: compileEnrolment(entry) }] : [],
  );
  const svids = config.enrolment.flatMap((entry): readonly SvidEntry[] =>
    "svid" in entry ? [{ ...entry, rule: compileEnrolment(entry) }] : [],
  );
  return {
    byToken: (token) => byToken(token, { config, entries: tokens, issuers, clock }).catch(refused),
    bySvid: (request) => bySvid(request, { config, entries: svids, clock }).catch(refused),
    issuersSeen: issuers.seen,
  };
}

interface Scope<E> {
  readonly config: Pick<Config, "issuers" | "trust_domain" | "folder">;
  readonly entries: readonly E[];
  readonly clock: Clock;
}

async function byToken(
  token: string,
  scope: Scope<TokenEntry> & { readonly issuers: Issuers },
): Promise<ProvenWorkload> {
  const { config, clock } = scope;
  const claimed = issuerIn(token);
  const entries = scope.entries.filter((entry) => config.issuers[entry.token.issuer]?.issuer === claimed);
  if (entries.length === 0) throw no("no entry takes tokens of its issuer");
  const audienceOf = (entry: TokenEntry): string => entry.token.audience ?? gatewayIdOf(config.trust_domain);
  const verified = await inTime(scope.issuers, token, {
    issuers: entries.map((entry) => entry.token.issuer),
    audience: entries.map(audienceOf),
    // Other types are for somebody else to read: access tokens, logout tokens, proofs.
    types: ["", "jwt"],
    maxLifetimeMs: Math.max(...entries.map((entry) => entry.token.max_lifetime)),
  });
  const { claims } = verified;
  const fit = firstFit(entries, (entry) => {
    if (entry.token.issuer !== verified.issuer) return mismatch("another name of its issuer");
    if (![claims.aud].flat().includes(audienceOf(entry))) return mismatch("another audience");
    if (lifetimeMs(claims) > entry.token.max_lifetime) return mismatch("it lives too long");
    return entry.rule.identify(claims, config.trust_domain);
  });
  return {
    ...fit,
    how: `token:${fit.entry.name}`,
    untilUnixMs: clock.nowUnixMs() + fit.entry.renewable_for,
    facts: { issuer: claimed, ...(claims.sub !== undefined && { subject: printable(claims.sub, 512) }) },
    token: { key: tokenKey(token, claims), endsUnixMs: (claims.exp ?? 0) * 1000 + rememberAfterEndMs },
  };
}

async function bySvid(request: SvidRequest, scope: Scope<SvidEntry>): Promise<ProvenWorkload> {
  const { config, clock } = scope;
  const [leaf] = request.chain;
  const [spiffeId, ...more] = leaf === undefined ? [] : claimedUris(leaf);
  // Only to find whose it may be: nothing is proven yet.
  const domain = spiffeId === undefined || more.length > 0 ? undefined : trustDomainOf(spiffeId);
  if (spiffeId === undefined || domain === undefined) throw no("expected exactly one SPIFFE ID in it");
  const entries = scope.entries.filter((entry) => entry.svid.trust_domain === domain);
  const bundles = [...new Set(entries.map((entry) => entry.svid.bundle))];
  if (bundles.length === 0) throw no("no entry takes SVIDs of its trust domain");
  const reasons: string[] = [];
  for (const bundle of bundles) {
    const anchors = await readBundle(path.resolve(config.folder, bundle));
    try {
      const { publicKey } = verifyOutsidePath(request.chain, anchors, clock.nowUnixMs());
      if (
        !isSignedByOutsideKey(
          publicKey,
          svidProofText(request.channelBinding, request.csr),
          request.signature,
        )
      )
        throw no("the signature isn't its key's over this link and this request");
      const those = entries.filter((entry) => entry.svid.bundle === bundle);
      const fit = firstFit(those, ({ rule }) => rule.identify({ spiffe_id: spiffeId }, config.trust_domain));
      const untilUnixMs = clock.nowUnixMs() + fit.entry.renewable_for;
      return {
        ...fit,
        how: `svid:${fit.entry.name}`,
        untilUnixMs,
        facts: { subject: printable(spiffeId, 512) },
      };
    } catch (error) {
      reasons.push(reasonOf(error));
    }
  }
  throw no(reasons.join("; "));
}

/** What the first entry that fits gives. @throws Refusal that says why none does */
function firstFit<E extends Entry>(
  entries: readonly E[],
  identify: (entry: E) => Identified,
): { readonly entry: E; readonly spiffeId: string; readonly purpose: "client" | "server" } {
  const reasons: string[] = [];
  for (const entry of entries) {
    const found = identify(entry);
    if (found.kind === "identity") return { entry, spiffeId: found.spiffeId, purpose: found.purpose };
    reasons.push(`${entry.name}: ${found.reason}`);
  }
  throw no(reasons.join("; "));
}

/** An issuer that doesn't answer holds up nobody but its own workloads, and those not for ever. */
async function inTime(issuers: Issuers, token: string, expected: ExpectedToken): Promise<VerifiedToken> {
  const verifying = issuers.verify(token, expected);
  if (await within(verifying, issuerTimeoutMs)) return await verifying;
  throw new Refusal("issuer_unavailable", "This token's issuer doesn't answer; try again.");
}

/** Read before anything is proven, only to find whose keys to take. */
function issuerIn(token: string): string {
  // What is no JWT could only be looked up at its issuer, and says nothing of whom it is for.
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) throw no("it is no JWT");
  try {
    const { iss } = decodeJwt(token);
    if (typeof iss === "string") return iss;
  } catch (cause) {
    throw no("it is no JWT", cause);
  }
  throw no("it names no issuer");
}

/** One name for one token. Of one without an id what was signed, since some signatures can be written in two ways. */
function tokenKey(token: string, { iss, jti }: JWTPayload): string {
  const id =
    typeof jti === "string" && jti !== "" ? ["jti", jti] : ["signed", token.slice(0, token.lastIndexOf("."))];
  return toBase64url(sha256(utf8(JSON.stringify([iss, ...id]))));
}

function lifetimeMs({ iat = 0, exp = Infinity }: JWTPayload): number {
  return (exp - iat) * 1000;
}

/** Read anew each time: the other authority rotates its roots when it likes. */
async function readBundle(file: string): Promise<readonly ParsedCertificate[]> {
  try {
    await using handle = await open(file);
    const { bytesRead, buffer } = await handle.read({ buffer: Buffer.alloc(maxBundleBytes) });
    const anchors =
      bytesRead < maxBundleBytes ? parseBundle(buffer.toString("latin1", 0, bytesRead)) : undefined;
    if (anchors === undefined) throw new Error("it holds no certificates, or too many");
    return anchors;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "unknown";
    const facts = { reason: `the bundle ${file} can't be read: ${why}` };
    throw new Refusal("busy", "SVIDs can't be checked now; try again.", { cause, facts });
  }
}

/** The newcomer is told what it could do, the operator's log what was wrong. */
function refused(error: unknown): never {
  if (!(error instanceof Refusal) || error.code === "issuer_unavailable" || error.code === "busy")
    throw error;
  throw new Refusal("proof_refused", proofRefusedText, { cause: error, facts: { reason: reasonOf(error) } });
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Refusal)) throw error;
  return String(error.facts["reason"] ?? error.message);
}

function mismatch(reason: string): Identified {
  return { kind: "no-match", reason };
}

function no(reason: string, cause?: unknown): Refusal {
  return new Refusal("proof_refused", reason, { cause, facts: { reason } });
}
