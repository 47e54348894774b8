/** What counting a call and a batch of the live stream cost, each alone in this process. */
import { seeTraffic } from "../src/app/control/seen-traffic.ts";
import { eventStream } from "../src/control/event-stream.ts";
import { liveCalls } from "../src/control/live-calls.ts";
import { systemClock, systemLog } from "../src/host/system.ts";
import { median } from "../src/kernel/statistics.ts";
import { callEntries, loggedCall } from "../test/support/logged-calls.ts";

const calls = 200_000;

/** Microseconds for one call, its two entries; the median of nine. */
export function seenUs(isWatched: boolean): number {
  const log = systemLog({ level: "error", clock: systemClock, form: "json", write: () => undefined });
  const traffic = seeTraffic({ servers: { files: { command: ["true"] } }, virtual_servers: {} } as never, {
    clock: systemClock,
    log,
  });
  if (isWatched) traffic.showOn({ listeners: () => 1, publish: () => undefined });
  const all = Array.from({ length: calls }, (_, i) =>
    callEntries({
      callId: `c${i}`,
      caller: `spiffe://a.example/agent/${i % 20}`,
      risk: 0.2,
      requestBytes: 500,
    }),
  );
  const took = Array.from({ length: 9 }, () => {
    const began = performance.now();
    for (const { decision, outcome } of all) {
      traffic.see(decision, 1);
      traffic.see(outcome, 2);
    }
    return ((performance.now() - began) * 1000) / calls;
  });
  return median(took);
}

export const batched = 100;

/** Microseconds for a batch of the stream that stands for a hundred calls, made and written as text; the median of many. */
export function batchUs(): number {
  let flush = (): void => undefined;
  let bytes = 0;
  const stream = eventStream("x");
  stream.subscribe(
    undefined,
    ({ id, event, data }) => void (bytes += id.length + event.length + data.length),
  );
  const live = liveCalls({
    isWatched: () => true,
    send: (what) => stream.publish("calls", what),
    later: (act) => void (flush = act),
    chance: Math.random,
    nowUnixMs: systemClock.nowUnixMs,
  });
  const all = Array.from({ length: batched }, (_, i) => loggedCall({ callId: `c${i}`, risk: 0.2 }));
  const took = Array.from({ length: 2000 }, () => {
    for (const call of all) live.see(call);
    const began = performance.now();
    flush();
    return (performance.now() - began) * 1000;
  });
  if (bytes === 0) throw new Error("nothing was sent");
  return median(took);
}
