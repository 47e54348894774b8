/** All that passes the gateway, as its entries are written: the last calls, counts by the minute, changes, the live stream. */
import type { EventStream } from "../../control/event-stream.ts";
import { isChange } from "../../control/changes-in-words.ts";
import { type KeptStages, keptStages } from "../../control/kept-stages.ts";
import { liveCalls } from "../../control/live-calls.ts";
import { recentCalls, type RecentCalls, recentKept } from "../../control/recent-calls.ts";
import { type Traffic, traffic } from "../../control/traffic.ts";
import type { StoredChange } from "../../host/store/state-traffic.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { Config } from "../config.ts";
import type { OnEnded } from "../metrics/followed-calls.ts";
import type { OnWritten } from "../observed-journal.ts";

export interface SeenTraffic {
  readonly recent: RecentCalls;
  readonly traffic: Traffic;
  readonly stages: KeptStages;
  readonly see: OnWritten;
  /** Told of each call with the moments it passed its stages. */
  readonly timed: OnEnded;
  /** Nothing names these callers any more. */
  readonly forget: (callers: readonly string[]) => void;
  /** Changes that weren't taken yet. */
  readonly takeChanges: () => readonly StoredChange[];
  /** From now on calls go out there. */
  readonly showOn: (stream: Pick<EventStream, "listeners" | "publish">) => void;
}

/** Until they're written down, once a minute. */
const maxChanges = 10_000;

type Stream = Pick<EventStream, "listeners" | "publish">;

export function seeTraffic(
  config: Pick<Config, "servers" | "virtual_servers">,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): SeenTraffic {
  const { nowUnixMs } = clock;
  let stream: Stream | undefined;
  let changes: StoredChange[] = [];
  const counted = traffic(new Set([...Object.keys(config.servers), ...Object.keys(config.virtual_servers)]));
  const stages = keptStages(recentKept);
  const live = liveCalls({
    isWatched: () => stream !== undefined && stream.listeners() > 0,
    send: (batch) => stream?.publish("calls", batch),
    later: (act, ms) => void setTimeout(act, ms).unref(),
    chance: Math.random,
    nowUnixMs,
  });
  const recent = recentCalls((call) => {
    counted.count(call, nowUnixMs());
    live.see(call);
  });
  return {
    recent,
    traffic: counted,
    stages,
    see: unbroken(log, (entry, index) => {
      recent.see(entry);
      if (index === undefined || !isChange(entry)) return;
      changes.push({ index, atUnixMs: entry.atUnixMs });
      if (changes.length > maxChanges) changes.shift();
    }),
    timed: (ended) => stages.keep(ended.call.id, ended),
    forget: (callers) => {
      recent.forget(callers);
      counted.forget(callers);
      live.forget();
    },
    takeChanges: () => {
      const taken = changes;
      changes = [];
      return taken;
    },
    showOn: (to) => void (stream = to),
  };
}

/** INVARIANT: no call fails because of what is shown of it; what fails is told once. */
function unbroken(log: Log, see: OnWritten): OnWritten {
  let hasFailed = false;
  return (entry, index) => {
    try {
      see(entry, index);
    } catch (error) {
      if (!hasFailed)
        log.error("control.fault", { stack: error instanceof Error ? (error.stack ?? "") : "" });
      hasFailed = true;
    }
  };
}
