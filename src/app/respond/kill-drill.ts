/**
 * `latticegate kill drill`: proof that the kill switch works, on the gateway that runs: each source is switched on, a real
 * call over the real listener is refused, the source is withdrawn, and a call passes again.
 */
import { randomBytes } from "node:crypto";
import { setImmediate } from "node:timers/promises";

import {
  drillPrefix,
  type KillSource,
  killSources,
  type Standing,
} from "../../host/store/state-responses.ts";
import { fromUtf8, utf8 } from "../../kernel/bytes.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal, refusalRow } from "../../kernel/refusal.ts";
import { runningGateway } from "../certificate-authority.ts";
import { type Config, fixedServers } from "../config.ts";
import { askControl, mustBeDone } from "../control/ask-control.ts";
import { type OperatorTunnel, openOperatorTunnel } from "../operator-tunnel.ts";
import { writeDrillFile } from "./drill-file.ts";
import { killFileOf, killOff, killOn, killsStanding, tellDrill } from "./kill-operations.ts";

/** How one source did. */
export interface DrillResult {
  readonly source: KillSource;
  /** From the moment it was switched on to the first refused call. */
  readonly stoppedAfterMs: number;
  /** From the moment it was withdrawn to the first call that passed. */
  readonly openAfterMs: number;
  /** Whether calls were refused in time. */
  readonly isGood: boolean;
}

type Running = NonNullable<Awaited<ReturnType<typeof runningGateway>>>;

interface Drill {
  readonly config: Config;
  readonly run: Running;
  readonly tunnel: OperatorTunnel;
  readonly server: string;
  readonly by: string;
  /** Random, hexadecimal: what the drill switched on is known by it. */
  readonly token: string;
  readonly clock: Clock;
}

/** Withdraws what the drill switched on, and nothing else. */
type SwitchOff = () => Promise<void> | void;

/** What is promised. */
const promisedMs = 1000;
/** What is waited for at most. */
const patienceMs = 10_000;
const because = "A drill; calls are taken again in a moment.";

/**
 * @param sources all that can be tried if none is named
 * @throws Refusal `bad_state` if no gateway runs, or somebody has stopped all calls: that isn't the drill's to end
 */
export async function* drillKill(
  config: Config,
  asked: readonly KillSource[],
  { by, clock }: Pick<Drill, "by" | "clock">,
): AsyncGenerator<DrillResult> {
  const run = await runningGateway(config.state);
  if (run === undefined) throw new Refusal("bad_state", "No gateway runs, so there is nothing to try it on.");
  mustBeOff(config, clock);
  const tunnel = await openOperatorTunnel(config, run.listen, clock);
  const [server] = fixedServers(config.servers)[0] ?? ["none"];
  const token = randomBytes(16).toString("hex");
  const drill: Drill = { config, run, tunnel, server, by, token, clock };
  try {
    for (const source of asked.length > 0 ? asked : triedOf(run)) yield await tried(source, drill);
  } finally {
    await tunnel.close();
  }
}

function triedOf({ hearsKillSignal, control }: Running): readonly KillSource[] {
  return killSources.filter(
    (source) =>
      (source !== "signal" || hearsKillSignal === true) && (source !== "api" || control !== undefined),
  );
}

function mustBeOff(config: Config, clock: Clock): void {
  const [standing] = killsStanding(config, clock);
  if (standing === undefined) return;
  throw new Refusal(
    "bad_state",
    `All calls are stopped already, by ${standing.source} (${standing.because}); a drill doesn't end that.`,
  );
}

async function tried(source: KillSource, drill: Drill): Promise<DrillResult> {
  const { config, by, clock } = drill;
  mustBeOff(config, clock);
  if (await isStopped(drill))
    throw new Refusal("bad_state", "Calls are refused before anything was switched on.");
  let stoppedAfterMs = Number.NaN;
  let withdrawnMs = Number.NaN;
  const startMs = performance.now();
  const switchOff = await switchOn(source, drill);
  try {
    stoppedAfterMs = await afterMs(startMs, () => isStopped(drill));
  } finally {
    withdrawnMs = performance.now();
    await switchOff();
  }
  mustBeOff(config, clock);
  const openAfterMs = await afterMs(withdrawnMs, async () => !(await isStopped(drill)));
  const isGood = stoppedAfterMs <= promisedMs && Number.isFinite(openAfterMs);
  const figures = { stopped_after_ms: stoppedAfterMs.toFixed(1), open_after_ms: openAfterMs.toFixed(1) };
  tellDrill(config, { source, because, by, good: String(isGood), ...figures }, clock.nowUnixMs());
  return { source, stoppedAfterMs, openAfterMs, isGood };
}

/** Milliseconds until it was so; not a number where it never was. */
async function afterMs(startMs: number, isSo: () => Promise<boolean>): Promise<number> {
  while (performance.now() - startMs < patienceMs) {
    if (await isSo()) return performance.now() - startMs;
  }
  return Number.NaN;
}

/** @throws Refusal `bad_state` if somebody has stopped all calls meanwhile */
async function switchOn(source: KillSource, drill: Drill): Promise<SwitchOff> {
  const { config, clock, token } = drill;
  if (source === "file") return await writeDrillFile(killFileOf(config), `${because} (${token})\n`);
  if (source === "api") {
    await askApi(drill, true);
    return async () => await askApi(drill, false);
  }
  if (source === "signal") {
    const own = await signalled(drill);
    return () => withdraw(source, own, drill);
  }
  const own = { by: `${drillPrefix}${token}` };
  if (!killOn(config, { source, ...own, because, sinceUnixMs: clock.nowUnixMs() })) mustBeOff(config, clock);
  return () => withdraw(source, own, drill);
}

function withdraw(source: "cli" | "signal", only: Standing, { config, by, clock }: Drill): void {
  killOff(config, source, { by, because: "The drill is over.", nowUnixMs: clock.nowUnixMs(), only });
}

/** @returns what stands since that signal; what stands by another has another moment */
async function signalled({ config, run, clock }: Drill): Promise<Standing> {
  // INVARIANT: one that doesn't hear it would be ended by it.
  if (run.hearsKillSignal !== true)
    throw new Refusal("bad_state", "This gateway doesn't hear the signal; start it with `latticegate up`.");
  const startMs = performance.now();
  process.kill(run.pid, "SIGUSR2");
  while (performance.now() - startMs < patienceMs) {
    const found = killsStanding(config, clock).find(({ source }) => source === "signal");
    if (found !== undefined) return { by: found.by, sinceUnixMs: found.sinceUnixMs };
    await setImmediate();
  }
  throw new Refusal(
    "bad_state",
    'The gateway doesn\'t follow the signal; if it does later, "latticegate kill off --source signal" ends it.',
  );
}

async function askApi({ run: { control }, token: drill }: Drill, on: boolean): Promise<void> {
  if (control === undefined)
    throw new Refusal("bad_state", "This gateway's API can't be asked; start it anew.");
  mustBeDone(await askControl(control, "POST /kill", { on, because, drill }));
}

const ping = utf8('{"jsonrpc":"2.0","id":1,"method":"ping"}');

/** A call of the operator's own identity, by the way every caller takes. */
async function isStopped({ tunnel, server }: Drill): Promise<boolean> {
  const headers = ["content-type", "application/json", "accept", "application/json, text/event-stream"];
  try {
    const answer = await tunnel.to(server)({ method: "POST", headers, body: ping });
    if (answer.status !== refusalRow("stopped").http || answer.kind !== "whole") return false;
    return /All calls are stopped here/.test(fromUtf8(answer.body) ?? "");
  } catch (error) {
    // Its call was under way when all were ended.
    if (error instanceof Refusal) return false;
    throw error;
  }
}
