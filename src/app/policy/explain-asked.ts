/** One call explained for the control room: one of the log by its id, or one that is described. */
import { openLogReader } from "../../host/store/log-reader.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Explanation } from "../../policy/explain.ts";
import { triedRules } from "../../policy/trial/cases.ts";
import { statePaths } from "../state-folder.ts";
import { withNames } from "../subject-names.ts";
import { policiesOf } from "./case-file.ts";
import { draftName } from "./drafts.ts";
import { explainDescribed, explainEntry } from "./explain-call.ts";
import { configWithoutRules, trialWorldOfConfig } from "./known-config.ts";
import { readRuleText } from "./rule-file.ts";
import { ruleSource } from "./rule-source.ts";

export interface ExplainOrder {
  /** Of the log; or else `call`. */
  readonly callId?: string;
  /** As a case describes it (docs/formats/policy-test.md). */
  readonly call?: Readonly<Record<string, unknown>>;
  /** By these rules instead of those in force. */
  readonly text?: string;
}

export interface Explained extends Explanation {
  /** What the log has of it; of a described call null. */
  readonly logged: {
    readonly outcome: string;
    readonly rule: string | null;
    readonly atUnixMs: number;
  } | null;
}

/** @throws Refusal `bad_state` for a call that the log hasn't, `bad_config` for one that can't be */
export async function explainAsked(
  { callId, call, text }: ExplainOrder,
  configFile: string,
): Promise<Explained> {
  const documents =
    text === undefined ? ruleSource(configFile).documents : policiesOf(readRuleText(text, draftName));
  const rules = triedRules(documents).calls;
  const config = configWithoutRules(configFile);
  const world = trialWorldOfConfig(config);
  if (callId === undefined) return { ...explainDescribed(call ?? {}, world, rules), logged: null };
  const found = await openLogReader(statePaths(config.state).log).find(callId);
  const entry = found
    .flatMap(({ reading }) => (reading.kind === "entry" ? [reading.entry] : []))
    .find(({ event }) => event === "call.decision");
  if (entry === undefined) throw new Refusal("bad_state", `The log has no decision about ${callId}.`);
  const logged = {
    outcome: entry.outcome,
    rule: entry.facts["rule"] ?? null,
    atUnixMs: entry.atUnixMs,
  };
  return await withNames(config, ({ named }) =>
    Promise.resolve({ ...explainEntry({ ...entry, ...named(entry) }, world, rules), logged }),
  );
}
