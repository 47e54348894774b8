/** Notices that the other end of an HTTP/2 connection went away without a word, by PING frames (RFC 9113 §6.7). */
import type http2 from "node:http2";
import type { Duplex } from "node:stream";
import { Socket } from "node:net";

export interface PingTimes {
  /** A connection that was silent for that long is asked. */
  readonly everyMs: number;
  /** One that then says nothing for that long is dead. */
  readonly deadMs: number;
}

/** Ends `link` with an error when the other end of its session says nothing any more. */
export function watchPeer(session: http2.Http2Session, link: Duplex, { everyMs, deadMs }: PingTimes): void {
  let timer: NodeJS.Timeout | undefined;
  let heardBytes = bytesFrom(link);
  const later = (act: () => void, ms: number): void => {
    if (!session.destroyed) timer = setTimeout(act, ms).unref();
  };
  /** An answer may stand behind many megabytes of something else: whatever comes is a sign of life. */
  const wasHeard = (): boolean => {
    const before = heardBytes;
    heardBytes = bytesFrom(link);
    return heardBytes !== before;
  };
  const look = (): void => {
    if (session.destroyed) return;
    if (wasHeard()) {
      later(look, everyMs);
      return;
    }
    let isAnswered = false;
    session.ping(() => (isAnswered = true));
    // A process that didn't get to run reads first what came meanwhile.
    later(() => setImmediate(() => (isAnswered || wasHeard() ? later(look, everyMs) : end())), deadMs);
  };
  const end = (): void => {
    link.destroy(Object.assign(new Error("The other end says nothing any more."), { code: "ETIMEDOUT" }));
  };
  session.once("close", () => clearTimeout(timer));
  later(look, everyMs);
}

function bytesFrom(link: Duplex): number {
  return link instanceof Socket ? link.bytesRead : 0;
}
