/** `latticegate policy explain` */
import { configWithoutRules, trialWorldOfConfig } from "../app/policy/known-config.ts";
import { rulesInBundle } from "../app/policy/bundle-operations.ts";
import { loadPolicies } from "../app/policy/case-file.ts";
import {
  explainDescribed,
  explainEntry,
  explainLinkDescribed,
  type LinkExplanation,
} from "../app/policy/explain-call.ts";
import type { Config } from "../app/config.ts";
import type { Entry } from "../audit/entry.ts";
import { openLogReader } from "../host/store/log-reader.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { ExplainedRule, Explanation } from "../policy/explain.ts";
import type { LinkHook } from "../policy/facts.ts";
import { inWords, type TriedRules } from "../policy/trial/cases.ts";
import { linkInWords } from "../policy/trial/link-cases.ts";
import { type Command, type CommandCall, configFile } from "./command.ts";
import { logFolder, logOption, namingOptions, placeOptions, withNamesFor } from "./log-place.ts";
import { jsonText } from "./tools-text.ts";

/** Options of a call that is described, and what member of it each is. */
const describing = {
  caller: "caller",
  tool: "call",
  resource: "call",
  prompt: "call",
  method: "call",
  within: "within",
  address: "address",
  at: "at",
  purpose: "purpose",
} as const;

export const policyExplain = {
  options: {
    ...placeOptions,
    ...logOption,
    ...namingOptions,
    caller: { type: "string", value: "NAME", help: "Of a described call: who asks." },
    "on-behalf-of": {
      type: "string",
      multiple: true,
      value: "NAME",
      help: "On behalf of whom, who began first; may stand several times.",
    },
    tool: { type: "string", value: "SERVER/TOOL", help: "What is asked for; or --resource, --prompt." },
    resource: { type: "string", value: "SERVER/URI", help: "The resource that is asked for." },
    prompt: { type: "string", value: "SERVER/PROMPT", help: "The prompt that is asked for." },
    method: {
      type: "string",
      value: "SERVER/METHOD",
      help: "What stands beside calls, e.g. lab/elicitation/create or lab/tasks/get; --args are its params.",
    },
    within: {
      type: "string",
      value: "TOOL",
      help: "Of a method, the tool of the call it belongs to, or that began the task.",
    },
    args: { type: "string", value: "JSON", help: "Its arguments; their values are printed." },
    claims: { type: "string", value: "JSON", help: "Claims of the caller's access token." },
    link: { type: "string", value: "GROUP", help: "TLS group of its link; X25519MLKEM768 by default." },
    signed: { type: "string", value: "ALGORITHM", help: "It is signed itself, e.g. with ML-DSA-65." },
    address: { type: "string", value: "IP", help: "Where it comes from; 10.0.0.1 by default." },
    at: { type: "string", value: "TIME", help: "When, e.g. 2026-06-03T22:30:00Z; now by default." },
    purpose: { type: "string", value: "TEXT", help: "What the client says it is about." },
    read: {
      type: "string",
      multiple: true,
      value: "LABEL",
      help: "What its session has read; may stand several times.",
    },
    carries: {
      type: "string",
      multiple: true,
      value: "LABEL",
      help: "What of that is in its arguments; may stand several times.",
    },
    on: {
      type: "string",
      value: "HOOK",
      help: "Instead of a call, a `connection` (before TLS) or a `link` (--caller, --address, --at, --link, --claims).",
    },
    hello: {
      type: "string",
      value: "JSON",
      help: 'Its first message, e.g. {"groups": ["X25519"], "alpn": ["h2"]}.',
    },
    json: { type: "boolean", help: "Print it for programs." },
  },
  run: async (call) => {
    const [id, ...more] = call.positionals;
    const hook = linkHookOf(call);
    if (hook !== undefined && call.positionals.length === 0) return explainLinkFor(call, hook);
    if (more.length > 0 || (id === undefined) === (call.text("caller") === undefined)) {
      throw new Refusal("bad_config", "Name a call's id, or describe one: --caller NAME --tool SERVER/TOOL.");
    }
    const config = configWithoutRules(configFile(call));
    const world = trialWorldOfConfig(config);
    const { calls: rules } = rulesOf(call, config);
    if (id === undefined) {
      tell(call, explainDescribed(describedBy(call), world, rules), []);
      return 0;
    }
    return await withNamesFor(call, async ({ named }) => {
      const entry = await decisionOf(call, id);
      if (entry === undefined) {
        call.out(`The log has no decision about ${id}.`);
        return 1;
      }
      tell(call, explainEntry({ ...entry, ...named(entry) }, world, rules), logged(entry));
      return 0;
    });
  },
} as const satisfies Command;

/** @throws Refusal `bad_config` */
function linkHookOf(call: CommandCall): LinkHook | undefined {
  const on = call.text("on") ?? "call";
  if (on === "connection" || on === "link") return on;
  if (on === "call") return undefined;
  throw new Refusal("bad_config", "--on takes connection or link; without it a call is explained.");
}

const aboutLinks = {
  connection: ["address", "at"],
  link: ["address", "at", "caller"],
} as const;

/** @throws Refusal `bad_config` for options that say nothing of it */
function explainLinkFor(call: CommandCall, hook: LinkHook): number {
  const own: readonly string[] = aboutLinks[hook];
  const others = [...Object.keys(describing), "args", "signed", "link", "claims"].filter(
    (option) => !own.includes(option) && !(hook === "link" && ["link", "claims"].includes(option)),
  );
  const foreign = others.find((option) => call.text(option) !== undefined);
  if (foreign !== undefined) throw new Refusal("bad_config", `--${foreign} says nothing of a ${hook}.`);
  const texts = own.flatMap((option) => {
    const text = call.text(option);
    return text === undefined ? [] : [[option, text] as const];
  });
  const link = call.text("link");
  const given = {
    at: new Date().toISOString(),
    ...Object.fromEntries(texts),
    on: hook,
    ...(call.text("hello") !== undefined && { hello: jsonOf(call, "hello") }),
    ...(link !== undefined && { link: { group: link } }),
    ...(call.text("claims") !== undefined && { claims: jsonOf(call, "claims") }),
  };
  const config = configWithoutRules(configFile(call));
  const explained = explainLinkDescribed(given, trialWorldOfConfig(config), rulesOf(call, config).links);
  if (call.flag("json")) call.out(jsonText(explained));
  else for (const line of linkLines(explained)) call.out(line);
  return 0;
}

function linkLines({ rules, decision }: LinkExplanation): readonly string[] {
  const lines = rules.flatMap(({ rule, isShadow, counts, why, condition }) =>
    ruleLines({ rule, isShadow, counts, effect: "deny", why: [why], ...(condition && { condition }) }),
  );
  const watched = decision.shadows.map(({ rule }) => rule);
  return [
    ...(rules.length === 0 ? ["No rule is about this."] : lines),
    `Decision: ${linkInWords(decision)}.`,
    ...(decision.denied === undefined ? [] : [`    ${decision.denied.because}`]),
    ...(watched.length === 0 ? [] : [`    Watched only: ${watched.join(", ")}`]),
  ];
}

/** Those of the config, of its file, or of the bundle in force. @throws Refusal `bad_config`, `bad_state` */
function rulesOf(call: CommandCall, config: Config): TriedRules {
  return config.policyBundle === undefined ? loadPolicies(configFile(call)) : rulesInBundle(config);
}

/** @throws Refusal `bad_config` */
function describedBy(call: CommandCall): Readonly<Record<string, unknown>> {
  const texts = Object.entries(describing).flatMap(([option, member]) => {
    const text = call.text(option);
    return text === undefined ? [] : [[member, text] as const];
  });
  const named = ["tool", "resource", "prompt", "method"].filter((option) => call.text(option) !== undefined);
  const [kind] = named;
  if (kind === undefined || named.length > 1)
    throw new Refusal("bad_config", "Name one thing that is asked for: --tool SERVER/TOOL.");
  const [link, signed] = [call.text("link"), call.text("signed")];
  return {
    at: new Date().toISOString(),
    ...Object.fromEntries(texts),
    kind: `${kind}s`,
    chain: call.texts("on-behalf-of"),
    args: jsonOf(call, "args"),
    flow: { seen: call.texts("read"), carries: call.texts("carries") },
    claims: jsonOf(call, "claims"),
    ...(link !== undefined && { link: { group: link } }),
    ...(signed !== undefined && { signed: { algorithm: signed } }),
  };
}

function jsonOf(call: CommandCall, option: string): unknown {
  try {
    return JSON.parse(call.text(option) ?? "{}");
  } catch (cause) {
    throw new Refusal("bad_config", `--${option} takes a JSON object.`, { cause });
  }
}

async function decisionOf(call: CommandCall, id: string): Promise<Entry | undefined> {
  const entries = await openLogReader(logFolder(call)).find(id);
  return entries
    .flatMap(({ reading }) => (reading.kind === "entry" ? [reading.entry] : []))
    .find(({ event }) => event === "call.decision");
}

function logged({ outcome, facts, atUnixMs }: Entry): readonly string[] {
  const rule = facts["rule"] === undefined ? "" : ` by ${facts["rule"]}`;
  return [
    `The log says: ${outcome}${rule}, ${new Date(atUnixMs).toISOString()}.`,
    "With the rules of now, as far as the log has what they read (of arguments never a text):",
  ];
}

function tell(call: CommandCall, explanation: Explanation, before: readonly string[]): void {
  if (call.flag("json")) return call.out(jsonText(explanation));
  const { rules, others, decision } = explanation;
  for (const line of [...before, ...rules.flatMap(ruleLines)]) call.out(line);
  if (rules.length === 0) call.out("No rule is about this.");
  if (others > 0) call.out(`${others} ${others === 1 ? "rule is" : "rules are"} about other things.`);
  if (decision === undefined) return;
  call.out(`Decision: ${inWords(decision)}.`);
  if (decision.kind === "denial") call.out(`    ${decision.because}`);
  if (decision.shadows.length > 0)
    call.out(`    Watched only: ${decision.shadows.map(({ rule }) => rule).join(", ")}`);
}

const counting = { yes: "counts", no: "counts not", unknown: "unknown" } as const;

type ToldRule = Pick<ExplainedRule, "rule" | "effect" | "isShadow" | "counts" | "why"> & {
  readonly condition?: Pick<NonNullable<ExplainedRule["condition"]>, "text" | "values">;
};

function ruleLines(explained: ToldRule): readonly string[] {
  const { rule, effect, isShadow, counts, why, condition } = explained;
  const watched = isShadow ? ", watched only" : "";
  const head = `${counting[counts].padEnd(10)}  ${rule} (${effect}${watched})`;
  return [
    `${head}${why.length === 0 ? ": it has no condition" : `: ${why.join("; ")}`}`,
    ...(condition === undefined
      ? []
      : [
          `              ${condition.text.replaceAll(/\s+/g, " ").trim()}`,
          ...condition.values.map(({ path, value }) => `              ${path}: ${value}`),
        ]),
  ];
}
