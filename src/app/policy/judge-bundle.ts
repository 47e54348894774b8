/** Whether a bundle of policies is taken up: signed by who counts, newer than all before, and right here as a whole. */
import { sha256 } from "../../crypto/hash.ts";
import type { BundleStore, HighestBundle } from "../../host/store/state-bundles.ts";
import {
  type BundleFault,
  maxBundleBytes,
  type VerifiedBundle,
  verifyBundle,
} from "../../integrity/policy-bundle.ts";
import { toBase64url } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { PolicyDocument } from "../../policy/rules.ts";
import { bundleRules, runBundleCases, whyNotPassed } from "./bundle-rules.ts";
import type { NamesOfConfig } from "./refuse-wrong-rules.ts";

export type Judged =
  | { readonly kind: "take"; readonly bundle: VerifiedBundle; readonly rules: readonly PolicyDocument[] }
  /** It is in force, or an operator rolled it back. */
  | { readonly kind: "known" }
  | BundleRefusal;

export interface BundleRefusal {
  readonly kind: "refused";
  readonly why: BundleFault | "older" | "same_sequence" | "bad_rules";
  readonly text: string;
  /** Of what is signed, or of the bytes where that can't be told. */
  readonly digest: string;
  readonly sequence?: number;
}

interface Judging {
  readonly publishers: readonly string[];
  readonly config: NamesOfConfig;
  readonly nowUnixMs: number;
  readonly highest: HighestBundle | undefined;
  /** Digest of the one in force. */
  readonly inForce: string | undefined;
  /** Whose rules were found to be wrong with this very config. */
  readonly foundWrong?: BundleRefusal | undefined;
}

export async function judgeBundle(document: Uint8Array, judging: Judging): Promise<Judged> {
  const { highest, inForce, foundWrong } = judging;
  const checked = verifyBundle(document, judging);
  if (checked.kind === "fault") {
    const { fault: why, bundle } = checked;
    return { kind: "refused", why, text: faultText(why, bundle), ...about(bundle, document) };
  }
  const { bundle } = checked;
  if (bundle.digest === inForce || bundle.digest === highest?.digest) return { kind: "known" };
  if (highest !== undefined && bundle.sequence <= highest.sequence) {
    const why = bundle.sequence === highest.sequence ? "same_sequence" : "older";
    return { kind: "refused", why, text: oldText(bundle, highest), ...about(bundle, document) };
  }
  if (foundWrong?.digest === bundle.digest) return foundWrong;
  const rules = await rulesOrWhyNot(bundle, judging.config);
  if (typeof rules !== "string") return { kind: "take", bundle, rules };
  return { kind: "refused", why: "bad_rules", text: rules, ...about(bundle, document) };
}

async function rulesOrWhyNot(
  bundle: VerifiedBundle,
  config: NamesOfConfig,
): Promise<readonly PolicyDocument[] | string> {
  try {
    const rules = bundleRules(bundle, config);
    const results = await runBundleCases(bundle, rules);
    return results.map(whyNotPassed).find((why) => why !== undefined) ?? rules;
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
}

/**
 * The rules of the bundle that the state database has in force, with its signatures verified again; undefined if there
 * is none. Its cases aren't run again.
 * @throws Refusal `bad_state` or `bad_config` if it can't be in force here
 */
export function keptRules(
  store: Pick<BundleStore, "newest" | "document">,
  { publishers, config }: Pick<Judging, "publishers" | "config">,
): readonly PolicyDocument[] | undefined {
  const row = store.newest();
  if (row === undefined) return undefined;
  return bundleRules(keptBundle(store, row.digest, publishers), config);
}

/** @throws Refusal `bad_state` if it isn't kept, or not as it was signed by one of these */
export function keptBundle(
  store: Pick<BundleStore, "document">,
  digest: string,
  publishers: readonly string[] | undefined,
): VerifiedBundle {
  const document = store.document(digest);
  if (document === undefined) throw new Refusal("bad_state", "That bundle of policies isn't kept any more.");
  const checked = verifyBundle(document, { publishers, nowUnixMs: undefined });
  if (checked.kind === "fault") {
    const text = faultText(checked.fault, checked.bundle);
    throw new Refusal("bad_state", `The bundle of policies that is kept can't be in force: ${text}`);
  }
  if (checked.bundle.digest === digest) return checked.bundle;
  throw new Refusal("bad_state", "The bundle of policies that is kept is another one than was taken.");
}

/** What is wrong, and what to do about it. */
export function faultText(fault: BundleFault, bundle?: VerifiedBundle): string {
  return faultTexts[fault](bundle);
}

const faultTexts: Readonly<Record<BundleFault, (bundle: VerifiedBundle | undefined) => string>> = {
  too_large: () => `It is longer than ${maxBundleBytes} bytes.`,
  malformed: () =>
    "It isn't a bundle of policies, or says something twice. docs/formats/policy-bundle.md has the form.",
  weak_algorithm: () => "A signature is missing: it needs one with Ed25519 and one with ML-DSA-65.",
  unknown_key: () => "It is signed with other keys than it names.",
  bad_signature: () => "A signature doesn't fit: it was changed after it was signed.",
  unknown_publisher: (bundle) =>
    `It is signed by ${bundle?.signedBy ?? "somebody"}, which isn't among policies.bundle.publishers.`,
  expired: (bundle) =>
    `It ended on ${dateOf(bundle?.expiresAtUnixMs)}. Have it signed anew, with a higher sequence.`,
  not_yet_valid: (bundle) =>
    `It was issued on ${dateOf(bundle?.issuedAtUnixMs)}, which is yet to come. Compare the clocks.`,
};

function oldText({ sequence }: VerifiedBundle, highest: HighestBundle): string {
  return sequence === highest.sequence
    ? `It has the sequence ${sequence} of another bundle that was taken before. Sign it with a higher one.`
    : `It has the sequence ${sequence}, and ${highest.sequence} was taken already: it is an old one, or wants a higher sequence.`;
}

function about(
  bundle: VerifiedBundle | undefined,
  document: Uint8Array,
): Pick<BundleRefusal, "digest" | "sequence"> {
  if (bundle === undefined) return { digest: toBase64url(sha256(document)) };
  return { digest: bundle.digest, sequence: bundle.sequence };
}

function dateOf(unixMs: number | undefined): string {
  return unixMs === undefined ? "a day it doesn't say" : new Date(unixMs).toISOString();
}
