/** The audit log in the control room of a running gateway: searched, opened with its proof, verified, handed out. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, test, type TestContext } from "node:test";

import {
  entriesAnswer,
  entryAnswer,
  headsAnswer,
  verdictAnswer,
  witnessesAnswer,
} from "../../src/app/control/audit-answers.ts";
import { statePaths } from "../../src/app/state-folder.ts";
import { utf8 } from "../../src/kernel/bytes.ts";
import { readLogKey, verifyReceipt } from "../../src/public/verify.ts";
import { type ControlClient, controlOf, loggedIn } from "../support/control.ts";
import {
  clientOf,
  enrol,
  openPolicy,
  stubServer,
  temporaryFolder,
  type TestGateway,
  testGateway,
  toolCall,
} from "../support/gateway.ts";

const stub = await stubServer({ after });
/** What a client may send as a tool's name, and somebody might take for markup, for a terminal's orders, or for JSON. */
const hostile = [
  "<script>document.title=1</script>",
  "\u001b[2J\u202Egnp.exe",
  '"}],"items":[{"',
  "x".repeat(4000),
];

async function scene(t: TestContext): Promise<TestGateway> {
  const folder = await temporaryFolder(t);
  const yaml = `servers: { stub: { url: "${stub.url}" } }
control: { people: { vera: { roles: [viewer] }, olga: { roles: [operator] } } }
${openPolicy}`;
  // What reads the log in a thread of its own reads the config, too.
  await writeFile(path.join(folder, "latticegate.yaml"), `state: ./state\nlisten: 127.0.0.1:0\n${yaml}`);
  const gateway = await testGateway(t, yaml, { folder, dashboard: "127.0.0.1:0" });
  const client = clientOf(t, gateway, await enrol(gateway));
  await client.post("stub", toolCall("ping"));
  for (const name of hostile) await client.post("stub", toolCall(name)).catch(() => undefined);
  return gateway;
}

async function found(control: ControlClient, query: string) {
  const { status, body } = await control.ask(`GET /audit/entries?${query}`);
  assert.equal(status, 200, JSON.stringify(body));
  return entriesAnswer.parse(body);
}

test("what is asked for is found by who, what, when and any text, in pages that lose nothing", async (t) => {
  const gateway = await scene(t);
  const control = controlOf(gateway);
  const all = await found(control, "limit=200");
  assert.ok(all.items.length > 3);
  assert.equal(all.next, null);
  const paged: number[] = [];
  for (let cursor: string | null = "0"; cursor !== null;) {
    const { items, next } = await found(control, `limit=6&cursor=${cursor}`);
    paged.push(...items.map(({ index }) => index));
    cursor = next;
  }
  assert.deepEqual(
    paged,
    all.items.map(({ index }) => index),
  );
  const [ping] = (await found(control, "text=STUB/PI")).items;
  assert.equal(ping?.tool, "stub/ping");
  assert.equal((await found(control, "text=nobody-said-this")).items.length, 0);
  assert.deepEqual((await found(control, "tool=stub/ping")).items, [ping]);
  assert.equal((await found(control, `since=${Date.now() + 60_000}`)).items.length, 0);
  assert.equal(
    (await found(control, `until=${Date.now() + 60_000}&limit=200`)).items.length,
    all.items.length,
  );
});

test("hostile names in entries are answered as what they are, and what is too much to ask is refused", async (t) => {
  const gateway = await scene(t);
  const control = controlOf(gateway);
  const { items } = await found(control, "limit=200&event=call.decision");
  // As the log has them: of a bounded length, and without a terminal's orders.
  const started = (name: string): string => `stub/${name.replace("\u001b", "\uFFFD")}`.slice(0, 200);
  assert.deepEqual(
    new Set(items.map(({ tool }) => tool?.slice(0, 200))),
    new Set(["ping", ...hostile].map(started)),
  );
  for (const query of [
    "limit=0",
    "limit=100000",
    "cursor=-1",
    "cursor=999999",
    "cursor=x",
    "verdict=maybe",
    "since=soon",
    `text=${"x".repeat(257)}`,
    "text=",
    `caller=${"x".repeat(2049)}`,
  ]) {
    const { status, body, headers } = await control.ask(`GET /audit/entries?${query}`);
    assert.equal(status, 400, `${query.slice(0, 30)}: ${JSON.stringify(body)}`);
    assert.match(headers.get("content-type") ?? "", /^application\/problem\+json/);
  }
  for (const name of ["GET /audit/entries/-1", "GET /audit/entries/x", "GET /audit/export?from=0"])
    assert.equal((await control.ask(name)).status, 400, name);
});

test("an entry comes with a proof that holds, the whole log is verified, and a changed byte is told", async (t) => {
  const gateway = await scene(t);
  const control = controlOf(gateway);
  const [newest] = (await found(control, "limit=1")).items;
  const opened = entryAnswer.parse((await control.ask(`GET /audit/entries/${newest?.index}`)).body);
  assert.equal(opened.entry.event, newest?.event);
  const { receipt, logKey } = opened.receipt;
  const pinned = { logKey: readLogKey(logKey) };
  assert.equal(verifyReceipt(utf8(receipt), pinned).kind, "holds");
  const middle = Math.floor(receipt.length / 2);
  const changed =
    receipt.slice(0, middle) + (receipt[middle] === "A" ? "B" : "A") + receipt.slice(middle + 1);
  assert.notEqual(verifyReceipt(utf8(changed), pinned).kind, "holds");

  const heads = headsAnswer.parse((await control.ask("GET /audit/heads")).body);
  assert.ok(heads.head !== null && heads.head.size > opened.entry.index);
  assert.deepEqual(witnessesAnswer.parse((await control.ask("GET /audit/witnesses")).body).incidents, []);

  const bundle = await control.ask(`GET /audit/export?from=0&to=1`);
  assert.equal(bundle.status, 200);
  assert.match(bundle.headers.get("content-disposition") ?? "", /attachment; filename="entries-0-1.json"/);

  const verify = async () => verdictAnswer.parse((await control.ask("POST /audit/verify", {})).body);
  assert.equal((await verify()).isIntact, true);
  const file = path.join(statePaths(gateway.config.state).log, "open", "0");
  const bytes = await readFile(file, "latin1");
  assert.ok(bytes.includes("stub/ping"));
  await writeFile(file, bytes.replace("stub/ping", "stub/pong"), "latin1");
  const broken = await verify();
  assert.equal(broken.isIntact, false);
  assert.match(broken.says.join("\n"), /entry|hash/i);
});

test("who only looks on reads the log; verifying and handing it out is for operators, and nothing for nobody", async (t) => {
  const gateway = await scene(t);
  const [vera, olga] = [await loggedIn(gateway, "vera"), await loggedIn(gateway, "olga")];
  for (const name of [
    "GET /audit/entries",
    "GET /audit/entries/0",
    "GET /audit/heads",
    "GET /audit/witnesses",
  ]) {
    assert.equal((await vera.ask(name)).status, 200, name);
    assert.equal((await controlOf(gateway).ask(name, undefined, null)).status, 401, name);
  }
  for (const [name, body] of [
    ["POST /audit/verify", {}],
    ["GET /audit/export?from=0&to=1", undefined],
  ] as const) {
    assert.equal((await vera.ask(name, body)).status, 403, name);
    assert.equal((await controlOf(gateway).ask(name, body, null)).status, 401, name);
    assert.equal((await olga.ask(name, body)).status, 200, name);
  }
});
