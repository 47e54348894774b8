/** `latticegate kill on | off | status | drill` */
import { type Config, loadConfig } from "../app/config.ts";
import type { ControlRoom } from "../app/control/ask-control.ts";
import { killAnswer } from "../app/respond/response-answers.ts";
import { drillKill } from "../app/respond/kill-drill.ts";
import { killFileOf, killOff, killOn, killsStanding } from "../app/respond/kill-operations.ts";
import { type Kill, type KillSource, killSources } from "../host/store/state-responses.ts";
import { systemClock } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Command, type CommandCall, configFile, configOption } from "./command.ts";
import { because, operator } from "./response.ts";
import { ask, roomOptions } from "./room.ts";
import { jsonText, shown } from "./tools-text.ts";

const options = roomOptions;
const becauseOption = {
  because: { type: "string", value: "TEXT", help: "Why; callers are told, and it goes on record." },
} as const;

export const killOnCommand = {
  options: { ...options, ...becauseOption },
  run: async (call) => {
    nothingMore(call);
    const why = because(call);
    const standing = await ask<Told>(call, {
      asked: (room) => orderedThere(room, { on: true, because: why }),
      here: (config) => {
        const sinceUnixMs = systemClock.nowUnixMs();
        killOn(config, { source: "cli", by: operator(), because: why, sinceUnixMs });
        return standingHere(config);
      },
      prefersFiles: true,
    });
    told(call, standing);
    return 0;
  },
} as const satisfies Command;

export const killOffCommand = {
  options: {
    ...options,
    because: { ...becauseOption.because, help: "Why; it goes on record." },
    source: {
      type: "string",
      value: "SOURCE",
      help: "cli, as by default, api or signal; a file is removed by hand. With --remote it is api.",
    },
  },
  run: async (call) => {
    nothingMore(call);
    const why = because(call);
    const { was, source, ...standing } = await ask<
      Told & { readonly was: boolean; readonly source: KillSource }
    >(call, {
      asked: async (room) => {
        if ((call.text("source") ?? "api") !== "api")
          throw new Refusal("bad_config", "From another machine, what was ordered by the API is withdrawn.");
        const before = await thereStanding(room);
        const after = await orderedThere(room, { on: false, because: why });
        return { ...after, was: before.standing.some((each) => each.source === "api"), source: "api" };
      },
      here: (config) => ({ ...withdrawnHere(call, config, why), ...standingHere(config) }),
      prefersFiles: true,
    });
    if (!was && !call.flag("json")) call.out(`${source} wasn't on`);
    told(call, standing);
    return standing.standing.length > 0 || !was ? 1 : 0;
  },
} as const satisfies Command;

export const killStatus = {
  options,
  run: async (call) => {
    nothingMore(call);
    const standing = await ask<Told>(call, {
      asked: thereStanding,
      here: standingHere,
      prefersFiles: true,
    });
    told(call, standing);
    return standing.standing.length > 0 ? 1 : 0;
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

/** Who has stopped all calls, and the file that would. */
interface Told {
  readonly standing: readonly Kill[];
  readonly file: string;
}

function standingHere(config: Config): Told {
  return { standing: killsStanding(config, systemClock), file: killFileOf(config) };
}

/** Where that file is on another machine, nobody here can know. */
const fileThere = "the gateway's kill file";

async function thereStanding(room: ControlRoom): Promise<Told> {
  return { standing: (await room.get("/kill", killAnswer)).stopped, file: fileThere };
}

async function orderedThere(
  room: ControlRoom,
  order: { readonly on: boolean; readonly because: string },
): Promise<Told> {
  return { standing: (await room.post("/kill", order, killAnswer)).stopped, file: fileThere };
}

function withdrawnHere(
  call: CommandCall,
  config: Config,
  why: string,
): { readonly was: boolean; readonly source: KillSource } {
  const source = sourceNamed(call.text("source") ?? "cli");
  if (source === "file") throw new Refusal("bad_config", `Remove ${killFileOf(config)}; that withdraws it.`);
  const by = { by: operator(), because: why, nowUnixMs: systemClock.nowUnixMs() };
  return { was: killOff(config, source, by), source };
}

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

function told(call: CommandCall, { standing, file }: Told): void {
  if (call.flag("json")) {
    const dated = standing.map(({ sinceUnixMs, ...kill }) => ({
      ...kill,
      since: new Date(sinceUnixMs).toISOString(),
    }));
    call.out(jsonText({ stopped: dated }));
    return;
  }
  const lines = stoppedLines(standing, file);
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
