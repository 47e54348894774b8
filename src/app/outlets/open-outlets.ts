/** All outlets of a gateway, at work until they are stopped. */
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

import { deadLetters } from "../../host/outlets/dead-letters.ts";
import { openLogReader } from "../../host/store/log-reader.ts";
import { openOutletStore, type OutletRow } from "../../host/store/state-outlets.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { Config } from "../config.ts";
import type { OutletConfig } from "../config/outlets.ts";
import { statePaths } from "../state-folder.ts";
import { asWritten, type LogNames } from "../subject-names.ts";
import { version } from "../version.ts";
import { findAgain } from "./log-marks.ts";
import { runOutlet } from "./run-outlet.ts";
import { sinkOf } from "./sink-of.ts";

export interface OutletParts {
  /** The log's. */
  readonly origin: string;
  readonly names: LogNames;
  readonly clock: Clock;
  readonly log: Log;
}

export interface RunningOutlets {
  /** How far each is. */
  readonly rows: () => readonly OutletRow[];
  readonly stop: () => Promise<void>;
}

/** @throws Refusal `bad_config` for secrets that aren't there, `bad_state` if the cursors can't be read */
export async function openOutlets(
  config: Config,
  { origin, names, clock, log }: OutletParts,
): Promise<RunningOutlets> {
  const outlets = Object.entries(config.outlets);
  if (outlets.length === 0) return { rows: () => [], stop: () => Promise.resolve() };
  const paths = statePaths(config.state);
  const teller = { origin, version, host: hostname() };
  const sinks = outlets.map(
    ([name, outlet]) =>
      [name, outlet, sinkOf(outlet, { name, folder: config.folder, teller, clock })] as const,
  );
  const reader = openLogReader(paths.log);
  const store = openOutletStore(paths.outlets);
  const over = new AbortController();
  const pause = (ms: number, signal: AbortSignal): Promise<void> =>
    sleep(ms, undefined, { signal, ref: false }).catch(() => undefined);
  const running: Promise<void>[] = [];
  const size = await reader.size();
  for (const [name, outlet, sink] of sinks) {
    store.begin(name, origin, outlet.from === "start" ? await reader.first() : size);
    await findAgain({ name, reader, origin, store, log });
    tellDangers(name, outlet, log);
    const { named } = outlet.callers === "names" ? names : asWritten;
    const picked = new Set(outlet.events);
    const dead = deadLetters(paths.deadLetters, name);
    running.push(
      runOutlet({ name, reader, teller, named, picked, sink, store, dead, clock, log, pause }, over.signal),
    );
  }
  return {
    rows: () => store.all().filter(({ name }) => Object.hasOwn(config.outlets, name)),
    stop: async () => {
      over.abort();
      await Promise.all(sinks.map(([, , sink]) => sink.close()));
      await Promise.all(running);
      store.close();
    },
  };
}

function tellDangers(name: string, outlet: OutletConfig, log: Log): void {
  if (outlet.type !== "syslog") return;
  if (outlet.plain || outlet.danger_plain)
    log.warn("outlet.plain", { outlet: name, reason: "anybody on the way may read and change it" });
  if (outlet.danger_unproven_end)
    log.warn("outlet.unproven_end", {
      outlet: name,
      reason: "anybody on the way may have it taken for told",
    });
}
