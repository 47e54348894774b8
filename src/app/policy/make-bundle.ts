/** `latticegate policy bundle make`: rules that pass their check and their cases, as a bundle with its publisher's signatures. */
import { existsSync } from "node:fs";

import { readBoundedFile } from "../../host/store/bounded-file.ts";
import { writePrivateFile } from "../../host/store/files.ts";
import type { KeyFolder } from "../../host/store/key-folder.ts";
import {
  maxBundleBytes,
  signBundle,
  type VerifiedBundle,
  verifyBundle,
} from "../../integrity/policy-bundle.ts";
import { publisherKeysOf } from "../../integrity/tools/publisher-keys.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { BadCase, CaseResult } from "../../policy/trial/cases.ts";
import { publisherSigners } from "../publisher-signers.ts";
import { readBundleRules, runBundleCases } from "./bundle-rules.ts";
import { writtenCases } from "./case-file.ts";
import { caseFileOf, checkFile, type CheckedFile } from "./check-files.ts";
import { faultText } from "./judge-bundle.ts";
import { readRuleFile } from "./rule-file.ts";

export interface BundleMaking {
  /** The file of rules, or a config that has them. */
  readonly file: string;
  /** Files of cases; by default the one beside the rules, if there is one. */
  readonly caseFiles: readonly string[];
  /** A config whose names, and whose gateway's tools, the rules are checked with. */
  readonly config: string | undefined;
  readonly output: string;
  readonly publisher: string;
  /** By default one more than in the bundle that is replaced; 1 for the first. */
  readonly sequence: number | undefined;
  readonly lifetimeMs: number;
  readonly keys: KeyFolder;
  readonly clock: Clock;
}

export type BundleMade =
  | {
      readonly kind: "made";
      readonly checked: CheckedFile;
      readonly cases: number;
      readonly bundle: VerifiedBundle;
    }
  /** Nothing was signed. */
  | {
      readonly kind: "wrong";
      readonly checked: CheckedFile;
      readonly failed: readonly (CaseResult | BadCase)[];
    };

/** @throws Refusal `bad_config` for files that can't be read */
export async function makeBundle(making: BundleMaking): Promise<BundleMade> {
  const { file, config, output, publisher, lifetimeMs, clock } = making;
  const checked = checkFile(file, config);
  if (checked.findings.some(({ severity }) => severity === "error")) {
    return { kind: "wrong", checked, failed: [] };
  }
  // As they are read from JSON: what is tried is what is signed.
  const content = JSON.parse(JSON.stringify(contentOf(making, checked))) as ReturnType<typeof contentOf>;
  const results = await runBundleCases(content, readBundleRules(content));
  const failed = results.filter((each) => each.kind === "bad-case" || !each.passed);
  if (failed.length > 0) return { kind: "wrong", checked, failed };
  const signers = await publisherSigners(making.keys, "policy");
  const own = publisherKeysOf(signers).fingerprint;
  const issuedAtUnixMs = clock.nowUnixMs();
  const times = { issuedAtUnixMs, expiresAtUnixMs: issuedAtUnixMs + lifetimeMs };
  const sequence = making.sequence ?? nextSequence(output, own);
  const document = await signBundle({ publisher, sequence, ...times, ...content }, signers);
  const bundle = asGatewaysReadIt(document, own);
  await writePrivateFile(output, document);
  return { kind: "made", checked, cases: results.length, bundle };
}

type Content = Pick<VerifiedBundle, "policies" | "cases">;

function contentOf({ file, caseFiles }: BundleMaking, { file: rules }: CheckedFile): Content {
  const beside = caseFileOf(rules);
  const files = caseFiles.length > 0 || !existsSync(beside) ? caseFiles : [beside];
  return {
    policies: readRuleFile(file).rules as Content["policies"],
    cases: files.map(writtenCases),
  };
}

/** @throws Refusal `bad_config` for what no gateway would take */
function asGatewaysReadIt(document: string, own: string): VerifiedBundle {
  const checked = verifyBundle(Buffer.from(document), { publishers: [own], nowUnixMs: undefined });
  if (checked.kind === "verified") return checked.bundle;
  throw new Refusal(
    "bad_config",
    `No gateway would take this bundle, so it wasn't written: ${faultText(checked.fault)}`,
  );
}

/** @throws Refusal `bad_config` if what stands there is somebody else's, or no bundle */
function nextSequence(output: string, own: string): number {
  if (!existsSync(output)) return 1;
  const trusting = { publishers: [own], nowUnixMs: undefined };
  const checked = verifyBundle(readBoundedFile(output, maxBundleBytes), trusting);
  // Keys that were replaced go on counting.
  if (checked.bundle !== undefined) return checked.bundle.sequence + 1;
  throw new Refusal(
    "bad_config",
    `${output} is no bundle whose sequence could be gone on with. Say --sequence N, or write elsewhere with -o FILE.`,
  );
}
