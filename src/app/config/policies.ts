/** `policies` in the config: the rules themselves, the file they stand in, or the signed bundle they come in. */
import path from "node:path";

import { z } from "zod";

import type { TextSource } from "../../host/store/watched-text.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { policySchema } from "../../policy/rules.ts";
import type { Tolerating } from "./classical-links.ts";
import { type KeyExchangeDial, keyExchangeDial, onlyInTransition } from "./link.ts";
import { fingerprint } from "./tools.ts";
import { durationMs, secretSource, secureUrl } from "./values.ts";

const isUrl = (text: string): boolean => /^https?:\/\//i.test(text);

const bundle = z.strictObject({
  from: z
    .union([
      z.string().min(1).max(2048),
      z.strictObject({
        git: z
          .string()
          .min(1)
          .describe(
            "Folder of a checkout that somebody else pulls; its commit goes on record. Relative to the config file.",
          ),
        file: z.string().min(1).describe("The bundle's path in that checkout."),
      }),
    ])
    .describe(
      "Where it is: a file, relative to the config file; a file in a git checkout; or an https URL (http on localhost only). Files are taken up when they are replaced.",
    ),
  publishers: z
    .array(fingerprint)
    .min(1)
    .max(16)
    .describe(
      "Fingerprints of the keys whose bundles count, as `latticegate policy bundle make` prints them; several while keys are replaced.",
    ),
  every: durationMs
    .refine((ms) => ms >= 1000 && ms <= 86_400_000, 'expected "1s" to "24h"')
    .prefault("60s")
    .describe("How often an https URL is asked, and a file that stays the same is judged again."),
  token: secretSource
    .optional()
    .describe(
      "Where the token stands that an https URL is asked with (`Authorization: Bearer`); none by default.",
    ),
  key_exchange: keyExchangeDial
    .default("hybrid-required")
    .describe("Of an https URL: as `servers.NAME.link.key_exchange`."),
});

export const policiesSchema = z
  .union([
    z.array(policySchema),
    z.string().min(1),
    z.strictObject({ bundle: bundle.describe("The signed bundle of rules that is followed.") }),
  ])
  .default([])
  .describe(
    "Who may do what; or the path of a file that holds the list; or where a signed bundle of it is. Taken up while the gateway runs when it is replaced. What no rule allows is denied.",
  );

export type PoliciesDocument = z.output<typeof policiesSchema>;

/** Where a bundle is; paths are absolute. */
export type BundlePlace =
  | { readonly kind: "file"; readonly file: string }
  | { readonly kind: "git"; readonly checkout: string; readonly file: string }
  | { readonly kind: "https"; readonly url: string };

export interface BundleSettings {
  readonly place: BundlePlace;
  readonly publishers: readonly string[];
  readonly everyMs: number;
  readonly token?: TextSource;
  readonly keyExchange: KeyExchangeDial;
}

/** @throws Refusal `bad_config` */
export function bundleSettings(
  policies: PoliciesDocument,
  folder: string,
  { profile, isPostQuantumOnly }: Pick<Tolerating, "profile" | "isPostQuantumOnly">,
): BundleSettings | undefined {
  if (typeof policies === "string" || !("bundle" in policies)) return undefined;
  const { from, publishers, every: everyMs, token, key_exchange: keyExchange } = policies.bundle;
  const place = placeOf(from, folder);
  if (keyExchange === "hybrid-preferred" && (isPostQuantumOnly || profile.classicalGroups.length === 0)) {
    const why = isPostQuantumOnly ? "p2p_connectivity rules it out" : onlyInTransition(profile);
    throw new Refusal("bad_config", `policies.bundle.key_exchange: ${why}.`);
  }
  if (token !== undefined && place.kind !== "https") {
    throw new Refusal("bad_config", "policies.bundle.token: a file is read without a token.");
  }
  return {
    place,
    publishers,
    everyMs,
    keyExchange,
    ...(token && { token: "env" in token ? token : { file: path.resolve(folder, token.file) } }),
  };
}

type From = Extract<PoliciesDocument, { readonly bundle: unknown }>["bundle"]["from"];

function placeOf(from: From, folder: string): BundlePlace {
  if (typeof from === "string" && isUrl(from)) {
    if (secureUrl.safeParse(from).success) return { kind: "https", url: from };
    throw new Refusal(
      "bad_config",
      "policies.bundle.from: expected an https URL without a user name; http on localhost only.",
    );
  }
  if (typeof from === "string") return { kind: "file", file: path.resolve(folder, from) };
  const checkout = path.resolve(folder, from.git);
  const file = path.resolve(checkout, from.file);
  if (file.startsWith(`${checkout}${path.sep}`)) return { kind: "git", checkout, file };
  throw new Refusal("bad_config", "policies.bundle.from.file: expected a path within the checkout.");
}

/** The same words for people, wherever a bundle's place is named; a URL's query may hold a token, so it isn't said. */
export function placeText(place: BundlePlace): string {
  if (place.kind === "file") return place.file;
  if (place.kind === "git") return `${place.file} (git)`;
  const { origin, pathname } = new URL(place.url);
  return `${origin}${pathname}`;
}
