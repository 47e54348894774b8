/** How much a signer signs: bursts, a steady rate, and one line in the log for each flood. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Refusal } from "../../kernel/refusal.ts";
import { allowance } from "./allowance.ts";

test("a burst is let through, then as many as come in a second, and each flood is told once", () => {
  let now = 0;
  const told: string[] = [];
  const line = (event: string): void => void told.push(event);
  const log = { error: line, warn: line, info: line, debug: line };
  const { take } = allowance(
    { what: "heads", burst: 10, perSecond: 2 },
    { clock: { nowUnixMs: () => now }, log },
  );
  const taken = (): number => {
    for (let count = 0; count < 1000; count++) {
      try {
        take();
      } catch (error) {
        assert.ok(error instanceof Refusal && error.code === "busy");
        return count;
      }
    }
    return Infinity;
  };
  assert.equal(taken(), 10);
  assert.equal(taken(), 0);
  now += 1500;
  assert.equal(taken(), 3);
  assert.deepEqual(told, ["signer.limited"]);
  now -= 60_000;
  assert.equal(taken(), 0, "a clock that is set back gives nothing");
  now += 600_000;
  assert.equal(taken(), 10, "what isn't used is kept up to one burst");
  assert.deepEqual(told, ["signer.limited", "signer.limited"]);
});
