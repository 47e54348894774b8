/** From what a request presents to its caller: the token, what it is bound to, and the proof of that. On every request. */
import { sha256 } from "../../crypto/hash.ts";
import type { TokenCaller } from "../../gate/call.ts";
import { equalInConstantTime, toBase64url, utf8 } from "../../kernel/bytes.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { resourceUri } from "../../wire/protected-resource.ts";
import { badToken, type Issuers, type VerifiedToken } from "./issuers.ts";
import type { Proofs } from "./proofs.ts";
import { scopesOf, whose } from "./token-claims.ts";

/** Which tokens a listener takes. */
export interface TokenTerms {
  /** Public origin of the listener. */
  readonly origin: string;
  /** Names of issuers. */
  readonly issuers: readonly string[];
  /** Audiences that count for each of its servers, beside the server's own URI. */
  readonly audiences: readonly string[];
  /** Whether tokens that don't say what they are (`typ`) count too. */
  readonly takesPlainJwt: boolean;
  /** Whether a token that anybody could use who has it is refused. */
  readonly needsBinding: boolean;
  readonly needsNonce: boolean;
}

/** What came with a request. */
interface Presented {
  readonly server: string;
  readonly method: string;
  /** Values of the Authorization and DPoP headers, as many as there are. */
  readonly authorization: readonly string[];
  readonly dpop: readonly string[];
  /** Of the certificate the client showed on this connection. */
  readonly thumbprint?: string | undefined;
}

export interface AccessTokens {
  /**
   * @throws Refusal `no_identity` if nothing was presented, `bad_token`, `bad_proof`, `proof_nonce`,
   * `issuer_unavailable`, `busy`
   */
  readonly judge: (presented: Presented) => Promise<TokenCaller>;
}

/** RFC 9068 §2.1. */
const accessTokenTypes = ["at+jwt"];
const plainTypes = ["jwt", ""];

export interface AccessTokenPorts {
  readonly issuers: Issuers;
  readonly proofs: Proofs;
  readonly clock: Clock;
}

export function accessTokens(terms: TokenTerms, ports: AccessTokenPorts): AccessTokens {
  const verify = remembering(terms, ports);
  return {
    judge: async (presented) => {
      const { scheme, token } = credentialsIn(presented.authorization);
      const verified = await verify(token, presented.server);
      const binding = await proven(verified, { ...presented, scheme, token }, terms, ports.proofs);
      return {
        ...whose(verified),
        proof: {
          kind: "token",
          issuer: verified.issuer,
          binding,
          listener: terms.origin,
          scopes: scopesOf(verified.claims),
          claims: verified.claims,
          // What a clock's skew let in counts for as long as one judgement does.
          notAfterUnixMs: Math.max(verified.expiresUnixMs, ports.clock.nowUnixMs() + rememberedMs),
        },
      };
    },
  };
}

interface Credentials {
  readonly scheme: "bearer" | "dpop";
  readonly token: string;
}

/** RFC 6750 §2.1: in the header, and nowhere else. */
function credentialsIn(values: readonly string[]): Credentials {
  const [value, ...more] = values;
  if (value === undefined) throw new Refusal("no_identity", "An access token is needed.");
  if (more.length > 0) throw badToken("there are two Authorization headers");
  const [, scheme = "", token = ""] = /^(bearer|dpop) +([A-Za-z0-9._~+/-]+=*)$/i.exec(value) ?? [];
  if (token === "") throw badToken("expected Authorization: DPoP or Bearer, and one token");
  return { scheme: scheme.toLowerCase() === "dpop" ? "dpop" : "bearer", token };
}

/**
 * What the token is bound to, once that is proven. INVARIANT: every binding it names is checked, and one that we
 * don't know isn't ignored.
 */
async function proven(
  { claims }: VerifiedToken,
  presented: Presented & Credentials,
  terms: TokenTerms,
  proofs: Proofs,
): Promise<TokenCaller["proof"]["binding"]> {
  const { jkt, "x5t#S256": x5t, ...unknown } = confirmationIn(claims["cnf"]);
  if (Object.keys(unknown).length > 0) throw badToken("it is bound in a way that isn't known here");
  if (x5t !== undefined) checkCertificate(x5t, presented.thumbprint);
  if (jkt !== undefined) {
    await proofs.check({ ...proofIn(presented), thumbprint: jkt, ...aboutRequest(presented, terms) });
    return "dpop";
  }
  if (presented.scheme === "dpop") throw badToken("it is bound to no key, and came with scheme DPoP");
  if (x5t !== undefined) return "mtls";
  if (terms.needsBinding) throw badToken("it is bound to no key; whoever found it could use it");
  return "bearer";
}

function confirmationIn(cnf: unknown): Readonly<Record<string, string>> {
  if (cnf === undefined) return {};
  const isObject = typeof cnf === "object" && cnf !== null && !Array.isArray(cnf);
  const entries = isObject ? Object.entries(cnf) : [];
  if (entries.length === 0 || entries.some(([, value]) => typeof value !== "string")) {
    throw badToken("it is bound in a way that isn't known here");
  }
  return Object.fromEntries(entries);
}

function checkCertificate(expected: string, shown: string | undefined): void {
  if (shown === undefined) throw badToken("it is bound to a certificate, and none was shown");
  if (equalInConstantTime(utf8(expected), utf8(shown))) return;
  throw badToken("it is bound to another certificate");
}

function proofIn({ scheme, dpop }: Presented & Credentials): { readonly proof: string } {
  if (scheme !== "dpop") throw badToken("it is bound to a key, and came with scheme Bearer");
  const [proof, ...more] = dpop;
  if (proof !== undefined && more.length === 0) return { proof };
  throw new Refusal("bad_proof", "Expected one DPoP header with a proof.");
}

function aboutRequest(
  { method, server, token }: Presented & Credentials,
  { origin, needsNonce }: TokenTerms,
): { readonly method: string; readonly uri: string; readonly token: string; readonly needsNonce: boolean } {
  return { method, uri: resourceUri(origin, server), token, needsNonce };
}

/** How long a token isn't verified anew: a key that its issuer withdrew counts no longer than that. */
const rememberedMs = 30_000;
const maxRemembered = 10_000;

/** A client sends the same token with each request; its signature need not be computed each time. */
function remembering(
  terms: TokenTerms,
  { issuers, clock }: AccessTokenPorts,
): (token: string, server: string) => Promise<VerifiedToken> {
  const types = terms.takesPlainJwt ? [...accessTokenTypes, ...plainTypes] : accessTokenTypes;
  const known = new Map<string, { readonly verified: VerifiedToken; readonly untilUnixMs: number }>();
  return async (token, server) => {
    const key = toBase64url(sha256(utf8(`${server} ${token}`)));
    const found = known.get(key);
    if (found !== undefined && clock.nowUnixMs() < found.untilUnixMs) return found.verified;
    known.delete(key);
    const audience = [resourceUri(terms.origin, server), ...terms.audiences];
    const verified = await issuers.verify(token, { issuers: terms.issuers, audience, types });
    const untilUnixMs = Math.min(clock.nowUnixMs() + rememberedMs, verified.expiresUnixMs);
    const [oldest] = known.size >= maxRemembered ? known.keys() : [];
    if (oldest !== undefined) known.delete(oldest);
    known.set(key, { verified, untilUnixMs });
    return verified;
  };
}
