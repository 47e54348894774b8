/** What the gateway vouches for to authorization servers: who calls, and for whom (RFC 7519, RFC 8693 §4.1). */
import { randomUUID } from "node:crypto";

import { fingerprint, type SigningKey } from "../crypto/keys.ts";
import { publicJwk, signJwt } from "../crypto/jwt-keys.ts";
import { jwtAlgorithm } from "../crypto/suites/jose.ts";
import type { SignatureSuiteId } from "../crypto/suites/signatures.ts";
import { writePrivateFile } from "../host/store/files.ts";
import type { KeyFolder } from "../host/store/key-folder.ts";
import type { CallerAssertion } from "../host/oauth/delegated-tokens.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Caller } from "../model/caller.ts";
import type { ServerConfig } from "./config.ts";

export interface AssertionsOptions {
  /** SPIFFE ID of the gateway. */
  readonly issuer: string;
  readonly keys: KeyFolder;
  readonly clock: Clock;
}

/** Long enough for one request to an authorization server whose clock is a little off. */
const lifeS = 60;

export type Assertions = (suite: SignatureSuiteId) => CallerAssertion;

export function callerAssertions({ issuer, keys, clock }: AssertionsOptions): Assertions {
  return (suite) => async (caller, audience) => {
    const key = await assertionKey(keys, suite);
    const nowS = Math.floor(clock.nowUnixMs() / 1000);
    const claims = {
      iss: issuer,
      ...subjectOf(caller),
      aud: audience,
      iat: nowS,
      exp: nowS + lifeS,
      jti: randomUUID(),
    };
    return await signJwt({ typ: "JWT", kid: fingerprint(key.publicKey) }, claims, key);
  };
}

/** The subject is who began; who acts for it now stands outermost in `act`, those between inside (RFC 8693 §4.1). */
export function subjectOf({ id, chain }: Pick<Caller, "id" | "chain">): object {
  const [first, ...between] = chain;
  if (first === undefined) return { sub: id };
  const act = [...between, id].reduce<object | undefined>(
    (inner, sub) => ({ sub, ...(inner !== undefined && { act: inner }) }),
    undefined,
  );
  return { sub: first, act };
}

/** Writes the public keys of the assertions that the config asks for, for the operators of authorization servers. */
export async function publishAssertionKeys(
  file: string,
  servers: Readonly<Record<string, ServerConfig>>,
  keys: KeyFolder,
): Promise<void> {
  const suites = new Set(
    Object.values(servers).flatMap((server) =>
      ("url" in server || "openapi" in server) && server.auth !== undefined && "signed_with" in server.auth
        ? [server.auth.signed_with]
        : [],
    ),
  );
  if (suites.size === 0) return;
  const jwks = await Promise.all(
    [...suites].map(async (id) => {
      const { publicKey, suite } = await assertionKey(keys, id);
      return publicJwk(publicKey, { kid: fingerprint(publicKey), alg: jwtAlgorithm(suite) });
    }),
  );
  await writePrivateFile(file, `${JSON.stringify({ keys: jwks }, null, 2)}\n`);
}

function assertionKey(keys: KeyFolder, suite: SignatureSuiteId): Promise<SigningKey> {
  return keys.signing(`assertions-${suite.toLowerCase()}`, suite);
}
