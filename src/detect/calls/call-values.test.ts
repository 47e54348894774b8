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

test("numbers in front of them don't hide a call's texts", () => {
  const filler = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`x${i}`, i]));
  const values = callValues({
    ...filler,
    rows: Array.from({ length: 1000 }, (_, i) => i),
    iban: "DE89370400440532013000",
  });
  assert.equal(values.length, 48);
  assert.equal(values.at(-1)?.param, "iban");
});

test("of a call with many texts 256 are values, in order", () => {
  const values = callValues(Array.from({ length: 1000 }, (_, i) => `text ${i}`));
  assert.equal(values.length, 256);
  assert.equal(values.at(-1)?.text, "text 255");
  assert.ok(values.reduce((sum, { words }) => sum + words.length, 0) <= 512 + 4 * 256);
});

test("a call of no more than 48 values is all of them, in order", () => {
  const args = { amount: 5, to: "ann@acme.test", rows: Array.from({ length: 46 }, (_, i) => i) };
  assert.equal(callValues(args).length, 48);
  assert.deepEqual(
    callValues(args)
      .slice(0, 3)
      .map(({ param }) => param),
    ["amount", "to", "rows[]"],
  );
});
