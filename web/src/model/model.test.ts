import assert from "node:assert/strict";
import { test } from "node:test";

import { actorOf, searchPath } from "./audit.ts";
import { isAllowed, readProblem, readSession } from "./api-answers.ts";
import { isOpen, readApproval, readApprovals } from "./approvals.ts";
import { diffLines } from "./diff-lines.ts";
import { keyMeans } from "./keys.ts";
import { added, newest, noCounts, readBatch } from "./live-calls.ts";
import { readResponses } from "./responses.ts";
import { placeAt, places, wayBack } from "./routes.ts";
import { sorted } from "./sorting.ts";
import { sparkPoints } from "./spark.ts";
import { stacked } from "./stacked.ts";
import { readCalls, readStatus } from "./status.ts";
import { retryDelayMs } from "./stream-state.ts";
import { milliseconds, readChanges, readTraffic, shareOf } from "./traffic.ts";
import { callerName, compact, count, duration, percent, relative } from "./words.ts";

test("a stream that stays away is tried ever more seldom, and never given up", () => {
  const delays = [1, 2, 3, 4, 5, 6, 7, 1000].map(retryDelayMs);
  assert.deepEqual(delays, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
});

test("an address leads to its page, with what follows it, or nowhere", () => {
  const at = (pathname: string) => {
    const found = placeAt(pathname);
    return found && [found.place.name, ...found.rest];
  };
  assert.deepEqual(at("/"), ["overview"]);
  assert.deepEqual(at("/incidents/i%2F7/x"), ["incidents", "i/7", "x"]);
  assert.deepEqual(at("/live/"), ["live"]);
  for (const nowhere of ["/nothing", "/incidents/%", "/Live"]) assert.equal(at(nowhere), undefined);
});

test("a login leads back to a path of this site, and to no other site", () => {
  assert.equal(wayBack("/live/c-1?verdict=denied"), "/live/c-1?verdict=denied");
  const others = [
    null,
    "",
    "live",
    "https://evil.test/",
    "//evil.test",
    "/\\evil.test",
    "/login?back=/login",
    "/a\nb",
  ];
  for (const back of others) assert.equal(wayBack(back), "/", String(back));
});

test("each page has a key of its own, which means it only after g", () => {
  const keys = places.map(({ key }) => key).filter((key) => key !== "");
  assert.equal(new Set(keys).size, keys.length);
  assert.deepEqual(keyMeans("g", false), { kind: "chord" });
  assert.deepEqual(keyMeans("i", false), { kind: "none" });
  assert.deepEqual(keyMeans("i", true), { kind: "go", path: "/incidents" });
  assert.deepEqual(keyMeans("?", true), { kind: "none" });
});

test("who may do what follows from the roles; an admin may all", () => {
  const as = (...roles: string[]) => readSession({ name: "person:a", roles, csrf: "x" });
  assert.equal(isAllowed(undefined, "viewer"), false);
  assert.equal(isAllowed(as("viewer"), "operator"), false);
  assert.equal(isAllowed(as("operator"), "viewer"), true);
  assert.equal(isAllowed(as("approver"), "viewer"), false, "it sees what there is to approve");
  assert.equal(isAllowed(as("admin"), "approver"), true);
});

test("what went wrong is said in the gateway's words, or in ours", () => {
  const said = readProblem(403, { title: "Denied", detail: "Viewers don't act.", code: "denied" });
  assert.deepEqual(said, { status: 403, code: "denied", words: "Viewers don't act." });
  assert.equal(readProblem(429, "<html>").words, "Too many requests: wait a moment.");
  assert.equal(readProblem(418, undefined).words, "The gateway answered 418.");
});

test("rows sort by size and as people sort words, and equal ones stay", () => {
  const by = (words: readonly string[]) => sorted(words, (word) => word, false);
  assert.deepEqual(by(["s10", "S2", "s1"]), ["s1", "S2", "s10"]);
  const rows = [
    { n: 1, at: "a" },
    { n: 2, at: "b" },
    { n: 1, at: "c" },
  ];
  assert.deepEqual(
    sorted(rows, ({ n }) => n, true).map(({ at }) => at),
    ["b", "a", "c"],
  );
});

test("two texts are told apart line by line", () => {
  const rows = diffLines("a\nb\nc\nd", "a\nB\nc\nx\nd");
  assert.deepEqual(
    rows.map(({ kind, before, after }) => [kind, before, after]),
    [
      ["same", "a", "a"],
      ["changed", "b", "B"],
      ["same", "c", "c"],
      ["changed", undefined, "x"],
      ["same", "d", "d"],
    ],
  );
  const [long, other] = ["x", "y"].map((line) =>
    Array.from({ length: 1500 }, (_, at) => line + at).join("\n"),
  );
  assert.equal(diffLines(long ?? "", other ?? "").length, 1500, "too long for pairs: side by side");
  assert.deepEqual(diffLines("", ""), []);
});

test("a small line stays in its field", () => {
  assert.equal(sparkPoints([5], 100, 24), "");
  assert.equal(sparkPoints([0, 5, 10], 100, 24), "0,23 50,12 100,1");
});

test("stacked series add up, and what isn't known adds nothing", () => {
  assert.deepEqual(
    stacked([
      [1, 2],
      [10, null],
      [100, 100],
    ]),
    [
      [1, 2],
      [11, 2],
      [111, 102],
    ],
  );
});

test("moments, large numbers and shares read like speech", () => {
  const now = 1_000_000_000_000;
  const ago = [0, 12_000, 5 * 60_000, 7_200_000, 3 * 86_400_000].map((ms) => relative(now - ms, now));
  assert.deepEqual(ago, ["just now", "12 s ago", "5 min ago", "2 h ago", "3 d ago"]);
  assert.equal(relative(now + 60_000, now), "in 1 min");
  assert.deepEqual([1234, 1_234_567].map(compact), ["1,234", "1.23 M"]);
  assert.deepEqual([0, 0.00001, 0.5, 0.9999, 1].map(percent), ["0 %", "0.1 %", "50 %", "99.9 %", "100 %"]);
});

test("an answer that isn't what was expected shows nothing wrong, only nothing", () => {
  for (const value of [null, 1, "x", [], {}, { version: 1, servers: [] }])
    assert.throws(() => readStatus(value), TypeError);
  const status = readStatus({
    version: "1",
    servers: [null, { name: "a", calls: "many" }],
    listener: 3,
    log: null,
  });
  assert.deepEqual(
    status?.servers.map(({ name, calls }) => [name, calls]),
    [
      ["", 0],
      ["a", 0],
    ],
  );
  assert.deepEqual(readCalls({ items: "none" }), []);
  assert.equal(readCalls({ items: [{ verdict: "<b>" }] })[0]?.verdict, "error");
});

test("durations, callers and counts read like speech", () => {
  assert.deepEqual([0, 59_999, 60_000, 3_660_000, 90_000_000].map(duration), [
    "0 s",
    "59 s",
    "1 min",
    "1 h 1 min",
    "1 d 1 h",
  ]);
  assert.equal(callerName("spiffe://a.test/agent/x", "a.test"), "agent/x");
  assert.equal(callerName("spiffe://b.test/agent/x", "a.test"), "spiffe://b.test/agent/x");
  assert.deepEqual(
    [count(1, "entry", "entries"), count(1200, "entry", "entries")],
    ["1 entry", "1,200 entries"],
  );
});

test("held calls are read with care, and what hides in them is shown", () => {
  assert.deepEqual(readApprovals({ items: "none" }), []);
  const [read] = readApprovals({
    items: [
      { id: "1", state: "waiting", method: "tools/call", server: "s", name: "p\u200bay", chain: ["b"] },
    ],
  });
  assert.match(read?.what ?? "", /⟨U\+200B/);
  assert.match(read?.caller ?? "", / for b$/);
  assert.equal(read?.arguments, undefined);
  assert.deepEqual(readApproval({ arguments: [null, { name: "n", value: 3, isCut: true }] }).arguments, [
    { name: "", value: "", isCut: false },
    { name: "n", value: "", isCut: true },
  ]);
  assert.deepEqual(
    ["waiting", "approved", "denied", "used", "expired"].filter((state) => isOpen({ state })),
    ["waiting", "approved"],
  );
});

test("what is in force, and what has stopped all calls, is read with care, and what hides in it is shown", () => {
  for (const value of [null, 1, {}, { items: "none" }]) assert.deepEqual(readResponses(value), []);
  const scope = { caller: "spiffe://a.test/agent/x\u200b", tool: 7 };
  const [read] = readResponses({ items: [{ id: "1", action: "cut", scope, because: 3 }] });
  assert.equal(read?.what, "Cut its links: agent/x⟨U+200B zero width space⟩");
  assert.equal(read?.because, "");
  const stopped = [{ source: "cli", because: "Smoke.", by: "operator:x" }, null];
  const status = readStatus({ version: "1", servers: [], stopped });
  assert.deepEqual(status?.stopped[0], stopped[0]);
  assert.deepEqual(readStatus({ version: "1", servers: [], stopped: "no" })?.stopped, []);
});

test("traffic is read with care: nothing where nothing is known", () => {
  assert.deepEqual(readTraffic(null).points, []);
  const read = readTraffic({
    stepMs: 60_000,
    points: [{ atUnixMs: 1, calls: 2, allowed: "x", ms: null, risk: { p50: 0.5 } }],
    totals: { calls: 3, suites: { x25519: 1, X25519MLKEM768: 2 } },
    callers: [
      { caller: null, calls: 3 },
      { caller: "a\u202e", calls: 1 },
    ],
  });
  assert.deepEqual([read.points[0]?.allowed, read.points[0]?.ms, read.points[0]?.risk?.p99], [0, null, 0]);
  assert.deepEqual(read.totals.suites, [
    ["X25519MLKEM768", 2],
    ["x25519", 1],
  ]);
  assert.match(read.callers[1]?.caller ?? "", /^a⟨U\+202E/);
  assert.deepEqual([shareOf(1, 0), shareOf(1, 4)], [0, 0.25]);
  assert.deepEqual([0.42, 12.4, 999, 1500, 60_000].map(milliseconds), [
    "0.4 ms",
    "12 ms",
    "999 ms",
    "1.5 s",
    "60 s",
  ]);
  const [change] = readChanges({ items: [{ index: 1, weight: "loud", says: "<b>" }] });
  assert.deepEqual([change?.weight, change?.says], ["info", "<b>"]);
});

test("what the stream tells is added to what was known, each call once", () => {
  const batch = readBatch({
    calls: [{ callId: "b", atUnixMs: 2, outcome: "answered" }],
    counts: { calls: 7, denied: 1 },
  });
  assert.deepEqual(added({ ...noCounts, calls: 1, risky: 3 }, batch.counts), {
    ...noCounts,
    calls: 8,
    denied: 1,
    risky: 3,
  });
  const known = readCalls({
    items: [
      { callId: "b", atUnixMs: 2 },
      { callId: "a", atUnixMs: 1 },
    ],
  });
  const shown = newest(known, [...batch.calls, ...readCalls({ items: [{ callId: "c", atUnixMs: 3 }] })], 2);
  assert.deepEqual(
    shown.map(({ callId, outcome }) => [callId, outcome]),
    [
      ["c", null],
      ["b", "answered"],
    ],
  );
  assert.deepEqual(readBatch("x").counts, noCounts);
});

test("a search of the audit log asks by local times, and leaves out what isn't said", () => {
  const asked = searchPath(new URLSearchParams("text= pay &since=2026-11-21T08:30&until=soon&tool="), "50");
  const query = new URLSearchParams(asked.slice(asked.indexOf("?")));
  assert.deepEqual(
    [...query],
    [
      ["limit", "50"],
      ["text", "pay"],
      ["since", String(new Date(2026, 10, 21, 8, 30).getTime())],
      ["cursor", "50"],
    ],
  );
});

test("what a person did in the control room is told of the person, and a call of its caller", () => {
  const facts = [["by", "person:anna"]] as const;
  assert.equal(actorOf({ event: "control.action", principal: "gateway", facts }), "person:anna");
  assert.equal(actorOf({ event: "control.action", principal: "gateway", facts: [] }), "gateway");
  assert.equal(actorOf({ event: "call.decision", principal: "agent", facts }), "agent");
});
