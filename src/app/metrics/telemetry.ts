/** What a running gateway tells of itself to those who measure it: metrics, if the config wants them. */
import { boundedMetrics } from "../../host/metrics/bounded-metrics.ts";
import { metricsHttp } from "../../host/metrics/metrics-http.ts";
import type { Log } from "../../kernel/log.ts";
import type { EntryDraft } from "../../model/entry.ts";
import type { Config } from "../config.ts";
import { secretFrom } from "../secret-source.ts";
import { counting, type Metrics } from "./counting.ts";
import { followCalls, type FollowedCalls } from "./followed-calls.ts";
import { setGauges, type Standing } from "./gauges.ts";
import { metricTable } from "./metric-table.ts";

export interface Telemetry {
  /** Absent where nobody measures calls. */
  readonly calls?: FollowedCalls;
  /** The same log; its warnings and errors are counted. */
  readonly log: Log;
  /** One entry more was written. */
  readonly written: (entry: EntryDraft) => void;
  /** Nothing names these callers any more. */
  readonly forget: (callers: readonly string[]) => void;
  /**
   * Serves the metrics; resolves with their address, if there are any.
   * @throws Refusal `bad_config` if the address can't be had, or the token
   */
  readonly open: (standing: Standing) => Promise<string | undefined>;
  readonly close: () => Promise<void>;
}

export type IsPinned = (server: string, tool: string) => boolean;

export function telemetryOf(
  config: Config,
  needs: { readonly isPinned: IsPinned; readonly log: Log },
): Telemetry {
  const { log } = needs;
  const { metrics: settings } = config;
  if (settings === undefined) {
    const nothing = (): void => undefined;
    return {
      log,
      written: nothing,
      forget: nothing,
      open: async () => undefined,
      close: async () => undefined,
    };
  }
  const metrics = boundedMetrics(metricTable, settings.series);
  const servers = new Set([...Object.keys(config.servers), ...Object.keys(config.virtual_servers)]);
  const counted = counting({ metrics, servers, callers: settings.callers, isPinned: needs.isPinned });
  const guarded = guardedBy(log);
  const token = settings.token && secretFrom(settings.token, "metrics.token", config.folder);
  let close = (): void => undefined;
  return {
    calls: followCalls(guarded(counted.ended)),
    log: countingLog(log, metrics),
    written: guarded(counted.written),
    forget: (callers) => metrics.forget("latticegate_caller_calls_total", "caller", callers),
    open: async (standing) => {
      const served = await metricsHttp({
        address: settings.listen,
        ...(token !== undefined && { token }),
        text: () => {
          setGauges(metrics, standing);
          return metrics.text();
        },
        log,
      });
      close = served.close;
      log.info("metrics.listening", { address: served.address });
      return served.address;
    },
    close: async () => {
      close();
      metrics.close();
    },
  };
}

/** INVARIANT: no call fails because of what is counted of it; what can't be counted is told once. */
function guardedBy(log: Log): <T>(act: (what: T) => void) => (what: T) => void {
  let hasFailed = false;
  return (act) => (what) => {
    try {
      act(what);
    } catch (error) {
      if (!hasFailed)
        log.error("metrics.fault", { reason: error instanceof Error ? error.message : "unknown" });
      hasFailed = true;
    }
  };
}

function countingLog(log: Log, metrics: Metrics): Log {
  const counted = (level: "warn" | "error"): Log["warn"] => {
    return (event, fields) => {
      metrics.add("latticegate_log_lines_total", { level, event });
      if (event === "link.refused") metrics.add("latticegate_refused_links_total", {});
      log[level](event, fields);
    };
  };
  return { ...log, warn: counted("warn"), error: counted("error") };
}
