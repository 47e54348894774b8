import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { callValues } from "./call-values.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

function heapMegabytes(): number {
  // Shapes of objects hold names for one round longer.
  for (let i = 0; i < 3; i++) collectGarbage();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

test("the values of a call don't keep its text in memory", () => {
  const before = heapMegabytes();
  const kept = Array.from({ length: 20 }, (_, i) => {
    const long = `${i} ${"word ".repeat(200_000)}`;
    return callValues(JSON.parse(JSON.stringify({ text: long, [long]: i })));
  });
  const grown = heapMegabytes() - before;
  assert.equal(kept.length, 20);
  assert.ok(grown < 8, `${grown} MiB after 40 MiB of arguments`);
});
