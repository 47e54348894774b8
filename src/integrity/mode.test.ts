/** Demands: what is enough, and what is said to who did less. */
import assert from "node:assert/strict";
import { test } from "node:test";

import type { DirectProof, MessageProof, PromisedProof } from "../model/message-proof.ts";
import { leastMode, readNeed, type SignatureNeed, strongerMode, unmet, writeNeed } from "./mode.ts";

const now = 1_795_000_000_000;
const common = {
  signer: "",
  keySet: "",
  trust: "approved",
  payload: "",
  nonce: "",
  signedAtUnixMs: now - 10_000,
  expiresAtUnixMs: now + 110_000,
} as const;
const direct = (algorithm: string): DirectProof => ({ ...common, mode: "direct", algorithm });
const batched: PromisedProof = { ...common, mode: "batched", batch: "x", seq: 0 };

test("calls of tools are signed directly unless the operator says that they only read; all else in batches", () => {
  assert.deepEqual(
    [
      leastMode("tools/call", false),
      leastMode("tools/call", true),
      leastMode("resources/read", false),
      leastMode("prompts/list", true),
    ],
    ["direct", "batched", "batched", "batched"],
  );
  assert.deepEqual(
    [strongerMode("none", "batched"), strongerMode("direct", "batched")],
    ["batched", "direct"],
  );
});

const demands = {
  none: { mode: "none" },
  batched: { mode: "batched" },
  direct: { mode: "direct" },
  "ML-DSA-65": { mode: "none", algorithm: "ML-DSA-65" },
  "ML-DSA-87": { mode: "batched", algorithm: "ML-DSA-87" },
  "fresh enough": { mode: "batched", maxAgeMs: 10_000 },
  fresher: { mode: "none", maxAgeMs: 9999 },
} as const;
const proofs: Readonly<Record<string, MessageProof | undefined>> = {
  nothing: undefined,
  "a promise": batched,
  "ML-DSA-65": direct("ML-DSA-65"),
  "ML-DSA-87": direct("ML-DSA-87"),
  "another algorithm": direct("Ed25519"),
};
/** In the order of the demands. */
const enough: Readonly<Record<string, readonly boolean[]>> = {
  nothing: [true, false, false, false, false, false, false],
  "a promise": [true, true, false, false, false, true, false],
  "ML-DSA-65": [true, true, true, true, false, true, false],
  "ML-DSA-87": [true, true, true, true, true, true, false],
  "another algorithm": [true, true, true, false, false, true, false],
};
for (const [what, proof] of Object.entries(proofs)) {
  test(`what is enough: ${what}`, () => {
    const met = Object.values(demands).map((demand) => unmet(demand, proof, now) === undefined);
    assert.deepEqual(met, enough[what]);
  });
}

test("an algorithm can only be had directly, so that is what is asked for", () => {
  assert.deepEqual(unmet(demands["ML-DSA-87"], batched, now), { mode: "direct", algorithm: "ML-DSA-87" });
  assert.deepEqual(unmet(demands.fresher, batched, now), demands.fresher);
});

const needs: readonly SignatureNeed[] = [
  { mode: "direct" },
  { mode: "direct", algorithm: "ML-DSA-87", maxAgeMs: 30_000, notBeforeUnixMs: now },
];
for (const need of needs) {
  test(`a need is read as it was written: ${JSON.stringify(need)}`, () => {
    assert.deepEqual(readNeed(JSON.parse(JSON.stringify(writeNeed(need)))), need);
  });
}

for (const value of [undefined, {}, { mode: "both" }, { mode: "direct", alg: "none" }, "direct"]) {
  test(`no need: ${JSON.stringify(value)}`, () => assert.equal(readNeed(value), undefined));
}
