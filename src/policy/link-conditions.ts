/** `link` of a rule: what was negotiated for the link a call comes on. Names are checked: one that is misspelt would never match. */
import { z } from "zod";

import { keyExchangeSuites } from "../crypto/suites/key-exchange.ts";
import { signatureSuite, signatureSuiteIds } from "../crypto/suites/signatures.ts";
import type { LinkPosture } from "../model/channel.ts";

const level = z.union([z.literal(0), z.literal(1), z.literal(3), z.literal(5)]);
const oneOf = (names: readonly string[]) =>
  z
    .array(z.enum(names as readonly [string, ...string[]]))
    .min(1)
    .max(32);

/** What certificates of workloads can be of. */
export const certificateIds = signatureSuiteIds.filter((id) => {
  const { kind, tlsName } = signatureSuite(id);
  return kind === "pq" && tlsName !== null;
});

export const linkConditions = z
  .strictObject({
    min_level: level
      .optional()
      .describe("NIST security category of the key exchange, at least; 0 is one without ML-KEM."),
    max_level: level.optional().describe("The same, at most; for rules that deny."),
    pq: z
      .boolean()
      .optional()
      .describe("Whether the key exchange holds against a quantum computer: has ML-KEM."),
    groups: oneOf(keyExchangeSuites.map(({ id }) => id))
      .optional()
      .describe("TLS groups, by their IANA names."),
    cert: oneOf([...certificateIds, "none"])
      .optional()
      .describe(
        "Algorithms of the certificate that proved the caller on the link, e.g. `ML-DSA-87`; `none` for clients with access tokens.",
      ),
  })
  .refine((conditions) => Object.values(conditions).some((each) => each !== undefined), {
    error: "expected at least one of min_level, max_level, pq, groups and cert",
  })
  .refine(({ min_level: min = 0, max_level: max = 5 }) => min <= max, {
    path: ["max_level"],
    error: "expected no less than min_level: no link would match",
  });

type LinkConditions = z.output<typeof linkConditions>;

/** All that is said must be true. */
export function linkMatcher(conditions: LinkConditions): (link: LinkPosture) => boolean {
  const { min_level: min = 0, max_level: max = 5, pq, groups, cert } = conditions;
  return ({ group, level: actual, isPostQuantum, certificate = "none" }) =>
    actual >= min &&
    actual <= max &&
    (pq === undefined || pq === isPostQuantum) &&
    (groups?.includes(group) ?? true) &&
    (cert?.includes(certificate) ?? true);
}
