/** The issuers whose JWTs count (RFC 7519, RFC 8725): which claims of a token are proven, and why not. */
import { readFileSync } from "node:fs";

import { decodeJwt, errors, type JWTPayload, jwtVerify, type JWTHeaderParameters } from "jose";

import { Agent } from "undici";

import { joseAlgorithms } from "../../crypto/suites/jose.ts";
import { pathConnector } from "../net/path-connector.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { boundedFetch, type FetchFailure } from "./bounded-fetch.ts";
import { type IntrospectionSpec, type Introspect, introspector } from "./introspection.ts";
import { type IssuerKeys, issuerUnavailable, keysFromFile, keysFromUrl } from "./issuer-keys.ts";

export interface IssuerSpec {
  /** As it stands in tokens. */
  readonly issuer: string;
  /** Where its keys are; by default where its metadata says. */
  readonly keys?: { readonly url: string } | { readonly file: string };
  /** File with the certificates that its server's certificate stands under; the system's by default. */
  readonly caFile?: string;
  readonly clockSkewMs: number;
  /** Where it says what its tokens are that are no JWTs; such tokens are refused without. */
  readonly introspection?: IntrospectionSpec;
}

export interface ExpectedToken {
  /** Names of the issuers of which it may be. */
  readonly issuers: readonly string[];
  /** One of these must be among its audiences. */
  readonly audience: readonly string[];
  /** Values of `typ` it may have, in lower case, without "application/"; "" for none. Any by default. */
  readonly types?: readonly string[];
  /** From `iat` to `exp`; a token without `iat` is refused then. */
  readonly maxLifetimeMs?: number;
}

export interface VerifiedToken {
  /** The issuer's name in the config. */
  readonly issuer: string;
  readonly claims: JWTPayload;
  /** When it has to be verified again, at the latest. */
  readonly expiresUnixMs: number;
}

export interface Issuers {
  /**
   * @throws Refusal `bad_token` with the reason; no claim of the token stands in it
   * @throws Refusal `issuer_unavailable` if the issuer's keys can't be had
   */
  readonly verify: (token: string, expected: ExpectedToken) => Promise<VerifiedToken>;
  /** With what the last good token of each issuer was signed, by its name in the config. */
  readonly seen: () => ReadonlyMap<string, SeenToken>;
}

export interface SeenToken {
  /** JOSE name; undefined of a token that its issuer was asked about. */
  readonly algorithm: string | undefined;
  readonly atUnixMs: number;
}

/** A caller waits for it. */
const askTimeoutMs = 5000;
/** Some issuers put a whole directory of groups into a token. */
const maxTokenBytes = 16 * 1024;

/** @param specs by name @throws Refusal `bad_config` if a file that is named can't be read */
export function openIssuers(specs: ReadonlyMap<string, IssuerSpec>, clock: Clock): Issuers {
  const known = new Map([...specs].map(([name, spec]) => [name, openIssuer(name, spec, clock)]));
  const seen = new Map<string, SeenToken>();
  const note = (issuer: string, algorithm: string | undefined): void =>
    void seen.set(issuer, { algorithm, atUnixMs: clock.nowUnixMs() });
  return {
    seen: () => seen,
    verify: async (token, expected) => {
      if (token.length > maxTokenBytes) throw badToken(`it is longer than ${maxTokenBytes} bytes`);
      if (!looksLikeJwt(token)) {
        const active = await introspected(token, known, expected, clock);
        note(active.issuer, undefined);
        return active;
      }
      const claimed = issuerIn(token);
      const name = expected.issuers.find((each) => known.get(each)?.spec.issuer === claimed);
      const found = name === undefined ? undefined : known.get(name);
      if (name === undefined || found === undefined) throw badToken("its issuer isn't accepted here");
      const { payload, protectedHeader } = await verified(token, found, expected, clock);
      checkType(protectedHeader, expected.types);
      checkTimes(payload, found.spec, expected.maxLifetimeMs, clock.nowUnixMs());
      note(name, protectedHeader.alg);
      return { issuer: name, claims: payload, expiresUnixMs: (payload.exp ?? 0) * 1000 };
    },
  };
}

/** The reason stands in the answer too: who holds a token can read it anyway. */
export function badToken(reason: string, cause?: unknown): Refusal {
  return new Refusal("bad_token", `The token isn't accepted: ${reason}.`, { cause, facts: { reason } });
}

interface OpenIssuer {
  readonly spec: IssuerSpec;
  readonly keys: IssuerKeys;
  readonly introspect?: Introspect;
}

function openIssuer(name: string, spec: IssuerSpec, clock: Clock): OpenIssuer {
  const { issuer, keys, caFile, introspection } = spec;
  const ca = caFile === undefined ? {} : { ca: readCa(name, caFile) };
  const agent = new Agent({ connect: pathConnector(ca, askTimeoutMs) });
  const fetch = boundedFetch({
    dispatcher: () => agent,
    timeoutMs: askTimeoutMs,
    failed: ({ url, cause, why, error }: FetchFailure) =>
      issuerUnavailable({ host: url.host, cause, why }, error),
  });
  return {
    spec,
    keys:
      keys !== undefined && "file" in keys
        ? keysFromFile(keys.file)
        : keysFromUrl(keys?.url, { issuer, fetch, clock }),
    ...(introspection && { introspect: introspector(issuer, introspection, { fetch, clock }) }),
  };
}

/** RFC 7519 §7.2: three parts, or it is one that only its issuer understands. */
function looksLikeJwt(token: string): boolean {
  return /^[\w-]+\.[\w-]+\.[\w-]*$/.test(token);
}

/** Each issuer that can be asked is, in the order they are expected in; what it says is held to the same measure. */
async function introspected(
  token: string,
  known: ReadonlyMap<string, OpenIssuer>,
  expected: ExpectedToken,
  clock: Clock,
): Promise<VerifiedToken> {
  for (const name of expected.issuers) {
    const { spec, introspect } = known.get(name) ?? {};
    const claims = await introspect?.(token);
    if (spec === undefined || claims === undefined) continue;
    const now = clock.nowUnixMs();
    checkClaims(claims, spec, expected, now);
    return { issuer: name, claims, expiresUnixMs: now + (spec.introspection?.cacheMs ?? 0) };
  }
  throw badToken("it is no JWT, and no issuer says that it is active");
}

function readCa(name: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new Refusal("bad_config", `issuers.${name}.ca: ${file} can't be read.`, { cause });
  }
}

/** What a JWT's verification holds against its claims, for those that came another way. */
function checkClaims(claims: JWTPayload, spec: IssuerSpec, expected: ExpectedToken, nowUnixMs: number): void {
  const { iss = spec.issuer, aud = [], exp = Infinity, nbf = 0 } = claims;
  if (iss !== spec.issuer) throw badToken("its issuer isn't accepted here");
  if (![aud].flat().some((each) => expected.audience.includes(each))) {
    throw badToken('its "aud" isn\'t what it must be');
  }
  if (exp * 1000 <= nowUnixMs - spec.clockSkewMs) throw badToken("it has expired");
  if (nbf * 1000 > nowUnixMs + spec.clockSkewMs) throw badToken("it isn't valid yet");
  checkTimes(claims, spec, expected.maxLifetimeMs, nowUnixMs);
}

/** Read before anything is proven, only to find whose keys to take. */
function issuerIn(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch (cause) {
    throw badToken("it is no JWT", cause);
  }
}

async function verified(
  token: string,
  { spec, keys }: { readonly spec: IssuerSpec; readonly keys: IssuerKeys },
  { audience }: ExpectedToken,
  clock: Clock,
): Promise<Awaited<ReturnType<typeof jwtVerify>>> {
  try {
    return await jwtVerify(token, keys, {
      algorithms: [...joseAlgorithms],
      issuer: spec.issuer,
      audience: [...audience],
      clockTolerance: spec.clockSkewMs / 1000,
      currentDate: new Date(clock.nowUnixMs()),
      requiredClaims: ["exp"],
    });
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw badToken(reasonOf(error), error);
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return "it has expired";
  if (error instanceof errors.JWTClaimValidationFailed) return `its "${error.claim}" isn't what it must be`;
  if (error instanceof errors.JOSEAlgNotAllowed) return "its algorithm isn't accepted";
  if (error instanceof errors.JWKSNoMatchingKey) return "its issuer has no such key";
  if (error instanceof errors.JWSSignatureVerificationFailed) return "its signature is wrong";
  return "it can't be verified";
}

function checkType(header: JWTHeaderParameters, types: readonly string[] | undefined): void {
  const type = (typeof header.typ === "string" ? header.typ : "").toLowerCase().replace(/^application\//, "");
  if (types !== undefined && !types.includes(type)) throw badToken('its "typ" isn\'t what it must be');
}

function checkTimes(
  { iat, exp = Infinity }: JWTPayload,
  { clockSkewMs }: IssuerSpec,
  maxLifetimeMs: number | undefined,
  nowUnixMs: number,
): void {
  if (iat !== undefined && iat * 1000 > nowUnixMs + clockSkewMs) throw badToken("it is from the future");
  if (maxLifetimeMs === undefined) return;
  if (iat === undefined) throw badToken("it doesn't say when it was made");
  if ((exp - iat) * 1000 > maxLifetimeMs) throw badToken("it lives longer than is accepted here");
}
