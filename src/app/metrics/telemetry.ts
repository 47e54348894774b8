/** What a running gateway tells of itself to those who measure it: metrics and traces, where the config wants them. */
import { boundedMetrics } from "../../host/metrics/bounded-metrics.ts";
import { metricsHttp } from "../../host/metrics/metrics-http.ts";
import type { Log } from "../../kernel/log.ts";
import type { EntryDraft } from "../../model/entry.ts";
import type { Config } from "../config.ts";
import type { MetricsSettings } from "../config/metrics.ts";
import { secretFrom } from "../secret-source.ts";
import { counting, type Metrics } from "./counting.ts";
import { type EndedCall, followCalls, type FollowedCalls, type OnEnded } from "./followed-calls.ts";
import { setGauges, type Standing } from "./gauges.ts";
import { metricTable } from "./metric-table.ts";
import { tracedCalls } from "./traced-calls.ts";

export interface Telemetry {
  /** For the data plane. */
  readonly calls: { readonly calls: FollowedCalls };
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
  /** Serves them no longer: what they are asked of ends. */
  readonly hide: () => void;
  /** Sends what is left. */
  readonly close: () => Promise<void>;
}

type IsPinned = (server: string, tool: string) => boolean;

interface Needs {
  readonly isPinned: IsPinned;
  readonly log: Log;
  /** Who else looks at calls with their times. */
  readonly timed: OnEnded;
}

/** @throws Refusal `bad_config` if a secret can't be had */
export function telemetryOf(config: Config, { isPinned, log, timed }: Needs): Telemetry {
  const traces = config.traces && tracedCalls(config, config.traces, log);
  const measured = config.metrics && measuredBy(config, config.metrics, { isPinned, log, timed });
  const looking = [measured?.ended, traces?.ended, timed].flatMap((ended) =>
    ended ? [guarded(ended, log)] : [],
  );
  const look = (call: EndedCall): void => looking.forEach((each) => each(call));
  let hide = (): void => undefined;
  return {
    calls: { calls: followCalls(look, traces) },
    log: measured?.log ?? log,
    written: guarded((entry) => measured?.written(entry), log),
    forget: (callers) => measured?.forget(callers),
    open: async (standing) => {
      if (measured === undefined) return undefined;
      const served = await measured.serve({ ...standing, ...(traces && { spans: traces.counts }) });
      hide = served.close;
      log.info("metrics.listening", { address: served.address });
      return served.address;
    },
    hide: () => hide(),
    close: async () => {
      hide();
      await traces?.stop();
    },
  };
}

function measuredBy(config: Config, settings: MetricsSettings, { isPinned, log }: Needs) {
  const metrics = boundedMetrics(metricTable, settings.series);
  const servers = new Set([...Object.keys(config.servers), ...Object.keys(config.virtual_servers)]);
  const token = settings.token && secretFrom(settings.token, "metrics.token", config.folder);
  return {
    ...counting({ metrics, servers, callers: settings.callers, isPinned }),
    log: countingLog(log, metrics),
    forget: (callers: readonly string[]): void =>
      metrics.forget("latticegate_caller_calls_total", "caller", callers),
    serve: async (standing: Standing) => {
      const text = (): Promise<string> => {
        setGauges(metrics, standing);
        return metrics.text();
      };
      const served = await metricsHttp({
        address: settings.listen,
        ...(token !== undefined && { token }),
        text,
        log,
      });
      const close = (): void => {
        served.close();
        metrics.close();
      };
      return { address: served.address, close };
    },
  };
}

/** INVARIANT: no call fails because of what is counted of it; what can't be counted is told once. */
function guarded<T>(act: (what: T) => void, log: Log): (what: T) => void {
  let hasFailed = false;
  return (what) => {
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
