/** A file of traffic with as much in it as it ever holds: 200 kinds of calls in each stretch of time, for sixty days. */
import { openTraffic, resolutions, type StoredMinute } from "../src/host/store/state-traffic.ts";

const kinds = 200;
const verdicts = ["allowed", "denied", "held", "error"] as const;
const hybrid = "hybrid X25519MLKEM768 ML-DSA-65";

/** @param sinceUnixMs sixty days ago if it isn't said */
export function fillTraffic(file: string, nowUnixMs: number, sinceUnixMs = 0): void {
  const store = openTraffic(file);
  // From coarse to fine, each where no finer one is kept: a minute counts in all of its resolutions.
  const [minutes, tens, hours] = resolutions;
  const spans = [
    { stepMs: hours.stepMs, from: nowUnixMs - hours.keptMs, to: nowUnixMs - tens.keptMs },
    { stepMs: tens.stepMs, from: nowUnixMs - tens.keptMs, to: nowUnixMs - minutes.keptMs },
    { stepMs: minutes.stepMs, from: nowUnixMs - minutes.keptMs, to: nowUnixMs - minutes.stepMs },
  ];
  const first = Math.max(sinceUnixMs, nowUnixMs - hours.keptMs);
  const made = spans.flatMap(({ stepMs, from, to }) =>
    Array.from({ length: Math.floor((to - from) / stepMs) }, (_, i) => from + i * stepMs)
      .filter((at) => at >= first)
      .map(minuteAt),
  );
  store.add(made, nowUnixMs);
  store.close();
}

function minuteAt(atUnixMs: number): StoredMinute {
  const at = atUnixMs - (atUnixMs % resolutions[0].stepMs);
  const rows = Array.from({ length: kinds }, (_, i) => ({
    atUnixMs: at,
    caller: `spiffe://latticegate.local/agent/${Math.floor(i / verdicts.length)}`,
    server: "stub",
    verdict: verdicts[i % verdicts.length] ?? "allowed",
    link: hybrid,
    serverLink: "plain - -",
    calls: 12,
    requestBytes: 6000,
    answerBytes: 4000,
    ms: 60,
    risky: 0,
  }));
  return {
    rows,
    spread: {
      atUnixMs: at,
      ms: Array.from({ length: 23 }, () => 100),
      risk: Array.from({ length: 20 }, () => 100),
    },
  };
}
