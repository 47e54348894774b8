/** `latticegate policy check | test` */
import path from "node:path";

import { namedPoliciesFile } from "../app/config.ts";
import { caseFilesIn, runCaseFile } from "../app/policy/case-file.ts";
import { checkFile, type CheckedFile } from "../app/policy/check-files.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { BadCase, CaseResult } from "../policy/trial/cases.ts";
import { type Command, type CommandCall, configFile, configOption } from "./command.ts";
import { jsonText } from "./tools-text.ts";

const jsonOption = { json: { type: "boolean", help: "Print it for programs." } } as const;

export const policyCheck = {
  options: { ...configOption, ...jsonOption },
  run: (call) => {
    const own = configFile(call);
    const given = call.positionals;
    const config = call.text("config") ?? (given.length === 0 ? own : undefined);
    const checked = (given.length === 0 ? [own] : given).map((file) => checkFile(file, config));
    const findings = checked.flatMap((each) => each.findings);
    const errors = findings.filter(({ severity }) => severity === "error").length;
    if (call.flag("json")) call.out(jsonText(checked));
    else for (const line of checked.flatMap(checkLines)) call.out(line);
    return Promise.resolve(errors === 0 ? 0 : 1);
  },
} as const satisfies Command;

/** What a check found, for a terminal. */
export function checkLines({ file, rules, findings, withoutTools }: CheckedFile): readonly string[] {
  const shown = relative(file);
  const found = findings.flatMap(({ line, column, severity, rule, kind, wrong, mend }) => [
    `${shown}:${line}:${column}: ${severity}: ${rule === null ? "" : `${rule}: `}${wrong} [${kind}]`,
    `    ${mend}`,
  ]);
  const count = (severity: string): number => findings.filter((each) => each.severity === severity).length;
  const summary =
    findings.length === 0
      ? `${shown}: nothing is wrong with its ${many(rules, "rule")}.`
      : `${shown}: ${many(count("error"), "error")}, ${many(count("warning"), "warning")} in ${many(rules, "rule")}.`;
  return [...found, summary, ...unknownTools(withoutTools)];
}

function unknownTools(servers: CheckedFile["withoutTools"]): readonly string[] {
  if (servers === undefined)
    return [
      "No server and no tool is known here: names and arguments weren't checked. Name a config with --config.",
    ];
  if (servers.length === 0) return [];
  return [
    `The tools of ${servers.join(", ")} aren't known yet: their names and arguments weren't checked. They are once a client has listed them through the gateway.`,
  ];
}

export const policyTest = {
  options: { ...configOption, ...jsonOption },
  run: (call) => {
    const files = call.positionals.length > 0 ? call.positionals : casesBeside(call);
    const results = files.map((file) => ({ file, results: runCaseFile(file) }));
    const all = results.flatMap((each) => each.results);
    const failed = all.filter((each) => !isPassed(each)).length;
    if (call.flag("json")) call.out(jsonText(results));
    else {
      for (const { file, results: cases } of results) {
        call.out(relative(file));
        for (const line of cases.flatMap(caseLines)) call.out(line);
      }
      call.out(`${many(all.length, "case")}: ${all.length - failed} passed, ${failed} failed.`);
    }
    return Promise.resolve(failed === 0 ? 0 : 1);
  },
} as const satisfies Command;

/** Beside the config, beside its file of rules, and in `policies/`. @throws Refusal `bad_config` if there are none */
function casesBeside(call: CommandCall): readonly string[] {
  const file = configFile(call);
  const folder = path.dirname(path.resolve(file));
  const named = namedPoliciesFile(path.resolve(file));
  const rules = named === undefined ? [] : [path.dirname(named)];
  const found = caseFilesIn([folder, path.join(folder, "policies"), ...rules]);
  if (found.length > 0) return found;
  throw new Refusal(
    "bad_config",
    `There are no cases (*.policy-test.yaml) in ${folder} or its policies/. Write some, or name a file.`,
  );
}

function isPassed(result: CaseResult | BadCase): boolean {
  return result.kind === "result" && result.passed;
}

/** What became of a case. */
export function caseLines(result: CaseResult | BadCase): readonly string[] {
  const why = result.kind === "result" ? result.differs : result.why;
  return [`  ${isPassed(result) ? "pass" : "FAIL"}  ${result.name}`, ...why.map((line) => `        ${line}`)];
}

/** As it is reached from here, where it is below. */
export function relative(file: string): string {
  const shown = path.relative(process.cwd(), file);
  return shown.startsWith("..") ? file : shown;
}

export function many(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
