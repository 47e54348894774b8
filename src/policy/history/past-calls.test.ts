/** What is remembered against what a list of all calls says, and what happens where more comes than is kept. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import type { Recollection } from "../../expr/recall.ts";
import { lineBook } from "./line-book.ts";
import { type Asker, type PastCall, pastCalls } from "./past-calls.ts";

const digest = (text: string): string => `~${text.toUpperCase()}`;
const hourMs = 3_600_000;

function callOf(over: Partial<PastCall> & { readonly callId: string }): PastCall {
  return {
    atUnixMs: 1_000_000_000,
    parties: ["a"],
    user: "a",
    session: "s",
    issuer: "i",
    target: "pay/refund",
    features: {},
    ...over,
  };
}

function askerOf(over: Partial<Asker> = {}): Asker {
  return {
    party: "a",
    user: "a",
    session: "s",
    issuer: "i",
    target: "pay/refund",
    atUnixMs: 1_000_000_000 + hourMs,
    ...over,
  };
}

const free = (): void => undefined;

const whose = fc.constantFrom("caller", "user", "session", "issuer", "everybody");
const target = fc.constantFrom("pay/refund", "pay/list", "mail/send");
const recollection: fc.Arbitrary<Recollection> = fc
  .record(
    {
      whose,
      of: fc.constantFrom("pay/*", "mail/send"),
      what: fc.constantFrom("count", "sum", "min", "max", "last", "distinct"),
      path: fc.constant("args.amount"),
      windowMs: fc.constantFrom(hourMs, 3 * hourMs),
    },
    { requiredKeys: ["whose", "what", "path", "windowMs"] },
  )
  .map(({ path, ...asked }) => (asked.what === "count" ? asked : { ...asked, path }));

const calls = fc.array(
  fc.record({
    agoMs: fc.integer({ min: 1, max: 4 * hourMs }),
    party: fc.constantFrom("a", "b"),
    user: fc.constantFrom("a", "u"),
    session: fc.constantFrom("s", "t"),
    issuer: fc.constantFrom("i", "j"),
    target,
    amount: fc.option(fc.integer({ min: -5, max: 500 }), { nil: undefined }),
    end: fc.constantFrom("stands", "undone", "open"),
  }),
  { maxLength: 30 },
);

/** The same, from a list of all calls. */
function naive(asked: Recollection, all: readonly PastCall[], asker: Asker): number | "nothing" {
  const who = {
    caller: asker.party,
    user: asker.user,
    session: asker.session,
    issuer: asker.issuer,
    everybody: "",
  };
  const counted = all.filter((call) => {
    const ofCall = { ...call, everybody: "" };
    const isTheirs =
      asked.whose === "caller"
        ? call.parties.includes(asker.party)
        : ofCall[asked.whose] === who[asked.whose];
    const isThat =
      asked.of === undefined
        ? call.target === asker.target
        : call.target.startsWith(asked.of.replace("*", ""));
    return isTheirs && isThat && call.atUnixMs > asker.atUnixMs - asked.windowMs;
  });
  const numbers = counted.flatMap(({ features }) => {
    const value = features?.["args.amount"];
    return typeof value === "number" ? [value] : [];
  });
  if (asked.what === "count") return counted.length;
  if (asked.what === "distinct") return new Set(numbers).size;
  if (asked.what === "sum") return numbers.reduce((sum, each) => sum + each, 0);
  if (numbers.length === 0) return "nothing";
  if (asked.what === "last") return numbers.at(-1) ?? "nothing";
  return asked.what === "min" ? Math.min(...numbers) : Math.max(...numbers);
}

test("whatever came before, what is recalled is what a list of all calls says", () => {
  fc.assert(
    fc.property(
      calls,
      fc.array(recollection, { minLength: 1, maxLength: 5 }),
      target,
      (given, asked, now) => {
        const past = pastCalls(asked, digest);
        const asker = askerOf({ target: now });
        const all = given
          .toSorted((a, b) => b.agoMs - a.agoMs)
          .map(({ agoMs, party, amount, end, ...rest }, at) => ({
            end,
            call: callOf({
              ...rest,
              callId: String(at),
              atUnixMs: asker.atUnixMs - agoMs,
              parties: [party],
              // What isn't settled lowers nothing: below.
              features:
                amount === undefined ? {} : { "args.amount": end === "open" ? Math.abs(amount) : amount },
            }),
          }));
        for (const { call, end } of all) {
          assert.equal(past.reserve(call), undefined);
          if (end !== "open") past.settle(call.callId, end);
        }
        const standing = all.filter(({ end }) => end !== "undone").map(({ call }) => call);
        for (const each of asked) {
          const expected = naive(each, standing, asker);
          const found = past.of(asker).recall(each, undefined, free);
          if (expected === "nothing") assert.ok(typeof found === "object", JSON.stringify(each));
          else assert.equal(found, expected, JSON.stringify(each));
        }
      },
    ),
    { numRuns: 400 },
  );
});

const count: Recollection = { whose: "caller", what: "count", windowMs: hourMs };
const sum: Recollection = { whose: "caller", what: "sum", path: "args.amount", windowMs: hourMs };

test("of more calls than are kept one by one none is lost before its time, and sums stay right", () => {
  const past = pastCalls([count, sum], digest);
  const begin = 1_000_000_000;
  for (let at = 0; at < 20_000; at += 1) {
    const call = callOf({ callId: String(at), atUnixMs: begin + at, features: { "args.amount": 2 } });
    assert.equal(past.reserve(call), undefined);
    past.settle(call.callId, "stands");
  }
  const soon = past.of(askerOf({ atUnixMs: begin + 20_000 }));
  assert.deepEqual(
    [count, sum].map((asked) => soon.recall(asked, undefined, free)),
    [20_000, 40_000],
  );
  const later = past.of(askerOf({ atUnixMs: begin + hourMs + 19_000 })).recall(count, undefined, free);
  assert.ok(typeof later === "number" && later >= 999, `${JSON.stringify(later)} of the last 999`);
  assert.equal(past.of(askerOf({ atUnixMs: begin + hourMs + 20_001 })).recall(count, undefined, free), 0);
});

test("what can't be remembered is refused or said to be unknown, and nobody's history makes way for another's", () => {
  const seen: Recollection = { whose: "session", what: "seen", path: "args.to", windowMs: hourMs };
  const past = pastCalls([seen, count], digest, { lines: lineBook({ lines: 10, ofOwner: 4 }) });
  const of = (party: string, session: string, at = 0): string | undefined =>
    past.reserve(
      callOf({ callId: `${party}${session}${at}`, parties: [party], session, features: { "args.to": "~X" } }),
    );
  assert.deepEqual(
    ["1", "2", "3"].map((session) => of("a", session)),
    [undefined, undefined, undefined],
  );
  assert.match(of("a", "4") ?? "", /too many/);
  assert.deepEqual(
    ["1", "2", "3"].map((session) => of("b", session)),
    [undefined, undefined, undefined],
  );
  assert.equal(past.of(askerOf({ session: "1", atUnixMs: 1_000_000_001 })).recall(seen, "x", free), true);
  assert.equal(past.of(askerOf({ session: "1", atUnixMs: 1_000_000_001 })).recall(seen, "y", free), false);
  const much = pastCalls([seen], digest);
  for (let at = 0; at <= 10_000; at += 1)
    much.reserve(callOf({ callId: String(at), features: { "args.to": `~${at}` } }));
  assert.deepEqual(much.of(askerOf({ atUnixMs: 1_000_000_001 })).recall(seen, "y", free), {
    why: "more than 10000 values are too many to remember",
  });
});

test("features that can't be read any more make what asks for them unknown, and calls count all the same", () => {
  const past = pastCalls([count, sum], digest);
  past.reserve(callOf({ callId: "1", features: undefined }));
  const asking = past.of(askerOf({ atUnixMs: 1_000_000_001 }));
  assert.equal(asking.recall(count, undefined, free), 1);
  assert.deepEqual(asking.recall(sum, undefined, free), {
    why: "what a call said isn't a number, or isn't known any more",
  });
});

test("what isn't settled yet lowers no sum, and what is no number is summed as nothing known", () => {
  const past = pastCalls([sum], digest);
  const at = (amount: number | string, callId: string): void => {
    assert.equal(past.reserve(callOf({ callId, features: { "args.amount": amount } })), undefined);
  };
  const asking = past.of(askerOf({ atUnixMs: 1_000_000_001 }));
  at(2000, "1");
  at(-5000, "2");
  assert.equal(asking.recall(sum, undefined, free), 2000);
  past.settle("2", "undone");
  assert.equal(asking.recall(sum, undefined, free), 2000);
  at("~DIGEST", "3");
  assert.ok(typeof asking.recall(sum, undefined, free) === "object");
});

test("deviations of large numbers are right, and what is no finite number is told", () => {
  const deviation: Recollection = { ...sum, what: "deviation" };
  const past = pastCalls([deviation, sum], digest);
  for (const each of [0, 1, 2, 3])
    past.reserve(callOf({ callId: String(each), features: { "args.amount": 1e9 + each } }));
  const asking = past.of(askerOf({ atUnixMs: 1_000_000_001 }));
  const found = asking.recall(deviation, undefined, free);
  assert.ok(typeof found === "number" && Math.abs(found - Math.sqrt(1.25)) < 1e-6);
  for (const each of ["4", "5"])
    past.reserve(callOf({ callId: each, features: { "args.amount": Number.MAX_VALUE } }));
  assert.deepEqual(asking.recall(sum, undefined, free), { why: "the numbers are too large" });
});

test("a past that is too much for one caller is unknown for that caller, and for nobody else", () => {
  const past = pastCalls([count], digest, { lines: lineBook({ lines: 100, ofOwner: 4 }) });
  for (let at = 0; at < 9; at += 1) past.restore(callOf({ callId: `a${at}`, target: `pay/${at}` }));
  past.restore(callOf({ callId: "b", parties: ["b"], user: "b" }));
  const of = (party: string, of: string): unknown =>
    past.of(askerOf({ party, target: of, atUnixMs: 1_000_000_001 })).recall(count, undefined, free);
  assert.deepEqual([typeof of("a", "pay/8"), of("b", "pay/refund")], ["object", 1]);
});

test("who is erased is forgotten, and what counts everybody's calls is not", () => {
  const all: Recollection = { ...count, whose: "everybody" };
  const past = pastCalls([count, all], digest);
  past.reserve(callOf({ callId: "1" }));
  past.forget(["a"]);
  const asking = past.of(askerOf({ atUnixMs: 1_000_000_001 }));
  assert.deepEqual(
    [count, all].map((asked) => asking.recall(asked, undefined, free)),
    [0, 1],
  );
});
