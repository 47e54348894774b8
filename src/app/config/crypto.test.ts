/** `crypto` in the config: how long peers are remembered, and what becomes of those that come with less. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Refusal } from "../../kernel/refusal.ts";
import { parseConfig } from "../config.ts";

function parsed(crypto: string) {
  return parseConfig(crypto === "" ? "" : `crypto: ${crypto}`, "/etc/latticegate/latticegate.yaml").crypto;
}

const day = 86_400_000;
const rows = [
  ["", 180 * day, { high: "refuse", medium: "flag", low: "flag" }],
  ["{ memory: 2d, regression: refuse }", 2 * day, { high: "refuse", medium: "flag", low: "flag" }],
  ['{ memory: "off", regression: flag }', "off", { high: "flag", medium: "flag", low: "flag" }],
  ["{ regression: { medium: refuse } }", 180 * day, { high: "refuse", medium: "refuse", low: "flag" }],
  ["{ regression: { high: flag, low: refuse } }", 180 * day, { high: "flag", medium: "flag", low: "refuse" }],
] as const;

for (const [text, memory, regression] of rows) {
  test(`crypto: ${text === "" ? "nothing said" : text}`, () => {
    const crypto = parsed(text);
    assert.deepEqual([crypto.memory, crypto.regression], [memory, regression]);
  });
}

for (const wrong of [
  "{ memory: forever }",
  "{ regression: ignore }",
  "{ regression: { certain: refuse } }",
  "{ remember: 1d }",
]) {
  test(`crypto: ${wrong} is refused`, () => {
    assert.throws(
      () => parsed(wrong),
      (error) => error instanceof Refusal && error.code === "bad_config",
    );
  });
}
