/** What the control room tells of real traffic: lists, one call in full with its receipt, over time, as a map, live. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { Agent, request } from "undici";

import { callDetail, callsAnswer, liveBatch, receiptAnswer } from "../../src/app/control/calls-answers.ts";
import {
  changesAnswer,
  mapAnswer,
  storyAnswer,
  trafficAnswer,
} from "../../src/app/control/traffic-answers.ts";
import { statePaths } from "../../src/app/state-folder.ts";
import { eraseSubject, planErasure } from "../../src/app/subject-operations.ts";
import { resolveProfile } from "../../src/crypto/suites/profiles.ts";
import { systemClock } from "../../src/host/system.ts";
import { fromUtf8, utf8 } from "../../src/kernel/bytes.ts";
import { readLogKey, verifyReceipt } from "../../src/public/verify.ts";
import { type SseEvent, sseReader } from "../../src/wire/sse.ts";
import { atEnd, type Cleanup } from "../support/cleanup.ts";
import { type ControlClient, controlOf } from "../support/control.ts";
import {
  clientOf,
  enrol,
  eventually,
  openPolicy,
  stubServer,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";

const caller = "spiffe://latticegate.local/agent/test";
const rules = openPolicy.replace(
  "policies:",
  'policies:\n  - { name: never, callers: ["*"], tools: ["stub/forbidden"], effect: deny, because: Never. }',
);

async function scene(t: Cleanup): Promise<{
  readonly gateway: TestGateway;
  readonly again: () => Promise<TestGateway>;
  readonly call: (tool: string) => Promise<number>;
}> {
  const stub = await stubServer(t);
  const yaml = `servers: { stub: { url: "${stub.url}" } }\n${rules}`;
  const gateway = await testGateway(t, yaml, { dashboard: "127.0.0.1:0" });
  const client = clientOf(t, gateway, await enrol(gateway));
  return {
    gateway,
    again: () => testGateway(t, yaml, { dashboard: "127.0.0.1:0", folder: gateway.folder }),
    call: async (tool) => (await client.post("stub", toolCall(tool))).status,
  };
}

async function read<T>(
  control: ControlClient,
  path: string,
  schema: { readonly parse: (value: unknown) => T },
) {
  const { status, body } = await control.ask(`GET ${path}`);
  assert.equal(status, 200, `${path}: ${JSON.stringify(body)}`);
  return schema.parse(body);
}

test("a call is listed, opened with its stages, rules and entries, and its receipt holds", async (t) => {
  const { gateway, again, call } = await scene(t);
  await call("ping");
  await call("forbidden");
  const control = controlOf(gateway);
  const denied = await read(control, "/calls?verdict=denied", callsAnswer);
  assert.deepEqual(
    denied.items.map(({ tool, rule, link }) => [tool, rule, link.group]),
    [["stub/forbidden", "never", "X25519MLKEM768"]],
  );
  const { items } = await read(
    control,
    `/calls?caller=${encodeURIComponent(caller)}&tool=stub/ping`,
    callsAnswer,
  );
  const callId = items[0]?.callId ?? "";
  const first = await read(control, "/calls?limit=1", callsAnswer);
  const second = await read(control, `/calls?limit=1&cursor=${first.next}`, callsAnswer);
  assert.deepEqual(
    [first.items[0]?.tool, second.items[0]?.tool, second.next],
    ["stub/forbidden", "stub/ping", null],
  );
  const detail = await read(control, `/calls/${callId}`, callDetail);
  assert.deepEqual(
    detail.stages.map(({ stage }) => stage),
    ["judge", "journal", "server", "answer"],
  );
  assert.ok(detail.stages.every(({ ms, fromMs }) => ms >= 0 && fromMs >= 0));
  assert.deepEqual(
    detail.entries.map(({ event }) => event),
    ["call.decision", "call.outcome"],
  );
  assert.equal(detail.rules?.[0]?.rule, "test-agents");
  assert.equal(detail.rules?.[0]?.counts, "yes");

  const given = await read(control, `/calls/${callId}/receipt`, receiptAnswer);
  const pinned = await readFile(statePaths(gateway.config.state).logKey, "utf8");
  assert.equal(given.logKey, pinned);
  const verdict = verifyReceipt(utf8(given.receipt), { logKey: readLogKey(pinned) });
  assert.equal(verdict.kind, "holds", JSON.stringify(verdict));
  if (verdict.kind === "holds") assert.equal(verdict.index, detail.entries[1]?.index);
  const missing = "01999999-0000-7000-8000-000000000000";
  for (const id of [missing, "nonsense", "..%2F..%2Fetc"])
    assert.equal((await control.ask(`GET /calls/${id}`)).status, 409, id);

  await gateway.stop();
  const later = await read(controlOf(await again()), `/calls/${callId}`, callDetail);
  assert.deepEqual(later.call, detail.call, "the log has all of it");
  assert.deepEqual(later.stages, []);
});

test("traffic is kept over restarts by time, as a map, and as what changed; of who is erased the numbers stay", async (t) => {
  const { gateway, again, call } = await scene(t);
  for (let i = 0; i < 3; i++) await call("ping");
  await call("forbidden");
  const before = await read(controlOf(gateway), "/traffic", trafficAnswer);
  assert.deepEqual(
    [before.totals.calls, before.totals.allowed, before.totals.denied, before.totals.postQuantum],
    [4, 3, 1, 4],
  );
  await gateway.stop();

  const next = await again();
  const control = controlOf(next);
  const traffic = await read(control, "/traffic", trafficAnswer);
  assert.deepEqual(traffic.totals, before.totals);
  assert.deepEqual(
    traffic.callers.map((each) => [each.caller, each.calls]),
    [[caller, 4]],
  );
  assert.equal((await read(control, "/traffic?server=nobody", trafficAnswer)).totals.calls, 0);
  const map = await read(control, "/map", mapAnswer);
  assert.deepEqual(
    map.links.map(({ from, to, posture, calls }) => [from, to, posture, calls]),
    [
      [`caller:${caller}`, "gateway", "hybrid", 4],
      ["gateway", "server:stub", "local", 4],
    ],
  );
  const story = await read(control, `/map/${encodeURIComponent(`caller:${caller}`)}`, storyAnswer);
  assert.deepEqual(
    story.changes.map(({ says }) => says),
    [`${caller} was enrolled (client).`],
  );
  const changes = await read(control, "/changes?limit=2", changesAnswer);
  assert.match(changes.items[0]?.says ?? "", /^The gateway started/);
  assert.match(changes.items[1]?.says ?? "", /^The gateway stopped/);
  const rest = await read(control, `/changes?cursor=${changes.next}`, changesAnswer);
  assert.ok(rest.items.some(({ event }) => event === "identity.issue"));

  const place = next.config;
  await eraseSubject(place, await planErasure(place, caller, systemClock), "test", systemClock);
  await eventually("nothing names it", async () => {
    const told = await read(control, "/traffic", trafficAnswer);
    assert.equal(told.totals.calls, 4);
    return told.callers.every((each) => each.caller === null);
  });
  const raw = await readFile(statePaths(place.state).traffic);
  assert.ok(!raw.includes("agent/test"), "no name stands in the file");
  await eventually("the erasure is among the changes", async () => {
    const { items } = await read(control, "/changes?limit=1", changesAnswer);
    return items[0]?.event === "subject.erase";
  });
  await next.audit.rotate({ suites: resolveProfile("hybrid").log, principal: "gw", by: "a test" });
  const [rotated] = (await read(control, "/changes?limit=1", changesAnswer)).items;
  assert.match(rotated?.says ?? "", /^The log's keys rotated: generation 2 signs/);
});

test("who watches live is sent calls in batches, and goes on where it left off", async (t) => {
  const { gateway, call } = await scene(t);
  const dispatcher = new Agent({ connect: { socketPath: gateway.controlSocket } });
  atEnd(t, () => dispatcher.destroy());
  const watching = async (lastId?: string): Promise<() => Promise<SseEvent | undefined>> => {
    const headers = lastId === undefined ? {} : { "last-event-id": lastId };
    const { body } = await request("http://localhost/api/v1/stream", { dispatcher, headers });
    const reader = sseReader(1024 * 1024);
    const waiting: SseEvent[] = [];
    const chunks = body[Symbol.asyncIterator]();
    return async () => {
      while (waiting.length === 0) {
        const { value, done } = await chunks.next();
        if (done === true) return undefined;
        waiting.push(...reader.push(value as Uint8Array).filter(({ event }) => event === "calls"));
      }
      return waiting.shift();
    };
  };
  const first = await watching();
  await call("ping");
  const seen = await first();
  const batch = liveBatch.parse(JSON.parse(fromUtf8(seen?.data ?? utf8("{}")) ?? ""));
  assert.deepEqual([batch.counts.calls, batch.calls[0]?.tool], [1, "stub/ping"]);
  await call("forbidden");
  const missed = await first();
  const again = await watching(seen?.id);
  assert.deepEqual((await again())?.data, missed?.data);
});
