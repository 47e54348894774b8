/** `servers.<name>.link` in the config: what the links that lead to a server have to prove, and its own to have. */
import { z } from "zod";

import type { Profile } from "../../crypto/suites/profiles.ts";

/** ML-DSA alone, or a classical identity beside it. */
export const linkAuthentication = z.enum(["ml-dsa-mtls", "hybrid-mtls"]);

export type LinkAuthentication = z.output<typeof linkAuthentication>;

/** Whether a link without ML-KEM is refused, or tolerated where the other end can't. */
export const keyExchangeDial = z.enum(["hybrid-required", "hybrid-preferred"]);

export type KeyExchangeDial = z.output<typeof keyExchangeDial>;

export const linkSchema = z
  .strictObject({
    authentication: linkAuthentication
      .default("ml-dsa-mtls")
      .describe(
        "`hybrid-mtls` takes calls to this server only on links whose two ends proved a classical identity beside the ML-DSA one; with a `peer`, the link to it must too.",
      ),
    key_exchange: keyExchangeDial
      .optional()
      .describe(
        "Of a server at an https URL: `hybrid-required`, as by default, sends it nothing over a link without ML-KEM; `hybrid-preferred`, under a profile with classical groups (`transition`), goes on where it has none, and each call says so on record.",
      ),
  })
  .prefault({})
  .describe("What the links on which calls come to this server have to prove, and the one to it to have.");

/** Why `hybrid-preferred` can't be had under that profile. */
export function onlyInTransition({ name }: Pick<Profile, "name">): string {
  return `hybrid-preferred isn't possible under the profile "${name}": classical is tolerated only under \`transition\`, where a listener or server says so, or under a profile based on it that names its classical groups`;
}
