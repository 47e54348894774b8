/** `enrolment` in the config: which workloads get which identity for a token or a certificate they have already. */
import { z } from "zod";

import { isTrustDomain } from "../../identity/spiffe-id.ts";
import { checkSharedIssuer, compileEnrolment } from "../../identity/workload.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { issuerName } from "./issuers.ts";
import { durationMs } from "./values.ts";

const hour = 3_600_000;

const pattern = z.string().min(1).max(512);

const shared = {
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, "expected a name of lower-case letters, digits, '.', '_' and '-'")
    .describe("What the audit log calls this way in."),
  identity: z
    .string()
    .min(1)
    .max(512)
    .describe(
      "Path of the SPIFFE ID it gives, e.g. `agent/k8s/{account}`, from the parts that `match` names; begins with `agent/` or `server/`.",
    ),
  renewable_for: durationMs
    .refine((ms) => ms <= 7 * 24 * hour, "expected at most 7d")
    .prefault("24h")
    .describe("How long its certificates are renewed before the workload has to prove itself again."),
};

const byToken = z.strictObject({
  ...shared,
  token: z
    .strictObject({
      issuer: issuerName.describe("Whose tokens count: a name under `issuers`."),
      audience: z
        .string()
        .startsWith("spiffe://", 'expected a name of this gateway, e.g. "spiffe://acme.test/gateway"')
        .optional()
        .describe(
          "Audience the token must be made for: the trust domain or a name in it, by default the gateway's SPIFFE ID.",
        ),
      max_lifetime: durationMs
        .refine((ms) => ms > 0 && ms <= 24 * hour, "expected more than nothing and at most 24h")
        .prefault("2h")
        .describe("Longest life, from `iat` to `exp`, a token may have."),
    })
    .describe("Workloads prove themselves with a JWT, of which each counts once."),
  match: z
    .record(z.string().min(1).max(256), pattern)
    .refine((match) => Object.keys(match).length > 0, "expected one claim at least")
    .describe(
      "Claims the token must have, by name (within others by JSON Pointer, e.g. `/kubernetes.io/namespace`), each with a pattern: `*` is any run of characters, `{name}` a part for `identity`.",
    ),
});

const bySvid = z.strictObject({
  ...shared,
  svid: z
    .strictObject({
      bundle: z
        .string()
        .min(1)
        .describe("File with the trust bundle (PEM) of the other authority; read at each enrolment."),
      trust_domain: z
        .string()
        .refine(isTrustDomain, "expected a SPIFFE trust domain such as prod.acme.test")
        .describe("Trust domain of that authority."),
    })
    .describe("Workloads prove themselves with an X.509 SVID of another authority, such as SPIRE."),
  match: z
    .strictObject({
      spiffe_id: pattern.describe(
        "Pattern of the SPIFFE ID the SVID must have, e.g. `spiffe://prod.acme.test/ns/{namespace}/sa/{account}`.",
      ),
    })
    .describe("What it must say."),
});

export const enrolmentSchema = z
  .array(z.union([byToken, bySvid]))
  .max(64)
  .default([])
  .describe("Workloads that get an identity without a join token; the first entry that fits counts.");

export type EnrolmentDocument = z.output<typeof enrolmentSchema>;

/**
 * What the schema alone can't tell: an entry that can't be carried out as written is told now, not when a workload comes.
 * @throws Refusal `bad_config`
 */
export function checkEnrolment(
  entries: EnrolmentDocument,
  issuers: Readonly<Record<string, { readonly issuer: string }>>,
  trustDomain: string,
): void {
  const names = entries.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new Refusal("bad_config", `enrolment: two entries are called "${twice}".`);
  for (const entry of entries) {
    compileEnrolment(entry);
    if (!("token" in entry)) continue;
    const { issuer: name, audience } = entry.token;
    const issuer = Object.hasOwn(issuers, name) ? issuers[name]?.issuer : undefined;
    if (issuer === undefined) {
      throw new Refusal("bad_config", `enrolment "${entry.name}": there is no "${name}" under issuers.`);
    }
    checkSharedIssuer(entry.name, issuer, entry.match);
    const domain = `spiffe://${trustDomain}`;
    if (audience !== undefined && audience !== domain && !audience.startsWith(`${domain}/`)) {
      throw new Refusal(
        "bad_config",
        `enrolment "${entry.name}": the audience must be ${domain} or a name in it, so that a token made for somebody else isn't worth anything here.`,
      );
    }
  }
}
