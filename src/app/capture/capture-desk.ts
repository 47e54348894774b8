/**
 * Keeps what calls asked, while a gateway runs: `take` puts a call into a bounded queue, and beside the path of calls they
 * are sealed and written. A full queue or disk loses captures, says how many, and stops no call.
 */
import type { Subject } from "../../audit/personal-facts.ts";
import { sealCaptured } from "../../crypto/captured-calls.ts";
import type { Judged } from "../../gate/call.ts";
import { capturedCall, isCapturable } from "../../gate/captured.ts";
import type { Captures } from "../../gate/ports.ts";
import { capturedFiles } from "../../host/store/captured-files.ts";
import { utf8 } from "../../kernel/bytes.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { CaptureSettings } from "../config/capture.ts";

interface Options {
  readonly folder: string;
  readonly settings: CaptureSettings;
  /** Whose key a call is sealed under; of somebody who was erased, one that nobody keeps. */
  readonly subjectOf: (id: string) => Subject;
  /** Callers whose calls are the gateway's own checks. */
  readonly isOwnCheck: (caller: string) => boolean;
  readonly clock: Clock;
  readonly log: Log;
}

export interface CaptureDesk extends Captures {
  /** Writes what waits, and resolves once it is written. */
  readonly stop: () => Promise<void>;
}

/** What waits to be written is held in memory. */
const maxWaitingBytes = 32 * 1024 ** 2;
const maxWaitingCalls = 10_000;
/** As many are sealed before others get their turn. */
const batchCalls = 64;
const expireMs = 60_000;

export function captureDesk(options: Options): CaptureDesk {
  const { settings, folder, clock, log, isOwnCheck } = options;
  const files = capturedFiles(folder, settings.most);
  const servers = settings.servers && new Set(settings.servers);
  const losses = lossCount(log);
  let waiting: Judged[] = [];
  let waitingBytes = 0;
  let writing: Promise<void> | undefined;
  const writeAll = async (): Promise<void> => {
    while (waiting.length > 0) {
      // Others' turn first: the call goes on.
      await new Promise((resolve) => setImmediate(resolve));
      const batch = waiting.slice(0, batchCalls);
      waiting = waiting.slice(batchCalls);
      waitingBytes -= batch.reduce((sum, { body }) => sum + body.length, 0);
      try {
        const lines = batch.flatMap((call) => sealedLine(call, options) ?? []);
        if (lines.length > 0) await files.append(lines, clock.nowUnixMs());
      } catch (error) {
        losses.add(batch.length, error instanceof Error ? error.message : "unknown");
      }
    }
  };
  const expire = (): Promise<void> =>
    files.expire(clock.nowUnixMs() - settings.keep).catch((error: unknown) => {
      log.error("capture.not_expired", { reason: error instanceof Error ? error.message : "unknown" });
    });
  const atOnce = (work: () => Promise<void>): Promise<void> => {
    const before = writing ?? Promise.resolve();
    const next: Promise<void> = before.then(work).finally(() => {
      if (writing === next) writing = undefined;
    });
    return (writing = next);
  };
  void atOnce(expire);
  const timer = setInterval(() => {
    void atOnce(expire);
    losses.tell();
  }, expireMs).unref();
  return {
    take: (call) => {
      const isWanted = servers === undefined || servers.has(call.server);
      if (!isWanted || isOwnCheck(call.caller.id) || !isCapturable(call)) return;
      if (waiting.length >= maxWaitingCalls || waitingBytes + call.body.length > maxWaitingBytes) {
        losses.add(1, "more calls come than can be written");
        return;
      }
      waiting.push(call);
      waitingBytes += call.body.length;
      if (waiting.length === 1) void atOnce(writeAll);
    },
    stop: async () => {
      clearInterval(timer);
      await atOnce(writeAll);
      await files.close();
      losses.tell();
    },
  };
}

function sealedLine(call: Judged, { subjectOf }: Options): string | undefined {
  const captured = capturedCall(call);
  if (captured === undefined) return undefined;
  const { id, at, caller, chain = [], ...rest } = captured;
  const { key, pseudonym } = subjectOf(caller);
  // Those it is on behalf of are named by their pseudonyms: who of them is erased is erased here too.
  const others = chain.map((party) => subjectOf(party).pseudonym);
  const text = JSON.stringify({ ...rest, chain: others });
  return JSON.stringify({ call: id, at, caller: pseudonym, sealed: sealCaptured(key, call.id, utf8(text)) });
}

/** What was lost is told at once, and then once a minute with how much it was meanwhile. */
function lossCount(log: Log): {
  readonly add: (calls: number, reason: string) => void;
  readonly tell: () => void;
} {
  let [lost, why, isTold] = [0, "", false];
  const tell = (): void => {
    isTold = lost > 0;
    if (lost > 0) log.error("capture.lost", { calls: lost, reason: why });
    lost = 0;
  };
  return {
    add: (calls, reason) => {
      lost += calls;
      why = reason;
      if (!isTold) tell();
    },
    tell,
  };
}
