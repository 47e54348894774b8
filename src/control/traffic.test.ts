/** Calls counted by the minute, and what is told of them. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { loggedCall } from "../../test/support/logged-calls.ts";
import { trafficReport } from "./traffic-report.ts";
import { trafficMap } from "./traffic-map.ts";
import { type Traffic, traffic } from "./traffic.ts";

const minute = 60_000;
const servers = new Set(["files", "mail"]);

function rowsOf(counted: Traffic) {
  return counted
    .current()
    .flatMap(({ atUnixMs, cells }) =>
      cells.map((cell) => ({ ...cell, atUnixMs, caller: cell.caller ?? "" })),
    );
}

function byText(a: string, b: string): number {
  return a.localeCompare(b);
}

test("each call counts once in the minute it ended, by verdict, link and risk", () => {
  const counted = traffic(servers);
  counted.count(loggedCall({ risk: 0.1, ms: 4, requestBytes: 100, answerBytes: 900 }), 10 * minute);
  counted.count(loggedCall({ verdict: "denied", risk: 0.9 }), 10 * minute + 5);
  counted.count(loggedCall({ verdict: "held" }), 11 * minute);
  counted.count(loggedCall({ verdict: "error", group: "X25519", isPostQuantum: false }), 12 * minute);
  counted.count(loggedCall({ isUndecided: true, verdict: "denied" }), 12 * minute);
  const rows = rowsOf(counted);
  const spreads = counted.current();
  const report = trafficReport({
    fromUnixMs: 9 * minute,
    toUnixMs: 13 * minute,
    stepMs: minute,
    overTime: rows,
    byRoute: rows,
    spreads,
  });
  const shown = report.points.map(({ calls, allowed, denied, held, error, postQuantum, risky }) => [
    calls,
    allowed,
    denied,
    held,
    error,
    postQuantum,
    risky,
  ]);
  assert.deepEqual(shown, [
    [0, 0, 0, 0, 0, 0, 0],
    [2, 1, 1, 0, 0, 2, 1],
    [1, 0, 0, 1, 0, 1, 0],
    [2, 0, 1, 0, 1, 0, 0],
  ]);
  assert.equal(report.points[0]?.ms, null);
  assert.deepEqual(report.points[1]?.risk, { p50: 0.15, p90: 0.95, p99: 0.95 });
  assert.deepEqual(report.totals.suites, { X25519MLKEM768: 3, X25519: 1 });
  assert.equal(report.totals.requestBytes, 100);
  assert.equal(report.totals.answerBytes, 900);
  assert.deepEqual(
    report.callers.map(({ caller, calls }) => [caller, calls]),
    [["spiffe://a.example/agent/x", 5]],
  );
});

test("minutes that are over are given away once, and the one that goes on stays", () => {
  const counted = traffic(servers);
  counted.count(loggedCall({}), 10 * minute);
  counted.count(loggedCall({}), 11 * minute);
  const first = counted.take(11 * minute + 30_000);
  assert.deepEqual(
    first.map(({ atUnixMs }) => atUnixMs),
    [10 * minute],
  );
  assert.deepEqual(counted.take(11 * minute + 30_000), []);
  assert.equal(counted.current().length, 1);
});

test("callers without number and servers that are made up don't make the counts grow without end", () => {
  const counted = traffic(servers);
  for (let i = 0; i < 5000; i++)
    counted.count(loggedCall({ caller: `spiffe://a.example/agent/${i}`, server: `made-up-${i}` }), minute);
  const [only] = counted.current();
  assert.ok((only?.cells.length ?? 0) <= 201, `${only?.cells.length} cells`);
  assert.equal(
    only?.cells.reduce((sum, { calls }) => sum + calls, 0),
    5000,
  );
  assert.ok(only?.cells.every(({ server }) => server === ""));
});

test("of who is erased the counts stay, and the name goes", () => {
  const counted = traffic(servers);
  const gone = "spiffe://a.example/agent/gone";
  for (const caller of [gone, gone, "spiffe://a.example/agent/stays"])
    counted.count(loggedCall({ caller }), minute);
  counted.forget([gone]);
  const cells = counted.current()[0]?.cells ?? [];
  assert.doesNotMatch(JSON.stringify(cells), /gone/);
  assert.deepEqual(cells.map(({ caller, calls }) => `${caller} ${calls}`).toSorted(byText), [
    "null 2",
    "spiffe://a.example/agent/stays 1",
  ]);
});

test("the map shows each link as weak as its weakest call, and what is in force", () => {
  const counted = traffic(servers);
  const [strong, weak] = ["spiffe://a.example/agent/strong", "oauth:idp/client/weak"];
  counted.count(loggedCall({ caller: strong, serverGroup: "X25519MLKEM768" }), minute);
  counted.count(loggedCall({ caller: weak }), minute);
  counted.count(
    loggedCall({ caller: weak, group: "X25519", isPostQuantum: false, server: "mail", isPlain: true }),
    minute,
  );
  const restriction = { id: "r1", action: "quarantine", because: "It leaks.", until: "later" };
  const map = trafficMap({
    rows: rowsOf(counted),
    servers: [
      { name: "files", what: "https, files.example", isLocal: false, isVirtual: false },
      { name: "mail", what: "http, mail.example", isLocal: false, isVirtual: false },
      { name: "here", what: "stdio, cat", isLocal: true, isVirtual: false },
    ],
    restrictions: [
      { ...restriction, caller: "spiffe://a.example/agent/shut" },
      { ...restriction, id: "r2", server: "mail" },
    ],
    incidents: [{ id: "i1", callers: [weak], servers: ["mail"] }],
    gateway: "spiffe://a.example/gateway",
  });
  const shown = Object.fromEntries(
    map.nodes.map(({ id, posture, restrictions, incidents }) => [
      id,
      [posture, restrictions.map((each) => each.id).join(), incidents.join()],
    ]),
  );
  assert.deepEqual(shown, {
    "caller:spiffe://a.example/agent/shut": ["unknown", "r1", ""],
    [`caller:${strong}`]: ["hybrid", "", ""],
    [`caller:${weak}`]: ["classical", "", "i1"],
    gateway: ["classical", "", ""],
    "server:files": ["hybrid", "", ""],
    "server:mail": ["plain", "r2", "i1"],
    "server:here": ["local", "", ""],
  });
  assert.deepEqual(
    map.routes.map(({ caller, server, calls }) => `${caller} ${server} ${calls}`).toSorted(byText),
    [`${strong} files 1`, `${weak} files 1`, `${weak} mail 1`].toSorted(byText),
  );
});
