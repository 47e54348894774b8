/** `latticegate playbooks list | show | check | try` */
import path from "node:path";

import { type Config, loadConfig } from "../app/config.ts";
import { firstSince } from "../app/log-times.ts";
import {
  loadPlaybooks,
  type PlaybookInFile,
  type PlaybookMistake,
  readPlaybooks,
} from "../app/respond/playbook-file.ts";
import { triedOn } from "../app/respond/playbook-replay.ts";
import { listResponses } from "../app/respond/response-operations.ts";
import { shippedPlaybooks } from "../app/shipped-playbooks.ts";
import { statePaths } from "../app/state-folder.ts";
import { type LogNames, withNames } from "../app/subject-names.ts";
import { openLogReader } from "../host/store/log-reader.ts";
import { systemClock } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Plan } from "../respond/plan.ts";
import { type Command, type CommandCall, configFile, configOption } from "./command.ts";
import { table } from "./table.ts";
import { replayOption, replayRange } from "./replay-range.ts";
import { jsonText, shown } from "./tools-text.ts";

const jsonOption = { json: { type: "boolean", help: "Print JSON." } } as const;
const options = { ...configOption, ...jsonOption } as const;

export const playbooksList = {
  options,
  run: (call) => {
    if (call.positionals.length > 0) throw new Refusal("bad_config", "Expected no further argument.");
    const config = loadConfig(configFile(call));
    const rows = allOf(config).map((each) => told(each, config));
    if (call.flag("json")) call.out(jsonText(rows));
    else if (rows.length === 0) call.out("response.playbooks is off: nothing is done by itself");
    else for (const line of table(rows.map(rowOf), "")) call.out(line);
    return Promise.resolve(0);
  },
} as const satisfies Command;

export const playbooksShow = {
  options,
  run: (call) => {
    const config = loadConfig(configFile(call));
    const name = oneArgument(call, 'Name one playbook; "latticegate playbooks list" has them.');
    const found = allOf(config).find(({ document }) => document.name === name);
    if (found === undefined)
      throw new Refusal(
        "bad_config",
        `There is no playbook "${name}"; "latticegate playbooks list" has them.`,
      );
    if (call.flag("json")) call.out(jsonText({ ...told(found, config), document: found.document }));
    else for (const line of shownLines(found, config)) call.out(line);
    return Promise.resolve(0);
  },
} as const satisfies Command;

export const playbooksCheck = {
  options: jsonOption,
  run: (call) => {
    const file = path.resolve(oneArgument(call, "Name one file of playbooks."));
    const { playbooks, mistakes } = readPlaybooks(file);
    if (call.flag("json")) call.out(jsonText({ file, playbooks: playbooks.length, mistakes }));
    else {
      for (const line of mistakes.map(mistakeLine)) call.out(line);
      const what = mistakes.length === 0 ? "nothing is wrong" : `wrong in ${many(mistakes.length, "place")}`;
      call.out(`${relative(file)}: ${what}.`);
    }
    return Promise.resolve(mistakes.length === 0 ? 0 : 1);
  },
} as const satisfies Command;

export const playbooksTry = {
  options: { ...options, replay: replayOption },
  run: async (call) => {
    const config = loadConfig(configFile(call));
    const playbooks = triedPlaybooks(call, config);
    const { sinceUnixMs = 0, untilUnixMs = Date.now() } = replayRange(call, Date.now());
    const reader = openLogReader(statePaths(config.state).log);
    const from = await firstSince(reader, sinceUnixMs);
    const judge = async ({ named }: LogNames): Promise<number> => {
      let runs = 0;
      for await (const each of triedOn({ reader, from, sinceUnixMs, untilUnixMs, named, playbooks })) {
        runs += 1;
        for (const line of runLines(each, call.flag("json"))) call.out(line);
      }
      const range = `${new Date(sinceUnixMs).toISOString()} to ${new Date(untilUnixMs).toISOString()}`;
      if (!call.flag("json"))
        call.out(`${many(runs, "run")} of ${many(playbooks.length, "playbook")} in ${range}.`);
      return 0;
    };
    // Evidence is about names: of pseudonyms nothing could be told.
    return await withNames(config, judge, (why) => {
      throw new Refusal("bad_state", `The log's names can't be read: ${why}`);
    });
  },
} as const satisfies Command;

function allOf({ response, folder }: Config): readonly PlaybookInFile[] {
  return loadPlaybooks(response.playbooks, folder).all;
}

function triedPlaybooks(call: CommandCall, config: Config) {
  const [file, ...more] = call.positionals;
  if (more.length > 0) throw new Refusal("bad_config", "Name one file of playbooks, or none.");
  if (file === undefined) return loadPlaybooks(config.response.playbooks, config.folder).inForce;
  const { playbooks, mistakes } = readPlaybooks(path.resolve(file));
  if (mistakes.length > 0) throw new Refusal("bad_config", mistakes.map(mistakeLine).join("\n"));
  return playbooks.flatMap(({ playbook }) => playbook ?? []);
}

interface Told {
  readonly name: string;
  readonly mode: string;
  readonly on: string;
  readonly steps: string;
  readonly from: string;
  /** Restrictions of its making. */
  readonly in_force: number;
}

function told({ document, file }: PlaybookInFile, config: Config): Told {
  const { name, mode, on, steps } = document;
  const by = `playbook:${name}`;
  return {
    name,
    mode: config.observes === true && mode === "enforce" ? "dry_run" : mode,
    on: Object.keys(on).join(", "),
    steps: steps.map((step) => [step, ...step.then].map((each) => each.do).join(" > ")).join(", "),
    from: file === shippedPlaybooks ? "shipped" : relative(file),
    in_force: listResponses({ config, clock: systemClock }).filter((each) => each.by === by).length,
  };
}

function rowOf({ name, mode, on, steps, from, in_force: inForce }: Told): readonly string[] {
  return [name, mode, `on ${on}`, steps, from, inForce === 0 ? "" : `${inForce} in force`];
}

function shownLines(each: PlaybookInFile, config: Config): readonly string[] {
  const { document } = each;
  const { name, mode, from, in_force: inForce } = told(each, config);
  return [
    `${name}  ${mode}, ${from}, ${inForce} in force`,
    `because    ${document.because}`,
    `on         ${JSON.stringify(document.on)}`,
    ...(document.when === undefined ? [] : [`when       ${document.when}`]),
    `cool_down  ${document.cool_down / 1000} s`,
    ...document.steps.map(
      ({ do: what, of, for: forMs, then }) =>
        `step       ${[`${what} of ${of} for ${forMs / 1000} s`, ...then.map((next) => `${next.do} for ${next.for / 1000} s`)].join(", then ")}`,
    ),
    `change it  a playbook of this name in the file that response.playbooks names, or mode: off there`,
  ];
}

function mistakeLine({ file, line, column, message }: PlaybookMistake): string {
  return `${relative(file)}:${line}:${column}: ${message}`;
}

function runLines(
  { playbook, signal, steps, atUnixMs }: Plan & { readonly atUnixMs: number },
  isJson: boolean,
): readonly string[] {
  const at = new Date(atUnixMs).toISOString();
  const lines = steps.map(({ step, scope, because }) => ({
    at,
    playbook: playbook.name,
    action: step.do,
    ...scope,
    because,
    call: signal.callId,
  }));
  if (isJson) return lines.map((line) => JSON.stringify(line));
  return lines.map(({ at: when, playbook: by, action, because, call, ...scope }) => {
    const about = Object.entries(scope).map(([name, value]) => `${name} ${shown(value)}`);
    return `${when}  ${by}: ${action} ${about.join(", ")}: ${shown(because)} (${call})`;
  });
}

function many(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function oneArgument(call: CommandCall, otherwise: string): string {
  const [one, ...more] = call.positionals;
  if (one !== undefined && more.length === 0) return one;
  throw new Refusal("bad_config", otherwise);
}

function relative(file: string): string {
  const from = path.relative(process.cwd(), file);
  return from.startsWith("..") ? file : from;
}
