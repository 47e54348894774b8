/** What can be said of rules before anybody publishes them: checked, tried by cases, held against recorded calls. */
import path from "node:path";

import type { Document } from "yaml";

import { openLogReader } from "../../host/store/log-reader.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { type BadCase, type CaseResult, triedRules, type TriedRules } from "../../policy/trial/cases.ts";
import { readCaptured } from "../capture/read-captured.ts";
import type { Config } from "../config.ts";
import { firstSince } from "../log-times.ts";
import { statePaths } from "../state-folder.ts";
import { withNames } from "../subject-names.ts";
import {
  caseFilesIn,
  loadPolicies,
  policiesOf,
  readCaseFile,
  readCaseText,
  runCasesBy,
} from "./case-file.ts";
import { checkRuleFile, type PlacedFinding } from "./check-files.ts";
import { configWithoutRules, knownOfConfig, trialWorldOfConfig } from "./known-config.ts";
import { readRuleText, type RuleFile } from "./rule-file.ts";
import { type ReplayedCall, replayed } from "./replay-log.ts";
import { ruleSource } from "./rule-source.ts";

/** What a draft is called in messages. */
export const draftName = "The draft";

export interface CheckedDraft {
  readonly rules: number;
  readonly findings: readonly (Omit<PlacedFinding, "kind"> & { readonly kind: string })[];
  /** Servers whose tools aren't known, so that nothing was said of them. */
  readonly withoutTools: readonly string[];
}

/** Never throws for what is wrong with the text: that is a finding. */
export function checkDraft(text: string, configFile: string): CheckedDraft {
  const config = configWithoutRules(configFile);
  const read = readOrWhyNot(text);
  if ("finding" in read) return { rules: 0, findings: [read.finding], withoutTools: [] };
  const { rules, findings, withoutTools = [] } = checkRuleFile(read, knownOfConfig(config));
  return { rules, findings, withoutTools };
}

function readOrWhyNot(text: string): RuleFile | { readonly finding: CheckedDraft["findings"][number] } {
  try {
    return readRuleText(text, draftName);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { line = 1, col: column = 1 } = placeIn(error.cause);
    const [wrong = ""] = error.message.split("\n");
    const mend = "Write a list of rules under `policies:`; docs/formats/policy.md has what a rule can say.";
    const about = { severity: "error", rule: null, at: [], file: draftName } as const;
    return { finding: { ...about, kind: "bad-file", line, column, wrong, mend } };
  }
}

/** Where the parser stopped. */
function placeIn(cause: unknown): { readonly line?: number; readonly col?: number } {
  return (cause as Partial<Document["errors"][number]> | undefined)?.linePos?.[0] ?? {};
}

export interface TriedFile {
  readonly name: string;
  readonly results: readonly (CaseResult | BadCase)[];
}

/**
 * The cases that somebody typed, or else those beside the config which name the file that the draft would replace.
 * @throws Refusal `bad_config` for rules or cases that don't load
 */
export function testDraft(
  { text, cases }: { readonly text: string; readonly cases?: string },
  configFile: string,
): readonly TriedFile[] {
  const draft = triedRules(policiesOf(readRuleText(text, draftName)));
  if (cases !== undefined) return [{ name: "typed", results: runCasesBy(readCaseText(cases), [draft]) }];
  const { file } = ruleSource(configFile);
  const folder = path.dirname(path.resolve(configFile));
  const folders = [
    folder,
    path.join(folder, "policies"),
    ...(file === undefined ? [] : [path.dirname(file)]),
  ];
  return caseFilesIn(folders).flatMap((each) => {
    const read = readCaseFile(each);
    const isOf = (rules: string): boolean => rules === file || rules === path.resolve(configFile);
    if (!read.rules.some(isOf)) return [];
    const tried = read.rules.map((rules): TriedRules => (isOf(rules) ? draft : loadPolicies(rules)));
    return [{ name: path.basename(each), results: runCasesBy(read, tried) }];
  });
}

export interface DiffOrder {
  readonly text: string;
  readonly sinceUnixMs: number;
  readonly nowUnixMs: number;
}

/** Calls that become the same of the same by the same rules, of one caller and target. */
interface ReplayGroup {
  readonly example: ReplayedCall;
  readonly count: number;
}

export interface ReplayedDraft {
  readonly calls: number;
  readonly stays: number;
  readonly changes: number;
  readonly unknown: number;
  /** Changes first, then the most frequent. */
  readonly groups: readonly ReplayGroup[];
  /** Older or other calls weren't looked at: there were too many, or it took too long. */
  readonly isCut: boolean;
  /** When the oldest call was that was looked at; undefined: there was none. */
  readonly fromUnixMs: number | undefined;
}

/** As many of the newest entries of the log are read. */
const maxEntries = 100_000;
const maxCaptured = 20_000;
const maxGroups = 200;
const longestMs = 30_000;

/** @throws Refusal `bad_config` for rules that don't load, `bad_state` if the log's names can't be read */
export async function replayDraft(
  { text, sinceUnixMs, nowUnixMs }: DiffOrder,
  configFile: string,
): Promise<ReplayedDraft> {
  const after = triedRules(policiesOf(readRuleText(text, draftName))).calls;
  const before = triedRules(ruleSource(configFile).documents).calls;
  const config = configWithoutRules(configFile);
  const reader = openLogReader(statePaths(config.state).log);
  const [first, size] = [await firstSince(reader, sinceUnixMs), await reader.size()];
  const from = Math.max(first, size - maxEntries);
  const locked = (why: string): never => {
    throw new Refusal("bad_state", `The log's names can't be read: ${why}`);
  };
  return await withNames(
    config,
    async ({ named }) => {
      const captured = await capturedCalls(config, sinceUnixMs);
      const world = trialWorldOfConfig(config);
      const range = { reader, from, sinceUnixMs, untilUnixMs: nowUnixMs };
      const sums = await summed(replayed({ ...range, named, world, captured, before, after }));
      return { ...sums, isCut: sums.isCut || from > first };
    },
    locked,
  );
}

async function capturedCalls(config: Config, sinceUnixMs: number) {
  const { calls } = await readCaptured(config, sinceUnixMs, maxCaptured);
  return new Map(calls.map(({ id, args, address }) => [id, { args, address }]));
}

async function summed(calls: AsyncIterable<ReplayedCall>): Promise<ReplayedDraft> {
  const deadline = AbortSignal.timeout(longestMs);
  const sums = { stays: 0, changes: 0, unknown: 0 };
  const groups = new Map<string, ReplayGroup>();
  let fromUnixMs: number | undefined;
  let isCut = false;
  for await (const each of calls) {
    fromUnixMs ??= each.atUnixMs;
    sums[each.becomes] += 1;
    if (each.becomes !== "stays") {
      const key = JSON.stringify([
        each.becomes,
        nameOf(each.before),
        nameOf(each.after),
        each.caller,
        each.target,
      ]);
      const known = groups.get(key);
      if (known !== undefined || groups.size < 10 * maxGroups)
        groups.set(key, { example: known?.example ?? each, count: (known?.count ?? 0) + 1 });
    }
    if (!deadline.aborted) continue;
    isCut = true;
    break;
  }
  const order = ({ example, count }: ReplayGroup): number =>
    (example.becomes === "changes" ? 0 : 1e12) - count;
  const sorted = [...groups.values()].toSorted((a, b) => order(a) - order(b));
  const all = sums.stays + sums.changes + sums.unknown;
  return { calls: all, ...sums, groups: sorted.slice(0, maxGroups), isCut, fromUnixMs };
}

function nameOf(decided: ReplayedCall["before"]): readonly string[] {
  return "verdict" in decided ? [decided.verdict, decided.rule] : ["unknown"];
}
