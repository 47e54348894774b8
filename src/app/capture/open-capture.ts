/** Capture as the config, or `up --observe`, wants it. */
import type { Ports } from "../../gate/ports.ts";
import type { World } from "../../gate/world.ts";
import { capturedFiles } from "../../host/store/captured-files.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { AuditLog } from "../audit-log.ts";
import type { Config } from "../config.ts";
import { captureSettings } from "../config/capture.ts";
import { statePaths } from "../state-folder.ts";
import { captureDesk } from "./capture-desk.ts";

interface Environment {
  readonly clock: Clock;
  readonly log: Log;
}

export function openCapture(
  config: Config,
  needs: Pick<AuditLog, "subjectOf"> & {
    readonly world: { readonly current: () => World };
    readonly environment: Environment;
  },
  opening: AsyncDisposableStack,
): Pick<Ports, "captures"> {
  const settings = captureSettings(config);
  const { world, subjectOf, environment } = needs;
  const { captured: folder } = statePaths(config.state);
  if (settings === undefined) {
    opening.defer(expireLeftOver(folder, environment));
    return {};
  }
  const isOwnCheck = (caller: string): boolean => world.current().onlookers.has(caller);
  const captures = captureDesk({ folder, settings, isOwnCheck, subjectOf, ...environment });
  opening.defer(captures.stop);
  return { captures };
}

/** What is said at the start of what isn't enforced and of what is kept: the event of the log, and a sentence. */
export function captureNotes(config: Config): readonly (readonly [string, string])[] {
  const settings = captureSettings(config);
  const isObserving = config.observes === true;
  const servers = settings?.servers?.join(", ") ?? "all servers";
  return [
    ...(isObserving
      ? [
          [
            "policy.observed",
            "No rule is enforced: what rules would stop is let through and recorded.",
          ] as const,
        ]
      : []),
    ...(settings === undefined
      ? []
      : [
          [
            "capture.on",
            `The arguments of calls to ${servers} are kept, sealed, for ${settings.keep / hourMs} hours.`,
          ] as const,
        ]),
  ];
}

const hourMs = 3_600_000;

/** What was captured before capture was turned off goes as well. @returns what ends that */
function expireLeftOver(folder: string, { clock, log }: Environment): () => void {
  const files = capturedFiles(folder, Number.MAX_SAFE_INTEGER);
  const expire = (): void => {
    files.expire(clock.nowUnixMs() - leftOverMs).catch((error: unknown) => {
      log.error("capture.not_expired", { reason: error instanceof Error ? error.message : "unknown" });
    });
  };
  expire();
  const timer = setInterval(expire, hourMs).unref();
  return () => clearInterval(timer);
}

/** As long as it is kept by default. */
const leftOverMs = 7 * 24 * hourMs;
