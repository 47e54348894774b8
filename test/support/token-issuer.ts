/** An issuer of tokens as identity providers run them: metadata, a key set, and JWTs with any claims and any header. */
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";

import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTHeaderParameters,
  SignJWT,
} from "jose";

import { atEnd, type Cleanup } from "./cleanup.ts";

export interface TokenIssuer {
  readonly url: string;
  /** A token that is valid for five minutes, unless the claims say otherwise; `undefined` leaves a claim out. */
  readonly token: (
    claims: Readonly<Record<string, unknown>>,
    header?: Partial<JWTHeaderParameters>,
  ) => Promise<string>;
  /** A token that says nothing: its issuer is asked what it is. */
  readonly opaque: (claims: Readonly<Record<string, unknown>>) => string;
  /** From now on signs with a new key; the old one is no longer in the key set. */
  readonly rotate: () => Promise<void>;
  /** Answers so from now on, instead of with what was asked for. */
  readonly answering: (answer: http.RequestListener | undefined) => void;
  /** How often it was asked about a token. */
  readonly tokensAsked: () => number;
  /** How often its key set was asked for. */
  readonly keysAsked: () => number;
  readonly publicKey: () => JWK;
}

/** @param algorithm by its JOSE name */
export async function tokenIssuer(t: Cleanup, algorithm = "ES256"): Promise<TokenIssuer> {
  let key = await newKey(algorithm, "1");
  let asked = 0;
  let tokensAsked = 0;
  let instead: http.RequestListener | undefined;
  const opaque = new Map<string, object>();
  const server = http.createServer((request, response) => {
    const isKeys = request.url === "/jwks";
    if (isKeys) asked += 1;
    if (instead !== undefined) return instead(request, response);
    if (request.url === "/introspect") {
      tokensAsked += 1;
      void introspect(request, opaque).then((found) => response.end(JSON.stringify(found)));
      response.writeHead(200, { "content-type": "application/json" });
      return;
    }
    const isMetadata = request.url === "/.well-known/openid-configuration";
    const body = isKeys ? { keys: [key.jwk] } : { issuer: url, jwks_uri: `${url}/jwks` };
    response.writeHead(isKeys || isMetadata ? 200 : 404, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  atEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url,
    rotate: async () => void (key = await newKey(algorithm, String(Number(key.jwk.kid) + 1))),
    answering: (answer) => void (instead = answer),
    keysAsked: () => asked,
    tokensAsked: () => tokensAsked,
    opaque: (claims) => {
      const token = `opaque-${opaque.size}`;
      opaque.set(token, claims);
      return token;
    },
    publicKey: () => key.jwk,
    token: async (claims, header = {}) => {
      const now = Math.floor(Date.now() / 1000);
      return await new SignJWT({ iss: url, iat: now, exp: now + 300, ...claims })
        .setProtectedHeader({ alg: algorithm, kid: key.jwk.kid ?? "", ...header })
        .sign(key.privateKey);
    },
  };
}

/** Only for who proves to be the gateway. */
async function introspect(
  request: http.IncomingMessage,
  known: ReadonlyMap<string, object>,
): Promise<object> {
  const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>)).toString();
  const isGateway = request.headers.authorization === `Basic ${btoa("gateway:secret")}`;
  const claims = known.get(new URLSearchParams(body).get("token") ?? "");
  return isGateway && claims !== undefined ? { active: true, ...claims } : { active: false };
}

async function newKey(
  algorithm: string,
  kid: string,
): Promise<{ readonly privateKey: CryptoKey; readonly jwk: JWK }> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true });
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: algorithm, use: "sig" } };
}
