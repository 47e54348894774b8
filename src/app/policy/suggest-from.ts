/** Calls to draft from or to judge again: those a gateway captured, or those of a file; and a draft as YAML. */
import { stringify } from "yaml";

import { printable } from "../../kernel/printable.ts";
import type { Known } from "../../policy/check/check-rules.ts";
import { matcher } from "../../policy/patterns.ts";
import type { CallRecord } from "../../policy/suggest/call-record.ts";
import type { SuggestedRule, Suggestion } from "../../policy/suggest/suggest-policy.ts";
import type { TrialWorld } from "../../policy/trial/described-call.ts";
import { readCallsFile, readCaptured } from "../capture/read-captured.ts";
import { captureSettings } from "../config/capture.ts";
import type { Config } from "../config.ts";
import { configWithoutRules, knownOfConfig, trialWorldOfConfig } from "./known-config.ts";
import { trialWorldOf, worldOfNothing } from "./world-file.ts";

export interface CallsFrom {
  /** The config. */
  readonly config: string;
  /** Of calls of a file, servers are known where somebody says by which config. */
  readonly isConfigNamed: boolean;
  /** A file of calls, instead of those that were captured. */
  readonly file: string | undefined;
  readonly sinceUnixMs: number | undefined;
  readonly callers: string | undefined;
  readonly nowUnixMs: number;
}

export interface GivenCalls {
  readonly calls: readonly CallRecord[];
  /** What is to be said of them. */
  readonly notes: readonly string[];
  readonly known: Known;
  readonly world: TrialWorld;
}

/** @throws Refusal `bad_config`, or `bad_state` if the keys can't be unlocked */
export async function givenCalls(from: CallsFrom): Promise<GivenCalls> {
  const { config: file, isConfigNamed, file: callsFile } = from;
  const hasConfig = isConfigNamed || callsFile === undefined;
  const config = hasConfig ? configWithoutRules(file) : undefined;
  const { calls, notes } =
    callsFile === undefined && config !== undefined
      ? await capturedFor(config, from)
      : { calls: await readCallsFile(callsFile ?? ""), notes: [] };
  const isWanted = matcher([from.callers ?? "*"]);
  const since = from.sinceUnixMs ?? -Infinity;
  return {
    calls: calls.filter(({ caller, at }) => isWanted(caller) && at >= since),
    notes,
    known: config === undefined ? { tools: new Map() } : knownOfConfig(config),
    world: config === undefined ? trialWorldOf(worldOfNothing) : trialWorldOfConfig(config),
  };
}

async function capturedFor(
  config: Config,
  { sinceUnixMs = 0, nowUnixMs }: CallsFrom,
): Promise<Pick<GivenCalls, "calls" | "notes">> {
  const { keep } = captureSettings({ ...config, observes: true }) ?? { keep: 0 };
  const { calls, unreadable, isCut } = await readCaptured(config, Math.max(sinceUnixMs, nowUnixMs - keep));
  return {
    calls,
    notes: [
      ...(unreadable > 0
        ? [`${unreadable} captured calls don't open: their callers were erased, or the files were changed.`]
        : []),
      ...(isCut ? [`There are more; only the newest ${calls.length} are looked at.`] : []),
    ],
  };
}

/** A draft as a file of rules, with its evidence. */
export function draftText(
  { rules, leftOut, neverCalled }: Suggestion,
  { calls, notes }: Pick<GivenCalls, "calls" | "notes">,
): string {
  const times = calls.map(({ at }) => at);
  const [first, last] = [
    times.reduce((a, b) => Math.min(a, b), Infinity),
    times.reduce((a, b) => Math.max(a, b), 0),
  ];
  const head = [
    `Drafted from ${calls.length} calls, ${dayOf(first)} to ${dayOf(last)}. What was not seen is not allowed.`,
    "It has values of arguments in it: keep it as the calls themselves are kept.",
    ...(rules.some(({ isRare }) => isRare)
      ? ["Rules named -rarely allow what came once or twice: look at each, and take out what wasn't meant."]
      : []),
    ...notes,
    ...(neverCalled.length === 0 ? [] : [`Never called, and so not allowed: ${neverCalled.join(", ")}`]),
    ...leftOut.map(({ what, calls: count, because }) => `Left out: ${what} (${count} calls): ${because}`),
  ];
  const written = rules.map(ruleText);
  return `${head.map(comment).join("\n")}\npolicies:${written.length === 0 ? " []\n" : `\n${written.join("")}`}`;
}

function ruleText({ document, evidence }: SuggestedRule): string {
  const { name, callers, on_behalf_of, delegated, tools, resources, prompts, when, effect, because } =
    document;
  const parts = { name, callers, on_behalf_of, delegated, tools, resources, prompts, when, effect, because };
  const shown = Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined));
  const yaml = stringify([shown], { lineWidth: 0, aliasDuplicateObjects: false }).replaceAll(
    /^(?=.)/gm,
    "  ",
  );
  return `${evidence.map((each) => `  ${comment(each)}\n`).join("")}${yaml}`;
}

const maxCommentChars = 300;

function comment(text: string): string {
  return `# ${printable(text, maxCommentChars)}`;
}

function dayOf(unixMs: number): string {
  return new Date(unixMs).toISOString().slice(0, 10);
}
