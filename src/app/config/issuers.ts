/** `issuers` in the config: whose tokens count, and where their keys are. */
import path from "node:path";

import { z } from "zod";

import type { IssuerSpec } from "../../host/oauth/issuers.ts";
import { secretFrom } from "../secret-source.ts";
import { durationMs, secretSource, secureUrl } from "./values.ts";

/** Issuers stand in names of callers, between ":" and "/". */
export const issuerName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, "expected a name of lower-case letters, digits, '.', '_' and '-'");

const issuerSchema = z.strictObject({
  issuer: secureUrl.describe("The issuer's identifier, as it stands in `iss` of its tokens."),
  jwks: z
    .union([
      secureUrl.describe("URL of its key set."),
      z.strictObject({
        file: z.string().min(1).describe("File that holds its key set; read again when it changes."),
      }),
    ])
    .optional()
    .describe("Where its keys are (JWKS); by default where its metadata says (RFC 8414, OpenID Connect)."),
  ca: z
    .string()
    .min(1)
    .optional()
    .describe("File with the CA certificates (PEM) of its server; the system's by default."),
  introspection: z
    .strictObject({
      url: secureUrl.describe("Its introspection endpoint (RFC 7662)."),
      client_id: z.string().min(1).describe("What it knows this gateway as."),
      client_secret: secretSource.describe("The secret that goes with it."),
      cache: durationMs
        .refine((ms) => ms <= 300_000, "expected at most 5m")
        .prefault("10s")
        .describe("How long an answer counts, and so a token that was withdrawn."),
    })
    .optional()
    .describe("How it is asked about tokens that are no JWT; without it they are refused."),
  clock_skew: durationMs
    .refine((ms) => ms <= 300_000, "expected at most 5m")
    .prefault("30s")
    .describe("How far its clock may be from ours."),
});

export const issuersSchema = z
  .record(issuerName, issuerSchema)
  .default({})
  .describe("Authorization servers and identity providers whose tokens (JWT) count, by a name of our own.");

type IssuersDocument = z.output<typeof issuersSchema>;

/** @param folder relative paths count from here */
export function issuerSpecs(issuers: IssuersDocument, folder: string): ReadonlyMap<string, IssuerSpec> {
  const at = (file: string): string => path.resolve(folder, file);
  return new Map(
    Object.entries(issuers).map(([name, { issuer, jwks, ca, introspection, clock_skew: clockSkewMs }]) => [
      name,
      {
        issuer,
        clockSkewMs,
        ...(jwks !== undefined && {
          keys: typeof jwks === "string" ? { url: jwks } : { file: at(jwks.file) },
        }),
        ...(ca !== undefined && { caFile: at(ca) }),
        ...(introspection && {
          introspection: {
            url: introspection.url,
            clientId: introspection.client_id,
            clientSecret: secretFrom(introspection.client_secret, `issuers.${name}.introspection`, folder),
            cacheMs: introspection.cache,
          },
        }),
      },
    ]),
  );
}
