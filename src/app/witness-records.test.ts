/** What a gateway writes down of its witnesses, however often they say it. */
import assert from "node:assert/strict";
import { mkdir, stat } from "node:fs/promises";
import { test, type TestContext } from "node:test";

import { temporaryFolder } from "../../test/support/gateway.ts";
import { newSigningKey } from "../../test/support/keys.ts";
import { checkpointBody } from "../audit/checkpoint.ts";
import { type Cosignature, cosignatureBytes, readCosignature, witnessName } from "../audit/cosignature.ts";
import { fingerprint } from "../crypto/keys.ts";
import { noteSigner } from "../crypto/note-keys.ts";
import { statePaths } from "./state-folder.ts";
import { forgetWitness, keptCosignatures, reportedIncidents, witnessRecords } from "./witness-records.ts";

const domain = "example.org";
const [a, b] = ["spiffe://example.org/agent/a", "spiffe://example.org/agent/b"];
const incident = { spiffe_id: a, kind: "truncation", says: "gone", kept: 2, shown: 1 } as const;

async function scene(t: TestContext) {
  const state = await temporaryFolder(t);
  await mkdir(statePaths(state).log, { recursive: true });
  let nowUnixMs = Date.UTC(2026, 10, 21, 12);
  const clock = { nowUnixMs: () => nowUnixMs };
  const records = witnessRecords(state, domain, clock);
  return {
    state,
    records,
    pass: (ms: number) => (nowUnixMs += ms),
    kept: () => keptCosignatures(statePaths(state).log, domain, state),
    report: (at: string, isDue: boolean) => records.report({ ...incident, at }, isDue),
  };
}

/** A witness's key, and what it says of heads. */
function witness(): (size: number, atUnixS: number) => Promise<Cosignature> {
  const key = newSigningKey("ml-dsa-44");
  const signer = noteSigner("ml-dsa-44", witnessName(domain, fingerprint(key.publicKey)), key);
  return async (size, atUnixS) => {
    const body = checkpointBody("example.org/log/x", size, new Uint8Array(32));
    return readCosignature(await cosignatureBytes(body, signer, atUnixS), domain);
  };
}

test("a witness's key is that of who came with it first", async (t) => {
  const { records, kept } = await scene(t);
  const says = witness();
  await records.keep(a, await says(10, 1000));
  await assert.rejects(records.keep(b, await says(11, 1001)), { code: "denied" });
  assert.deepEqual(
    (await kept()).map(({ spiffeId, body }) => [spiffeId, body.size]),
    [[a, 10]],
  );
});

test("the same head is written down again only after some time", async (t) => {
  const { records, kept } = await scene(t);
  const says = witness();
  const after: number[] = [];
  for (const [size, atUnixS] of [
    [10, 1000],
    [10, 1000],
    [10, 1001],
    [9, 5000],
    [10, 1600],
    [11, 1601],
  ] as const) {
    await records.keep(a, await says(size, atUnixS));
    after.push((await kept())[0]?.atUnixS ?? 0);
  }
  assert.deepEqual(after, [1000, 1000, 1000, 1000, 1600, 1601]);
});

test("a witness with ever more keys has few, and soon no more", async (t) => {
  const { records, kept, pass } = await scene(t);
  for (let i = 0; i < 8; i++) await records.keep(a, await witness()(10, 1000));
  assert.equal((await kept()).length, 4);
  await assert.rejects(records.keep(a, await witness()(10, 1000)), { code: "busy" });
  await records.keep(b, await witness()(10, 1000));
  pass(600_000);
  await records.keep(a, await witness()(10, 1000));
});

test("an incident that is open already is written down again only when it is due", async (t) => {
  const { state, records, report } = await scene(t);
  const listed = async () => (await reportedIncidents(state)).map(({ at }) => at);
  const [first, second, third] = ["2026-11-21T12:00:00Z", "2026-11-21T12:01:00Z", "2026-11-21T12:10:00Z"];
  await report(first, true);
  const { file, before } = {
    file: statePaths(state).witnesses,
    before: await stat(statePaths(state).witnesses),
  };
  await report(second, false);
  assert.equal((await stat(file)).ino, before.ino, "nothing was written");
  assert.deepEqual(await listed(), [first]);
  await report(third, true);
  assert.deepEqual(await listed(), [third]);
  await records.settle(a);
  await report(second, false);
  assert.deepEqual(await listed(), [second], "one that was settled is open again");
});

test("a witness that reports and settles again and again is put off", async (t) => {
  const { state, records, report } = await scene(t);
  for (let i = 0; i < 8; i++) {
    await report("2026-11-21T12:00:00Z", false);
    await records.settle(a);
  }
  await assert.rejects(report("2026-11-21T12:00:00Z", false), { code: "busy" });
  assert.deepEqual(await reportedIncidents(state), []);
});

test("who is erased is named no more, while a gateway writes of others", async (t) => {
  const { state, records, kept, report } = await scene(t);
  await records.keep(a, await witness()(10, 1000));
  await report("2026-11-21T12:00:00Z", true);
  const says = witness();
  const writing = Array.from({ length: 10 }, async (_, i) => records.keep(b, await says(10 + i, 1000)));
  await Promise.all([...writing, forgetWitness(state, a)]);
  const names = (await kept()).map(({ spiffeId }) => spiffeId);
  assert.deepEqual([names.includes(b), names.includes(a)], [true, false]);
  assert.deepEqual(await reportedIncidents(state), []);
});
