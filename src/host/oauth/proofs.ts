/** Proofs of possession (RFC 9449 §4.3): that who sends a token holds the key it is bound to, made for this request. */
import { calculateJwkThumbprint, decodeProtectedHeader, importJWK, type JWK, jwtVerify } from "jose";

import { hmacSha256, sha256 } from "../../crypto/hash.ts";
import { randomSecret } from "../../crypto/keys.ts";
import { proofAlgorithms } from "../../crypto/suites/jose.ts";
import { equalInConstantTime, toBase64url, utf8 } from "../../kernel/bytes.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { replayGuard } from "./replay-guard.ts";

/** One request, as its proof must describe it. */
interface ProvenRequest {
  /** Value of the DPoP header. */
  readonly proof: string;
  readonly method: string;
  /** Without query and fragment. */
  readonly uri: string;
  readonly token: string;
  /** `cnf.jkt` of the token. */
  readonly thumbprint: string;
  readonly needsNonce: boolean;
}

export interface Proofs {
  /** @throws Refusal `bad_proof`, `proof_nonce`, or `busy` if there are more proofs than can be remembered */
  readonly check: (request: ProvenRequest) => Promise<void>;
  /** What the next proof is to contain. */
  readonly nonce: () => string;
}

/** A proof may be this old, and be made by a clock that is this far ahead of ours or behind it. */
const maxAgeMs = 60_000;
const clockSkewMs = 30_000;

/** How long a nonce is taken: clients come for another one by being refused once. */
const nonceStepMs = 60_000;
const nonceSteps = 5;

/** An ML-DSA-87 key and signature are about 10 KB in base64. */
const maxProofBytes = 16 * 1024;
const maxIdBytes = 256;

/** Members of private keys (RFC 7518 §6, RFC 9964) and of shared ones. */
const secretMembers = ["d", "p", "q", "dp", "dq", "qi", "oth", "priv", "k"] as const;

export function openProofs(clock: Clock): Proofs {
  const seen = replayGuard(clock, maxAgeMs + 2 * clockSkewMs);
  const nonces = nonceMaker(clock);
  return {
    nonce: nonces.current,
    check: async (request) => {
      const { thumbprint, needsNonce } = request;
      const claims = await verified(request, clock);
      checkRequest(claims, request);
      checkAge(claims["iat"], clock.nowUnixMs());
      const { nonce, jti } = claims;
      if (needsNonce && (typeof nonce !== "string" || !nonces.isTaken(nonce))) {
        throw new Refusal("proof_nonce", "The proof needs the nonce in DPoP-Nonce.");
      }
      if (typeof jti !== "string" || jti === "" || jti.length > maxIdBytes) throw badProof("it has no id");
      // INVARIANT: last, so that only who holds the key of a good token can fill the memory.
      seen.take(thumbprint, jti);
    },
  };
}

function badProof(reason: string, cause?: unknown): Refusal {
  return new Refusal("bad_proof", `The DPoP proof isn't accepted: ${reason}.`, { cause, facts: { reason } });
}

async function verified(
  { proof, thumbprint }: ProvenRequest,
  clock: Clock,
): Promise<Readonly<Record<string, unknown>>> {
  if (proof.length > maxProofBytes) throw badProof(`it is longer than ${maxProofBytes} bytes`);
  const { alg, jwk } = headerOf(proof);
  if (!proofAlgorithms.includes(alg)) throw badProof("its algorithm isn't accepted");
  if (secretMembers.some((member) => Object.hasOwn(jwk, member))) throw badProof("it contains a private key");
  // INVARIANT: before the signature: a key of the sender's choice isn't computed with.
  if (!equalInConstantTime(utf8(await thumbprintOf(jwk)), utf8(thumbprint))) {
    throw badProof("its key isn't the one the token is bound to");
  }
  try {
    const { payload } = await jwtVerify(proof, await importJWK(jwk, alg), {
      algorithms: [alg],
      typ: "dpop+jwt",
      currentDate: new Date(clock.nowUnixMs()),
      clockTolerance: clockSkewMs / 1000,
    });
    return payload;
  } catch (cause) {
    throw badProof("it can't be verified", cause);
  }
}

function headerOf(proof: string): { readonly alg: string; readonly jwk: JWK } {
  try {
    const { alg, jwk } = decodeProtectedHeader(proof);
    if (typeof alg === "string" && typeof jwk === "object") return { alg, jwk };
  } catch (cause) {
    throw badProof("it is no JWT", cause);
  }
  throw badProof("it names no algorithm or no key");
}

async function thumbprintOf(jwk: JWK): Promise<string> {
  try {
    return await calculateJwkThumbprint(jwk, "sha256");
  } catch (cause) {
    throw badProof("its key can't be read", cause);
  }
}

function checkRequest(claims: Readonly<Record<string, unknown>>, request: ProvenRequest): void {
  const { htm, htu, ath } = claims;
  if (htm !== request.method) throw badProof("it was made for another method");
  if (typeof htu !== "string" || withoutQuery(htu) !== withoutQuery(request.uri)) {
    throw badProof("it was made for another URL");
  }
  const hash = toBase64url(sha256(utf8(request.token)));
  if (typeof ath !== "string" || !equalInConstantTime(utf8(ath), utf8(hash))) {
    throw badProof("it was made for another token");
  }
}

/** RFC 9449 §4.3: compared after normalisation, without query and fragment. */
function withoutQuery(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null) return undefined;
  return `${url.origin}${url.pathname}`;
}

function checkAge(iat: unknown, nowUnixMs: number): void {
  if (typeof iat !== "number") throw badProof("it doesn't say when it was made");
  if (iat * 1000 > nowUnixMs + clockSkewMs) throw badProof("it is from the future");
  if (iat * 1000 < nowUnixMs - maxAgeMs - clockSkewMs) throw badProof("it is too old");
}

/** Nonces are a time and its MAC under a key of this process: nothing has to be remembered. */
function nonceMaker(clock: Clock): {
  readonly current: () => string;
  readonly isTaken: (nonce: string) => boolean;
} {
  const key = randomSecret(32);
  const of = (step: number): string =>
    `${step.toString(36)}.${toBase64url(hmacSha256(key, utf8(`dpop-nonce ${step}`)).subarray(0, 16))}`;
  const now = (): number => Math.floor(clock.nowUnixMs() / nonceStepMs);
  return {
    current: () => of(now()),
    isTaken: (nonce) => {
      const step = Number.parseInt(nonce, 36);
      return now() - step < nonceSteps && step <= now() && equalInConstantTime(utf8(nonce), utf8(of(step)));
    },
  };
}
