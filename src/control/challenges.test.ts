import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";

import { challenges } from "./challenges.ts";

const here = { address: "127.0.0.1", agent: "a browser" };

test("questions without end push out the oldest, and fill no memory", () => {
  const { ask, take } = challenges<number>(() => randomBytes(32));
  const asked = Array.from({ length: 1025 }, (_, n) => ask(n, here, 0));
  assert.equal(take(asked[0] ?? "", here, 1), undefined);
  assert.equal(take(asked[1] ?? "", here, 1), 1);
  assert.equal(take(asked[1024] ?? "", here, 1), 1024);
});
