/** `latticegate policy suggest | report`: from calls that were seen to a policy, and from a policy to what it would refuse. */
import { existsSync } from "node:fs";
import path from "node:path";

import { loadPolicies } from "../app/policy/case-file.ts";
import { rulesInBundle } from "../app/policy/bundle-operations.ts";
import { configWithoutRules } from "../app/policy/known-config.ts";
import { draftText, type GivenCalls, givenCalls } from "../app/policy/suggest-from.ts";
import { writePrivateFile } from "../host/store/files.ts";
import { systemClock } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Rule } from "../policy/rules.ts";
import { seenIn } from "../policy/suggest/call-record.ts";
import { suggestPolicy } from "../policy/suggest/suggest-policy.ts";
import { type Stopped, type WouldRefuse, wouldRefuse } from "../policy/suggest/would-refuse.ts";
import { type Command, type CommandCall, configFile, configOption } from "./command.ts";
import { many } from "./policy.ts";
import { table } from "./table.ts";
import { timeOptions, timesOf } from "./time-option.ts";
import { jsonText, shown } from "./tools-text.ts";

const callOptions = {
  ...configOption,
  since: timeOptions.since,
  callers: {
    type: "string",
    value: "PATTERN",
    help: "Only calls of these callers; `*` is any run of characters.",
  },
  calls: {
    type: "string",
    value: "FILE",
    help: "Calls of a file, one a line (docs/formats/captured-calls.md), instead of those that were captured; with --config, of its servers.",
  },
  json: { type: "boolean", help: "Print it for programs." },
} as const;

export const policySuggest = {
  options: {
    ...callOptions,
    out: { type: "string", value: "FILE", help: "Write it there (mode 0600), if there is no such file yet." },
  },
  run: async (call) => {
    const out = call.text("out");
    if (out !== undefined && existsSync(out)) {
      throw new Refusal("bad_config", `${out} is there already. Name another file, or move it away.`);
    }
    const given = await callsFor(call);
    const passed = given.calls.filter(({ verdict }) => verdict === "allowed" || verdict === "observed");
    const stopped = given.calls.length - passed.length;
    if (passed.length === 0) {
      call.out(nothingSeen(given, stopped));
      return 1;
    }
    const suggestion = suggestPolicy(passed.map(seenIn), given.known);
    const notes =
      stopped === 0
        ? given.notes
        : [...given.notes, `${stopped} calls that were denied or held aren't in it.`];
    if (call.flag("json")) call.out(jsonText({ ...suggestion, notes }));
    else if (out === undefined) call.out(draftText(suggestion, { calls: passed, notes }).trimEnd());
    else {
      await writePrivateFile(path.resolve(out), draftText(suggestion, { calls: passed, notes }));
      call.out(`${many(suggestion.rules.length, "rule")} from ${many(passed.length, "call")} are in ${out}.`);
      for (const { what, because } of suggestion.leftOut)
        call.out(`Left out: ${shown(what)}: ${shown(because)}`);
    }
    return suggestion.rules.length > 0 ? 0 : 1;
  },
} as const satisfies Command;

export const policyReport = {
  options: callOptions,
  run: async (call) => {
    const [file, ...more] = call.positionals;
    if (more.length > 0)
      throw new Refusal("bad_config", "Name one file of rules, or none for the config's own.");
    const given = await callsFor(call);
    const rules = file === undefined ? ownRules(call) : loadPolicies(file).calls;
    const found = wouldRefuse(given.calls, rules, given.world);
    if (call.flag("json")) call.out(jsonText({ ...found, notes: given.notes }));
    else for (const line of [...given.notes, ...reportLines(found)]) call.out(line);
    return found.stopped.length === 0 ? 0 : 1;
  },
} as const satisfies Command;

function callsFor(call: CommandCall): Promise<GivenCalls> {
  const nowUnixMs = systemClock.nowUnixMs();
  return givenCalls({
    config: configFile(call),
    isConfigNamed: call.text("config") !== undefined,
    file: call.text("calls"),
    callers: call.text("callers"),
    sinceUnixMs: timesOf(call, nowUnixMs).sinceUnixMs,
    nowUnixMs,
  });
}

function ownRules(call: CommandCall): readonly Rule[] {
  const config = configWithoutRules(configFile(call));
  const { calls } =
    config.policyBundle === undefined ? loadPolicies(configFile(call)) : rulesInBundle(config);
  return calls;
}

function nothingSeen({ notes }: GivenCalls, stopped: number): string {
  const why =
    stopped > 0
      ? `All ${stopped} were denied or held.`
      : "Calls are captured with `latticegate up --observe`, or where the config has a `capture` section.";
  return [...notes, `There are no calls to draft from. ${why}`].join("\n");
}

function reportLines({ calls, passed, stopped }: WouldRefuse): readonly string[] {
  const count = (fate: Stopped["fate"]): number =>
    stopped.filter((each) => each.fate === fate).reduce((sum, each) => sum + each.calls, 0);
  const summary = `${many(calls, "call")}: ${passed} would pass, ${count("refused")} would be refused, ${count("held")} held, of ${count("unknown")} it can't be told.`;
  if (stopped.length === 0) return [summary];
  const rows = stopped
    .slice(0, maxRows)
    .map((each) => [
      each.fate,
      each.rule,
      shown(each.call),
      shown(each.caller),
      String(each.calls),
      each.examples[0] ?? "",
    ]);
  const rest = stopped.length - rows.length;
  return [
    summary,
    ...table([["", "rule", "call", "caller", "calls", "for example"], ...rows], ""),
    ...(rest > 0 ? [`… and ${rest} more rows; --json has all.`] : []),
  ];
}

/** More rows than that nobody reads. */
const maxRows = 100;
