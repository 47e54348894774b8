/** `latticegate kill on | off | status | drill` */
import { loadConfig } from "../app/config.ts";
import { drillKill } from "../app/respond/kill-drill.ts";
import { killFileOf, killOff, killOn, killsStanding } from "../app/respond/kill-operations.ts";
import { type Kill, type KillSource, killSources } from "../host/store/state-responses.ts";
import { systemClock } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Command, type CommandCall, configFile, configOption } from "./command.ts";
import { because, operator } from "./response.ts";
import { jsonText, shown } from "./tools-text.ts";

const options = { ...configOption, json: { type: "boolean", help: "Print JSON." } } as const;
const becauseOption = {
  because: { type: "string", value: "TEXT", help: "Why; callers are told, and it goes on record." },
} as const;

export const killOnCommand = {
  options: { ...options, ...becauseOption },
  run: (call) => {
    nothingMore(call);
    const config = loadConfig(configFile(call));
    const kill = {
      source: "cli",
      by: operator(),
      because: because(call),
      sinceUnixMs: systemClock.nowUnixMs(),
    } as const;
    killOn(config, kill);
    told(call, killsStanding(config, systemClock));
    return Promise.resolve(0);
  },
} as const satisfies Command;

export const killOffCommand = {
  options: {
    ...options,
    because: { ...becauseOption.because, help: "Why; it goes on record." },
    source: {
      type: "string",
      value: "SOURCE",
      help: "cli, as by default, api or signal; a file is removed by hand.",
    },
  },
  run: (call) => {
    nothingMore(call);
    const config = loadConfig(configFile(call));
    const source = sourceNamed(call.text("source") ?? "cli");
    if (source === "file")
      throw new Refusal("bad_config", `Remove ${killFileOf(config)}; that withdraws it.`);
    const why = { by: operator(), because: because(call), nowUnixMs: systemClock.nowUnixMs() };
    const was = killOff(config, source, why);
    if (!was && !call.flag("json")) call.out(`${source} wasn't on`);
    const standing = killsStanding(config, systemClock);
    told(call, standing);
    return Promise.resolve(standing.length > 0 || !was ? 1 : 0);
  },
} as const satisfies Command;

export const killStatus = {
  options,
  run: (call) => {
    nothingMore(call);
    const standing = killsStanding(loadConfig(configFile(call)), systemClock);
    told(call, standing);
    return Promise.resolve(standing.length > 0 ? 1 : 0);
  },
} as const satisfies Command;

export const killDrill = {
  options: {
    ...configOption,
    source: {
      type: "string",
      multiple: true,
      value: "SOURCE",
      help: "cli, api, signal or file; again for several, all of them by default.",
    },
  },
  run: async (call) => {
    nothingMore(call);
    const config = loadConfig(configFile(call));
    const sources = call.texts("source").map(sourceNamed);
    let isGood = true;
    for await (const result of drillKill(config, sources, { by: operator(), clock: systemClock })) {
      isGood &&= result.isGood;
      const verdict = result.isGood ? "ok   " : "WRONG";
      call.out(
        `${verdict}  ${result.source.padEnd(6)}  refused after ${inMs(result.stoppedAfterMs)}, open again after ${inMs(result.openAfterMs)}`,
      );
    }
    call.out(isGood ? "The kill switch works." : "The kill switch does not work as promised (1 second).");
    return isGood ? 0 : 1;
  },
} as const satisfies Command;

/** Lines that nobody overlooks; none while calls are taken. */
export function stoppedLines(standing: readonly Kill[], file: string): readonly string[] {
  return standing.map(({ source, by, because: why, sinceUnixMs }) => {
    const since = new Date(sinceUnixMs).toISOString();
    return `STOPPED   ALL CALLS ARE REFUSED: ${shown(why)} (${source}, ${shown(by)}, since ${since}; ${undo(source, file)})`;
  });
}

function undo(source: KillSource, file: string): string {
  if (source === "file") return `ends when ${file} is removed`;
  return `ends with "latticegate kill off${source === "cli" ? "" : ` --source ${source}`} --because …"`;
}

function told(call: CommandCall, standing: readonly Kill[]): void {
  if (call.flag("json")) {
    const dated = standing.map(({ sinceUnixMs, ...kill }) => ({
      ...kill,
      since: new Date(sinceUnixMs).toISOString(),
    }));
    call.out(jsonText({ stopped: dated }));
    return;
  }
  const lines = stoppedLines(standing, killFileOf(loadConfig(configFile(call))));
  for (const line of lines.length > 0 ? lines : ["calls are taken"]) call.out(line);
}

function inMs(ms: number): string {
  return Number.isFinite(ms) ? `${ms.toFixed(0)} ms` : "never";
}

function sourceNamed(text: string): KillSource {
  const source = killSources.find((each) => each === text);
  if (source !== undefined) return source;
  throw new Refusal("bad_config", `--source takes ${killSources.join(", ")}; found "${text}".`);
}

function nothingMore(call: CommandCall): void {
  if (call.positionals.length > 0) throw new Refusal("bad_config", "Expected no further argument.");
}
