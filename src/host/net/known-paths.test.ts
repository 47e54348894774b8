import assert from "node:assert/strict";
import { test } from "node:test";

import { KnownPaths, type PathEvent, type Way, wayAfter, ways, wayText } from "./known-paths.ts";

const everything = { sendSmallHello: true, lowerSegments: true };
const small: Way = { hello: "small" };
const minuteMs = 60_000;

for (const [way, met, can, next] of [
  [ways[0], "silence", everything, "small hello"],
  [ways[0], "reset", everything, "small hello"],
  [ways[0], "stall", everything, "segments of 1180 bytes"],
  [small, "silence", everything, "segments of 1180 bytes"],
  [small, "stall", everything, "segments of 1180 bytes"],
  [small, "reset", everything, undefined],
  [{ hello: "whole", segmentBytes: 1180 }, "silence", everything, "small hello, segments of 1180 bytes"],
  [{ hello: "whole", segmentBytes: 1180 }, "stall", everything, "segments of 536 bytes"],
  [{ hello: "small", segmentBytes: 536 }, "stall", everything, undefined],
  [ways[0], "silence", { ...everything, sendSmallHello: false }, "segments of 1180 bytes"],
  [ways[0], "reset", { ...everything, sendSmallHello: false }, undefined],
  [ways[0], "stall", { ...everything, lowerSegments: false }, undefined],
  [small, "silence", { ...everything, lowerSegments: false }, undefined],
] as const) {
  const limits = Object.entries(can).flatMap(([name, isSo]) => (isSo ? [] : [`without ${name}`]));
  test(`after ${[wayText(way), met, ...limits].join(", ")} comes ${next ?? "nothing"}`, () => {
    const found = wayAfter({ way, met }, can);
    assert.equal(found && wayText(found), next);
  });
}

test("what worked is where the next link begins, for ten minutes; then it stands behind as configured, for a day", () => {
  let nowUnixMs = 0;
  const paths = new KnownPaths({ nowUnixMs: () => nowUnixMs });
  assert.deepEqual(paths.wayTo("a:1"), { way: ways[0] });
  paths.learned("a:1", small, [{ way: ways[0], met: "silence" }]);
  nowUnixMs = 9 * minuteMs;
  assert.deepEqual(paths.wayTo("a:1"), { way: small });
  nowUnixMs = 11 * minuteMs;
  assert.deepEqual(paths.wayTo("a:1"), { way: ways[0], fallback: small });
  nowUnixMs = 25 * 60 * minuteMs;
  assert.deepEqual(paths.wayTo("a:1"), { way: ways[0] });
  assert.deepEqual(paths.facts(), []);
});

test("a destination that is reached as configured again is told of once, and forgotten", () => {
  const paths = new KnownPaths();
  const events: PathEvent[] = [];
  paths.observe((event) => events.push(event));
  paths.learned("a:1", small, []);
  paths.reachedAsConfigured("a:1");
  paths.reachedAsConfigured("a:1");
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ["detour", "recovered"],
  );
  assert.deepEqual(paths.wayTo("a:1"), { way: ways[0] });
});

test("a destination that isn't reached is told of once, until it is reached", () => {
  const paths = new KnownPaths();
  const events: PathEvent[] = [];
  paths.observe((event) => events.push(event));
  for (const round of ["down", "still down", "up", "down again"]) {
    if (round === "up") paths.reachedAsConfigured("a:1");
    else paths.gaveUp("a:1", []);
  }
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ["broken", "broken"],
  );
});

test("of the destinations the newest 256 are kept", () => {
  const paths = new KnownPaths();
  for (let i = 0; i < 300; i++) paths.learned(`host${i}:1`, small, []);
  const kept = paths.facts().map(({ destination }) => destination);
  assert.equal(kept.length, 256);
  assert.equal(kept[0], "host44:1");
  assert.equal(kept.at(-1), "host299:1");
});

test("what another process found doesn't replace what is known here", () => {
  const paths = new KnownPaths();
  paths.learned("a:1", small, []);
  const lowered = { hello: "whole", segmentBytes: 536 } as const;
  paths.restore([
    { destination: "a:1", way: lowered, tried: [], foundUnixMs: Date.now() },
    { destination: "b:1", way: lowered, tried: [], foundUnixMs: Date.now() },
  ]);
  assert.deepEqual(paths.wayTo("a:1"), { way: small });
  assert.deepEqual(paths.wayTo("b:1"), { way: lowered });
});
