import assert from "node:assert/strict";
import { test } from "node:test";

import { isOpen, readApproval, readApprovals } from "./approvals.ts";
import { nextDelayMs, nextLink } from "./polling.ts";
import { readResponses } from "./responses.ts";
import { readCalls, readStatus } from "./status.ts";
import { callerName, count, duration } from "./words.ts";

test("a gateway that stays away is asked ever more seldom, and at once less so when it is back", () => {
  let link = nextLink({ kind: "live" }, "failed");
  const delays = [nextDelayMs(link)];
  for (let i = 0; i < 5; i++) {
    link = nextLink(link, "failed");
    delays.push(nextDelayMs(link));
  }
  assert.deepEqual(delays, [2000, 4000, 8000, 16_000, 30_000, 30_000]);
  assert.equal(nextDelayMs(nextLink(link, "ok")), 2000);
});

test("an expired link is never asked again", () => {
  assert.equal(nextDelayMs(nextLink({ kind: "live" }, "unauthorized")), undefined);
});

test("an answer that isn't what was expected shows nothing wrong, only nothing", () => {
  for (const value of [null, 1, "x", [], {}, { version: 1, servers: [] }])
    assert.equal(readStatus(value), undefined);
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
  assert.deepEqual(readCalls({ calls: "none" }), []);
  assert.equal(readCalls({ calls: [{ verdict: "<b>" }] })[0]?.verdict, "error");
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
  assert.deepEqual(readApprovals({ requests: "none" }), []);
  const [read] = readApprovals({
    requests: [
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
  for (const value of [null, 1, {}, { responses: "none" }]) assert.deepEqual(readResponses(value), []);
  const scope = { caller: "spiffe://a.test/agent/x\u200b", tool: 7 };
  const [read] = readResponses({ responses: [{ id: "1", action: "cut", scope, because: 3 }] });
  assert.equal(read?.what, "cut: caller spiffe://a.test/agent/x⟨U+200B zero width space⟩, tool ");
  assert.equal(read?.because, "");
  const stopped = [{ source: "cli", because: "Smoke.", by: "operator:x" }, null];
  const status = readStatus({ version: "1", servers: [], stopped });
  assert.deepEqual(status?.stopped[0], stopped[0]);
  assert.deepEqual(readStatus({ version: "1", servers: [], stopped: "no" })?.stopped, []);
});
