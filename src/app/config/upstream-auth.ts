/** `servers.<name>.auth` in the config: what the gateway shows of itself to a protected server. */
import { z } from "zod";

import { assertionSuites } from "../../crypto/suites/jose.ts";
import { secretSource, secureUrl } from "./values.ts";

/** RFC 6749 §3.3 */
const scope = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/, "expected a scope as RFC 6749 spells it");

const tlsParts = {
  certificate: z
    .strictObject({ file: z.string().min(1).describe("PEM, the whole chain.") })
    .describe("The client certificate, ML-DSA or classical; read again when the file changes."),
  key: secretSource.describe("Its private key, PEM; read again when the file changes."),
  ca: z
    .strictObject({ file: z.string().min(1).describe("PEM.") })
    .optional()
    .describe("The roots under which the other end is trusted, instead of those that Node brings."),
};

const tls = z
  .strictObject(tlsParts)
  .optional()
  .describe(
    "Client certificate to show to the server and to the authorization server, which may bind tokens to it (RFC 8705). TLS 1.3, hybrid groups first.",
  );

const issuer = secureUrl
  .optional()
  .describe(
    "The authorization server; by default the one that the server itself names (RFC 9728). Required wherever the gateway shows a secret or vouches for callers, so that no server can have that sent elsewhere.",
  );
const scopes = z
  .array(scope)
  .max(64)
  .default([])
  .describe("Scopes to ask for; by default those that the server names.");
const resource = secureUrl
  .optional()
  .describe("Resource indicator of the tokens (RFC 8707); by default the server's URL.");
const dpop = z
  .enum(["auto", "required", "off"])
  .default("auto")
  .describe(
    "Tokens bound to a key of the gateway's (RFC 9449): `auto` where the server and its authorization server say that they take them.",
  );
const clientId = z.string().min(1).max(2048).describe("The gateway's client id at the authorization server.");
const secret = secretSource.describe("The client secret.");
const secretIn = z
  .enum(["basic", "post"])
  .default("basic")
  .describe("Where the secret is sent: `client_secret_basic` or `client_secret_post`.");
const key = secretSource.describe(
  "Private key, PEM, with which the client proves itself (private_key_jwt, RFC 7523); the algorithm follows from it: ML-DSA, Ed25519, ES256 or PS256.",
);
const target = { issuer, scopes, resource, dpop, tls };
const bearer = z.strictObject({
  kind: z.literal("bearer").describe("A token that somebody else gives out and renews."),
  token: secretSource.describe("The token, without `Bearer`; read again when the file changes."),
  tls,
});

const pinned = {
  path: ["issuer"],
  error: "expected an issuer: without it the server itself would say who is shown the secret",
};

const clientCredentials = z
  .strictObject({
    kind: z
      .literal("client_credentials")
      .describe("The gateway's own tokens (RFC 6749 section 4.4), one for all callers."),
    client_id: clientId,
    secret: secret.optional().describe("The client secret; without it, `tls` proves the client (RFC 8705)."),
    secret_in: secretIn,
    ...target,
  })
  .refine(({ secret, tls }) => secret !== undefined || tls !== undefined, {
    path: ["secret"],
    error: "expected a secret, or a certificate under tls",
  })
  .refine(({ secret, issuer }) => secret === undefined || issuer !== undefined, pinned);

const privateKeyJwt = z.strictObject({
  kind: z
    .literal("private_key_jwt")
    .describe("The same, where the client proves itself by a key instead of a secret."),
  client_id: clientId,
  key,
  ...target,
});

const mtls = z.strictObject({
  kind: z.literal("mtls").describe("A client certificate alone."),
  ...tlsParts,
});

const authorizationCode = z
  .strictObject({
    kind: z
      .literal("authorization_code")
      .describe("A grant of each caller's own, which its person gives with `latticegate grant SERVER`."),
    client_id: clientId.optional().describe("The client id, where the gateway was registered beforehand."),
    secret: secret.optional(),
    secret_in: secretIn,
    key: key.optional(),
    client_metadata: secureUrl
      .optional()
      .describe(
        "URL of a client id metadata document, used as the client id where the authorization server takes such; its redirect URI is `http://127.0.0.1/callback`.",
      ),
    register: z
      .boolean()
      .default(true)
      .describe("Whether the gateway may register itself (RFC 7591) where neither of the two counts."),
    ...target,
  })
  .refine(({ secret, key }) => secret === undefined || key === undefined, {
    path: ["key"],
    error: "expected a secret or a key, not both",
  })
  .refine((auth) => auth.client_id !== undefined || (auth.secret ?? auth.key) === undefined, {
    path: ["client_id"],
    error: "expected a client_id with the secret or key",
  })
  .refine(({ secret, issuer }) => secret === undefined || issuer !== undefined, pinned);

const proof = { secret: secret.optional(), secret_in: secretIn, key: key.optional() };
const signedWith = z
  .enum(assertionSuites)
  .default(assertionSuites[0])
  .describe(
    "What the gateway signs with when it says who calls; its public keys stand in `assertion-keys.json` in the state folder.",
  );

interface Proof {
  readonly secret?: unknown;
  readonly key?: unknown;
  readonly tls?: unknown;
}

function hasOneProof({ secret, key, tls }: Proof): boolean {
  return secret === undefined ? (key ?? tls) !== undefined : key === undefined;
}

const tokenExchange = z
  .strictObject({
    kind: z
      .literal("token_exchange")
      .describe(
        "A token for each caller, in exchange for what the gateway says of it (RFC 8693): a short-lived JWT that names the caller and whom it acts for.",
      ),
    client_id: clientId,
    ...proof,
    signed_with: signedWith,
    ...target,
  })
  .refine(hasOneProof, { path: ["secret"], error: "expected a secret, a key, or a certificate under tls" })
  .refine(({ issuer }) => issuer !== undefined, pinned);

const idJag = z
  .strictObject({
    kind: z
      .literal("id_jag")
      .describe(
        "The same through an identity provider, whose identity assertion the server's own authorization server accepts (enterprise-managed authorization).",
      ),
    idp: z
      .strictObject({
        issuer: secureUrl.describe("The identity provider's issuer."),
        client_id: clientId.describe("The gateway's client id there."),
        ...proof,
      })
      .refine(hasOneProof, { path: ["secret"], error: "expected a secret or a key" })
      .describe("The identity provider that is asked first."),
    client_id: clientId,
    ...proof,
    signed_with: signedWith,
    ...target,
  })
  .refine(hasOneProof, { path: ["secret"], error: "expected a secret, a key, or a certificate under tls" })
  .refine(({ issuer }) => issuer !== undefined, pinned);

export const upstreamAuthSchema = z
  .discriminatedUnion("kind", [
    bearer,
    clientCredentials,
    privateKeyJwt,
    mtls,
    authorizationCode,
    tokenExchange,
    idJag,
  ])
  .describe("What the gateway shows of itself to the server; a caller's own token is never passed on.");

export type UpstreamAuth = z.output<typeof upstreamAuthSchema>;

/** A client certificate, its key and the roots of the other end, by their files. */
export type CertificateFiles = NonNullable<Extract<UpstreamAuth, { readonly kind: "bearer" }>["tls"]>;
