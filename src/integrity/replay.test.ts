/** The replay window: each message once, for as long as it could be shown again, and never more than it can hold. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import type { DirectProof, MessageProof, PromisedProof } from "../model/message-proof.ts";
import { replayWindow } from "./replay.ts";

const startedUnixMs = 1_795_000_000_400;
const now = startedUnixMs + 60_000;

function direct(nonce: string, part: Partial<DirectProof> = {}): DirectProof {
  const signedAtUnixMs = part.signedAtUnixMs ?? now - (now % 1000);
  return {
    mode: "direct",
    algorithm: "ML-DSA-65",
    signer: "spiffe://acme.test/a",
    keySet: "",
    trust: "approved",
    payload: "",
    nonce,
    signedAtUnixMs,
    expiresAtUnixMs: signedAtUnixMs + 120_000,
    ...part,
  };
}

function promised(batch: string, seq: number, part: Partial<PromisedProof> = {}): PromisedProof {
  const { algorithm: _, ...common } = direct("n");
  return { ...common, mode: "batched", batch, seq, ...part };
}

test("a message counts once, whoever else uses the same nonce", () => {
  const window = replayWindow(startedUnixMs);
  assert.equal(window.reserve(direct("a"), now), "reserved");
  assert.equal(window.reserve(direct("a"), now + 100_000), "replayed");
  assert.equal(window.reserve(direct("b"), now), "reserved");
  assert.equal(window.reserve(direct("a", { signer: "spiffe://acme.test/b" }), now), "reserved");
});

test("a message that wasn't carried out may come again, signed anew with its nonce and its end, and then once", () => {
  const window = replayWindow(startedUnixMs);
  const first = direct("a");
  const anew = { ...first, signedAtUnixMs: first.signedAtUnixMs + 30_000, algorithm: "ML-DSA-87" };
  assert.equal(window.reserve(first, now), "reserved");
  assert.equal(window.reserve(anew, now), "replayed");
  window.release(first);
  assert.equal(window.reserve(anew, now), "reserved");
  assert.equal(window.reserve(first, now), "replayed");
  window.release(direct("b"));
  assert.equal(window.reserve(direct("b"), now), "reserved", "what was never reserved");
});

test("a number of a batch counts once, in any order", () => {
  const window = replayWindow(startedUnixMs);
  const seen = [3, 0, 1, 3, 0, 2, 2].map((seq) => window.reserve(promised("x", seq), now));
  assert.deepEqual(seen, [
    "reserved",
    "reserved",
    "reserved",
    "replayed",
    "replayed",
    "reserved",
    "replayed",
  ]);
  assert.equal(window.reserve(promised("y", 3), now), "reserved");
  assert.equal(window.reserve(promised("x", 3, { signer: "spiffe://acme.test/b" }), now), "reserved");
});

test("a number far behind its batch counts as seen", () => {
  const window = replayWindow(startedUnixMs);
  assert.equal(window.reserve(promised("x", 70_000), now), "reserved");
  assert.equal(window.reserve(promised("x", 70_000 - 65_536), now), "replayed");
  assert.equal(window.reserve(promised("x", 70_000 - 65_535), now), "reserved");
  assert.equal(window.reserve(promised("x", Number.MAX_SAFE_INTEGER), now), "reserved");
  assert.equal(window.reserve(promised("x", 70_000), now), "replayed");
});

test("a batch goes on past the end of what is remembered of it", () => {
  const window = replayWindow(startedUnixMs);
  for (const seq of [0, 1, 40_000, 65_536, 65_537, 131_072])
    assert.equal(window.reserve(promised("x", seq), now), "reserved");
  assert.equal(window.reserve(promised("x", 65_537), now), "replayed");
});

test("a batch is remembered until the last of its messages has expired", () => {
  const window = replayWindow(startedUnixMs);
  const last = promised("x", 1, { signedAtUnixMs: now + 150_000, expiresAtUnixMs: now + 270_000 });
  assert.equal(window.reserve(promised("x", 0), now), "reserved");
  assert.equal(window.reserve(last, now + 150_000), "reserved");
  assert.equal(window.reserve(last, now + 250_000), "replayed");
});

test("what was signed before the window began is stale, to the second", () => {
  const window = replayWindow(startedUnixMs);
  assert.equal(window.notBeforeUnixMs, 1_795_000_001_000);
  const at = (signedAtUnixMs: number) => window.reserve(direct("a", { signedAtUnixMs }), now);
  assert.equal(at(1_795_000_000_000), "stale");
  assert.equal(at(1_795_000_001_000), "reserved");
  assert.equal(window.reserve(promised("x", 0, { signedAtUnixMs: 1_795_000_000_000 }), now), "stale");
});

test("what was forgotten isn't taken again when a clock is set back", () => {
  const window = replayWindow(startedUnixMs);
  for (const message of [direct("a"), promised("x", 0)]) {
    assert.equal(window.reserve(message, now), "reserved");
  }
  assert.equal(window.reserve(direct("later", { signedAtUnixMs: now + 600_000 }), now + 600_000), "reserved");
  for (const message of [direct("a"), promised("x", 0)]) assert.equal(window.reserve(message, now), "stale");
});

test("a full window says so, keeps what it has, and takes more when that has expired", () => {
  const window = replayWindow(startedUnixMs);
  const fill = (signer: string, most: number): number => {
    for (let i = 0; i < most; i++) {
      const message = direct(String(i), { signer });
      if (window.reserve(message, now) !== "reserved") return i;
    }
    return most;
  };
  assert.equal(fill("a", 800_000), 786_432);
  assert.equal(window.reserve(direct("0", { signer: "a" }), now), "replayed");
  assert.equal(window.reserve(direct("new", { signer: "a" }), now), "full");
  assert.equal(fill("b", 800_000), 262_144);
  assert.equal(window.reserve(direct("0", { signer: "c" }), now), "full");
  const later = now + 400_000;
  assert.equal(window.reserve(direct("0", { signer: "c", signedAtUnixMs: later }), later), "reserved");
  assert.equal(window.reserve(direct("0", { signer: "a", signedAtUnixMs: later }), later), "reserved");
});

test("batches are bounded too, in all and of each signer", () => {
  const window = replayWindow(startedUnixMs);
  const answers = (signer: string) =>
    Array.from({ length: 257 }, (_, i) => window.reserve(promised(`${i}`, 0, { signer }), now));
  assert.deepEqual(answers("a").slice(-2), ["reserved", "full"]);
  for (let i = 0; i < 14; i++) answers(`s${i}`);
  assert.equal(answers("y").at(-2), "reserved");
  assert.equal(window.reserve(promised("one", 0, { signer: "z" }), now), "full");
  assert.equal(window.reserve(promised("0", 1, { signer: "a" }), now), "reserved");
});

/** The same by remembering everything. */
function remembersAll() {
  const seen = new Set<string>();
  return (message: MessageProof): boolean => {
    const what = message.mode === "direct" ? message.nonce : `${message.batch} ${message.seq}`;
    const key = `${message.signer} ${what}`;
    return !seen.has(key) && seen.add(key).size > 0;
  };
}

test("whatever comes in whatever order, what is still good is taken exactly once", () => {
  const message = fc.oneof(
    fc.tuple(fc.constantFrom("a", "b"), fc.nat({ max: 5 })).map(([signer, n]) => direct(`${n}`, { signer })),
    fc
      .tuple(fc.constantFrom("x", "y"), fc.nat({ max: 40_000 }))
      .map(([batch, n]) => promised(batch, n - (n % 7))),
  );
  fc.assert(
    fc.property(fc.array(message, { maxLength: 60 }), fc.array(fc.nat({ max: 2000 })), (messages, steps) => {
      const window = replayWindow(startedUnixMs);
      const isNew = remembersAll();
      let time = now;
      for (const [i, one] of messages.entries()) {
        time += steps[i] ?? 0;
        assert.equal(window.reserve(one, time), isNew(one) ? "reserved" : "replayed");
      }
    }),
  );
});
