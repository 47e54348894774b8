/** `profile` and `crypto` in the config: which algorithms may be used. */
import { z } from "zod";

import {
  builtInProfiles,
  defaultProfile,
  isProfileName,
  narrowed,
  type Profile,
  profileNames,
  profileOf,
  resolveProfile,
} from "../../crypto/suites/profiles.ts";
import type { Confidence } from "../../identity/regressions.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { durationMs } from "./values.ts";

export const profileName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9.-]{0,63}$/, "expected a profile's name")
  .default(defaultProfile)
  .describe(
    "Algorithms in use: `transition` (as `hybrid`, and links without ML-KEM where a listener takes them), `hybrid` (X25519MLKEM768 and stronger, ML-DSA-65), `cnsa-2.0` (SecP384r1MLKEM1024, ML-DSA-87 and AES-256 alone), or one of `crypto.profiles`. `latticegate crypto apply` changes it while the gateway runs.",
  );

/** Shorter ones would let nothing settle; two generations of a root stand side by side for a month. */
const leastDays = { root: 31, key: 1 } as const;

function every(days: number) {
  return z.union([
    z.literal("off"),
    durationMs.refine(
      (ms) => ms >= days * 24 * 3_600_000,
      `expected ${days === 1 ? 'a day ("1d")' : `${days} days ("${days}d")`} or more, or "off"`,
    ),
  ]);
}

const ownProfile = z.strictObject({
  based_on: z.enum(profileNames).describe("The profile it narrows."),
  allowed_algos: z
    .array(z.string().min(1))
    .min(1)
    .max(32)
    .describe(
      "What is left of it, by FIPS names such as ML-KEM-1024 and ML-DSA-87, or names of TLS groups; classical groups only by name.",
    ),
});

const verdict = z.enum(["refuse", "flag"]);
type Verdict = z.output<typeof verdict>;

/** What becomes of a link with a regression, by how certain that is. */
export type RegressionPolicy = Readonly<Record<Confidence, Verdict>>;

function verdicts(said: Verdict | RegressionPolicy): RegressionPolicy {
  if (typeof said !== "string") return said;
  return { low: "flag", medium: "flag", high: said };
}

export const cryptoSchema = z
  .strictObject({
    profiles: z
      .record(
        z
          .string()
          .regex(/^[a-z0-9][a-z0-9.-]{0,63}$/)
          .refine((name) => !isProfileName(name), "expected a name that no built-in profile has"),
        ownProfile,
      )
      .default({})
      .describe("Profiles of your own, by name: a built-in one, narrowed."),
    rotation: z
      .strictObject({
        roots: every(leastDays.root)
          .prefault("365d")
          .describe(
            "How old a root may become before the next generation is made: 31 days or more, since the old one stays for a month.",
          ),
        tls_keys: every(leastDays.key)
          .prefault("30d")
          .describe(
            "How long a sidecar keeps the key of its certificates; the gateway's are new twice an hour.",
          ),
      })
      .prefault({})
      .describe(
        'What is replaced by itself, and after which time; "off" for never. `latticegate crypto rotate` does it now.',
      ),
    memory: z
      .union([z.literal("off"), durationMs])
      .prefault("180d")
      .describe(
        "How long the best suite that a peer was seen with is remembered after it was last seen; what is less than that is a regression. `off` remembers and judges nothing.",
      ),
    regression: z
      .union([
        verdict,
        z.strictObject({
          high: verdict
            .default("refuse")
            .describe("What is certain, such as a group with ML-KEM that is gone."),
          medium: verdict.default("flag").describe("What has other explanations too."),
          low: verdict.default("flag").describe("What is common."),
        }),
      ])
      .default("refuse")
      .transform(verdicts)
      .describe(
        "What becomes of a link that is weaker than its peer was seen to be capable of: `refuse` cuts it where that is certain and flags the rest, `flag` lets it go on and says so on record; or one of both for each confidence.",
      ),
  })
  .prefault({})
  .describe("Which algorithms may be used, and what is remembered of peers.");

type CryptoDocument = z.output<typeof cryptoSchema>;

/**
 * The profile of that name, built in or the operator's own.
 * @param allowed narrows it further
 * @throws Refusal `bad_config`
 */
export function namedProfile(
  name: string,
  { profiles }: CryptoDocument,
  allowed: readonly string[] | undefined,
): Profile {
  const own = Object.hasOwn(profiles, name) ? profiles[name] : undefined;
  if (own === undefined) {
    if (isProfileName(name)) return resolveProfile(name, allowed);
    const all = [...profileNames, ...Object.keys(profiles)].join(", ");
    throw new Refusal("bad_config", `There is no profile "${name}"; there are ${all}.`);
  }
  const base = builtInProfiles.find(({ document }) => document.name === own.based_on);
  if (base === undefined) throw new Error("a profile based on none");
  const document = narrowed({ ...base.document, name }, own.allowed_algos);
  return profileOf(allowed === undefined ? document : narrowed(document, allowed));
}
