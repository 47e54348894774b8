/** Receipts: proof, in the answer of who asks for it, that a call is in the log; nothing changes for who doesn't. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";

import { verifyLogFolder } from "../../src/app/log-verification.ts";
import { proveEntry } from "../../src/audit/prove-entry.ts";
import { promptReceipts } from "../../src/host/store/prompt-receipts.ts";
import { openLogReader } from "../../src/host/store/log-reader.ts";
import { fromUtf8, utf8 } from "../../src/kernel/bytes.ts";
import { readLogKey, type ReceiptVerdict, verifyReceipt } from "../../src/public/verify.ts";
import { openPolicy } from "../support/gateway.ts";
import { appendMany, newFolder, open, rememberingLog } from "../support/log-fixture.ts";
import { messagesIn, scriptedServer, stdioClient } from "../support/pipes.ts";
import { bytesAnswer, modernCall, modernHeaders, modernMeta, same, ways } from "../support/ways.ts";

const extension = "dev.latticegate/receipt";
const asking = { [extension]: {} };

interface Given {
  readonly callId: string;
  readonly index: number;
  readonly receipt?: string;
  readonly pending?: true;
}

interface Answer {
  readonly result?: { readonly _meta?: Readonly<Record<string, unknown>> };
}

const all = await ways(
  { after },
  openPolicy.replace(
    "policies:",
    'policies:\n  - { name: never, callers: ["*"], tools: ["stub/forbidden"], effect: deny, because: Never. }',
  ),
);
const state = all.house.config.state;
let verify: (receipt: string | undefined) => ReceiptVerdict;
before(async () => {
  const logKey = readLogKey(await readFile(path.join(state, "log-key.txt"), "utf8"));
  verify = (receipt) => verifyReceipt(utf8(receipt ?? ""), { logKey });
});

function givenIn(text: string): Given {
  const { result } = JSON.parse(text) as Answer;
  return result?._meta?.[extension] as Given;
}

function legacy(
  method: string,
  meta: object = asking,
  params: object = { name: "a" },
): { readonly body: string } {
  return { body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: { ...params, _meta: meta } }) };
}

function modern(meta: object = asking) {
  return modernCall("a", {}, 1, meta);
}

const answer = '{"jsonrpc": "2.0", "id": 1, "result": {"content":[ ] , "n":1.0, "_meta":{"x/y":1.50}}}';
const spliced =
  /^\{"jsonrpc": "2\.0", "id": 1, "result": \{"content":\[ \] , "n":1\.0, "_meta":\{"dev\.latticegate\/receipt":(\{.*\}),"x\/y":1\.50\}\}\}$/;

for (const [era, asked] of [
  ["legacy", legacy("tools/call")],
  ["modern", modern()],
] as const) {
  test(`who asks for a receipt gets one that holds, and every other byte as it was: ${era}`, async () => {
    all.answering(bytesAnswer(answer));
    for (const way of all.ours) {
      const { status, bytes } = await way.ask(asked);
      assert.equal(status, 200);
      assert.match(bytes.toString(), spliced, way.name);
      const { callId, index, receipt } = givenIn(bytes.toString());
      const verdict = verify(receipt);
      assert.equal(verdict.kind, "holds", JSON.stringify(verdict));
      if (verdict.kind !== "holds") return;
      const { entry } = verdict;
      assert.deepEqual([verdict.index, entry.callId], [index, callId]);
      assert.deepEqual([entry.event, entry.outcome, entry.tool], ["call.outcome", "allowed", "stub/a"]);
      assert.equal(entry.facts["era"], era);
      assert.ok(verdict.head.size > index);
    }
    // What was asked reaches the server as it was.
    assert.equal(all.stub.seen.at(-1)?.body, asked.body);
  });

  test(`a receipt comes in the last message of a stream, whose other events stay as they were: ${era}`, async () => {
    const progress = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"_meta":{}}}';
    const stream = `: hello\nid: 7\ndata: ${progress}\n\nevent: message\nid: 8\nretry: 20\ndata: ${answer}\n: end\n\n`;
    all.answering(bytesAnswer(stream, { "content-type": "text/event-stream" }));
    for (const way of all.ours) {
      const text = (await way.ask(asked)).bytes.toString();
      const [line = ""] = /^data: .*receipt.*$/m.exec(text) ?? [];
      assert.match(line.slice("data: ".length), spliced);
      assert.equal(text.replace(line, `data: ${answer}`), stream, way.name);
      assert.equal(verify(givenIn(line.slice("data: ".length)).receipt).kind, "holds");
    }
  });
}

test("an answer whose data is several lines gets its receipt too", async () => {
  const stream = `id: 8\ndata: {"jsonrpc":"2.0",\ndata: "id":1,"result":{}}\n\n`;
  all.answering(bytesAnswer(stream, { "content-type": "text/event-stream" }));
  const text = (await all.ours[0].ask(legacy("tools/call"))).bytes.toString();
  assert.match(text, /^id: 8\n/);
  const data = [...text.matchAll(/^data: (.*)$/gm)].map(([, line]) => line).join("\n");
  assert.equal(verify(givenIn(data).receipt).kind, "holds");
});

test("who doesn't ask gets the same bytes by every way: whole, streamed, in either era", async () => {
  const stream = `event: message\ndata: ${answer}\n\n`;
  for (const given of [bytesAnswer(answer), bytesAnswer(stream, { "content-type": "text/event-stream" })]) {
    all.answering(given);
    for (const meta of [{}, { [extension]: true }, { [extension]: "yes" }, { [extension]: null }]) {
      await same(all, legacy("tools/call", meta));
      await same(all, modern(meta));
    }
    await same(all, { body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}' });
  }
});

test("errors, answers of others, and results that have to be empty are never touched", async () => {
  const untouched: readonly (readonly [string, { readonly body: string }, string])[] = [
    ["an error", legacy("tools/call"), '{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"no"}}'],
    ["another's answer", legacy("tools/call"), '{"jsonrpc":"2.0","id":2,"result":{}}'],
    ["no JSON", legacy("tools/call"), "hello"],
    ["a batch", legacy("tools/call"), '[{"jsonrpc":"2.0","id":1,"result":{}}]'],
    ["a _meta that is no object", legacy("tools/call"), '{"jsonrpc":"2.0","id":1,"result":{"_meta":[]}}'],
    ...["ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"].map(
      (method) =>
        [method, legacy(method, asking, { uri: "x:y" }), '{"jsonrpc":"2.0","id":1,"result":{}}'] as const,
    ),
  ];
  for (const [what, asked, bytes] of untouched) {
    all.answering(bytesAnswer(bytes));
    assert.equal((await same(all, asked)).bytes.toString(), bytes, what);
  }
});

test("a receipt that a server says itself never reaches a client", async () => {
  const forged = `{"jsonrpc":"2.0","id":1,"result":{"_meta":{"a":1,"dev.latticegate\\/receipt":{"receipt":"forged"},"${extension}":{"receipt":"again"}}}}`;
  for (const [body, headers] of [
    [forged, undefined],
    [`data: ${forged}\n\n`, { "content-type": "text/event-stream" }],
  ] as const) {
    all.answering(bytesAnswer(body, headers));
    for (const way of all.ours) {
      const without = (await way.ask(legacy("tools/call", {}))).bytes.toString();
      assert.equal(
        without.replace(/^data: |\n\n$/g, ""),
        '{"jsonrpc":"2.0","id":1,"result":{"_meta":{"a":1}}}',
      );
      const asked = (await way.ask(legacy("tools/call"))).bytes.toString();
      assert.ok(!/forged|again/.test(asked), "a forged one came");
      assert.equal(verify(givenIn(asked.replace(/^data: /, "")).receipt).kind, "holds");
    }
  }
});

/** Messages in which some reader finds a receipt that the gateway didn't give. */
const ambiguous: readonly (readonly [what: string, message: string])[] = [
  ["more often than anybody says it", `"result":{"_meta":{"a":1${`,"${extension}":"forged"`.repeat(40)}}}`],
  ["in the first of two _meta", `"result":{"_meta":{"${extension}":"forged"},"_meta":{"a":1}}`],
  ["before a _meta that is none", `"result":{"_meta":{"${extension}":"forged"},"_meta":null}`],
  ["in the first of two results", `"result":{"_meta":{"${extension}":"forged"}},"result":{}`],
  ["before a result that is none", `"result":{"_meta":{"${extension}":"forged"}},"result":5`],
  ["beside an error", `"result":{"_meta":{"${extension}":"forged"}},"error":{"code":1,"message":"x"}`],
  [
    "under an escaped name",
    String.raw`"result":{"_meta":{"\u0064ev.latticegate/receipt":"forged"},"_meta":{}}`,
  ],
].map(([what = "", members = ""]) => [what, `{"jsonrpc":"2.0","id":1,${members}}`]);

for (const [what, message] of [
  ...ambiguous,
  ["in a batch", `[{"jsonrpc":"2.0","id":1,"result":{"_meta":{"${extension}":"forged"}}}]`],
  ["behind a byte order mark", `\uFEFF{"jsonrpc":"2.0","id":1,"result":{"_meta":{"${extension}":"forged"}}}`],
] as const) {
  test(`a receipt that a server says itself never reaches a client: ${what}`, async () => {
    const stream = `data: ${message}\n\ndata: {"jsonrpc":"2.0","id":1,"result":{}}\n\ndata: ${message}\n\n`;
    for (const [body, headers] of [
      [message, undefined],
      [stream, { "content-type": "text/event-stream" }],
    ] as const) {
      all.answering(bytesAnswer(body, headers));
      for (const way of all.ours) {
        for (const asked of [legacy("tools/call", {}), legacy("tools/call")]) {
          const text = (await way.ask(asked)).bytes.toString();
          assert.ok(text.includes('"result"'), "the answer itself came");
          assert.ok(!text.includes("forged"), `${way.name}: ${text}`);
        }
      }
    }
  });
}

test("a client that speaks of the extension in its handshake hears that it is there; others hear what the server says", async () => {
  const initialize = (capabilities: object) => ({
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "initialize",
      params: { protocolVersion: "2025-11-25", capabilities },
    }),
  });
  const discover = (capabilities: object) => ({
    headers: modernHeaders("server/discover"),
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "server/discover",
      params: { _meta: { ...modernMeta, "io.modelcontextprotocol/clientCapabilities": capabilities } },
    }),
  });
  const greeting =
    '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"extensions":{"x/y":{"v":1.0}}},"serverInfo":{"name":"s","version":"1"}}}';
  all.answering(bytesAnswer(greeting));
  const mine = { [extension]: {} };
  for (const offered of [{}, { extensions: { "x/y": {} } }, { tools: mine }]) {
    await same(all, initialize(offered));
    await same(all, discover(offered));
  }
  for (const way of all.ours) {
    for (const offered of [{ extensions: mine }, { experimental: mine }]) {
      const text = (await way.ask(initialize(offered))).bytes.toString();
      const { capabilities } = (JSON.parse(text) as { result: { capabilities: object } }).result;
      assert.deepEqual(capabilities, {
        tools: {},
        extensions: { ...mine, "x/y": { v: 1 } },
        experimental: mine,
      });
      assert.match(text, /"x\/y":\{"v":1\.0\}/);
    }
    const text = (await way.ask(discover({ extensions: mine }))).bytes.toString();
    const { capabilities } = (JSON.parse(text) as { result: { capabilities: object } }).result;
    assert.deepEqual(capabilities, { tools: {}, extensions: { ...mine, "x/y": { v: 1 } } });
  }
});

test("a call that is denied is in the log as well, and its answer proves it", async () => {
  const asked = legacy("tools/call", asking, { name: "forbidden" });
  for (const way of all.ours) {
    const text = (await way.ask(asked)).bytes.toString();
    const verdict = verify(givenIn(text).receipt);
    assert.ok(verdict.kind === "holds" && verdict.entry.outcome === "denied");
    assert.equal(verdict.entry.facts["reason"], "denied");
    const bare = (await way.ask(legacy("tools/call", {}, { name: "forbidden" }))).bytes.toString();
    assert.match(bare, /Denied by policy/);
    assert.ok(!bare.includes(extension));
  }
});

test("many who ask at once get receipts that hold, or are told where theirs will be; the log stays whole", async () => {
  all.answering(bytesAnswer(answer));
  const [way] = all.ours;
  const answers = await Promise.all(Array.from({ length: 60 }, () => way.ask(modern())));
  const given = answers.map(({ bytes }) => givenIn(bytes.toString()));
  assert.equal(new Set(given.map(({ index }) => index)).size, 60);
  const { files } = openLogReader(path.join(state, "log"));
  for (const { receipt, pending, index } of given) {
    const later = pending === true ? await proveEntry(files, index) : undefined;
    const text = later?.kind === "receipt" ? fromUtf8(later.bytes) : receipt;
    assert.equal(verify(text).kind, "holds");
  }
  const verdict = await verifyLogFolder({
    folder: path.join(state, "log"),
    key: path.join(state, "log-key.txt"),
  });
  assert.equal(verdict.kind, "intact");
});

test("over a stdio server, and over the stdio front of a sidecar, receipts come as well", async (t) => {
  const { session, pipe, house } = await scriptedServer(t);
  const logKey = readLogKey(await readFile(path.join(house.config.state, "log-key.txt"), "utf8"));
  const { call } = await session();
  const legacyAnswer = messagesIn((await call("heard", {}, 1, asking)).text).at(-1) ?? "";
  assert.equal(verifyReceipt(utf8(givenIn(legacyAnswer).receipt ?? ""), { logKey }).kind, "holds");
  const bare = messagesIn((await pipe("heard")).text).at(-1) ?? "";
  assert.doesNotMatch(bare, /latticegate/);
  const client = await stdioClient(t, house, "pipe");
  await client.initialize();
  const line = await client.ask(legacy("tools/call", asking, { name: "heard" }).body);
  assert.equal(verifyReceipt(utf8(givenIn(line).receipt ?? ""), { logKey }).kind, "holds");
});

test("one caller with call after call doesn't have heads made back to back, and all who wait share one", async () => {
  const folder = newFolder();
  const journal = await open(folder);
  let heads = 0;
  const checkpoint = (): Promise<void> => {
    heads++;
    return journal.checkpoint();
  };
  const log = rememberingLog();
  const paced = promptReceipts({ folder, checkpoint, log, patienceMs: 1, pauseMs: 3_600_000 });
  for (let i = 0; i < 20; i++) {
    await appendMany(journal, i, i + 1);
    await paced.of(i);
  }
  assert.equal(heads, 1);
  const quick = promptReceipts({ folder, checkpoint, log, pauseMs: 20 });
  await quick.of(0);
  const texts = await Promise.all(Array.from({ length: 20 }, (_, i) => quick.of(i)));
  assert.ok(texts.every((text) => text?.startsWith("c2sp.org/tlog-proof@v1\n")));
  assert.ok(heads <= 4, `${heads}`);
  await journal.close();
});

test("without a head in time, and where too many wait, an answer goes without", async () => {
  const folder = newFolder();
  const journal = await open(folder);
  await appendMany(journal, 0, 4);
  const heads = Promise.withResolvers<void>();
  const log = rememberingLog();
  const slow = promptReceipts({ folder, checkpoint: () => heads.promise, log, patienceMs: 1 });
  const waiting = Array.from({ length: 256 }, () => slow.of(2));
  assert.equal(await slow.of(2), undefined, "too many");
  assert.deepEqual(new Set(await Promise.all(waiting)), new Set([undefined]));
  heads.resolve();
  const broken = promptReceipts({ folder, checkpoint: () => Promise.reject(new Error("disk full")), log });
  assert.equal(await broken.of(2), undefined);
  const right = promptReceipts({ folder, checkpoint: journal.checkpoint, log });
  assert.match((await right.of(2)) ?? "", /^c2sp\.org\/tlog-proof@v1\n/);
  assert.deepEqual(log.events, []);
  await journal.close();
});
