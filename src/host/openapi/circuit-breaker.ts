/** Leaves an API alone that failed several times in a row: whoever asks is told at once, and one request tries again after a while. */
import { Refusal } from "../../kernel/refusal.ts";

export interface CircuitBreaker {
  /** @throws Refusal `upstream_failed` while the API is left alone */
  readonly check: () => void;
  /** What became of a request that was let through. */
  readonly note: (how: "worked" | "failed" | "unknown") => void;
}

const maxFailures = 5;
const restMs = 15_000;

export function circuitBreaker(nowMs: () => number): CircuitBreaker {
  let failures = 0;
  let closedUntilMs = 0;
  let isTrying = false;
  return {
    check: () => {
      if (failures < maxFailures) return;
      if (nowMs() >= closedUntilMs && !isTrying) {
        isTrying = true;
        return;
      }
      throw new Refusal(
        "upstream_failed",
        `The API failed ${failures} times in a row; it is asked again in a few seconds.`,
        { facts: { cause: "circuit_open", sent: false } },
      );
    },
    note: (how) => {
      isTrying = false;
      if (how === "worked") failures = 0;
      if (how !== "failed") return;
      failures += 1;
      closedUntilMs = nowMs() + restMs;
    },
  };
}
