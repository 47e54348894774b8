/** Class 15: a pipe carries lines, however they are cut and however long; what runs behind it ends with it and sees nothing of ours. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { eventually } from "../support/gateway.ts";
import { heardIn, scriptedServer, stdioClient, valueIn } from "../support/pipes.ts";
import { json, modernCall } from "../support/ways.ts";

const result = (id: number | string, text: string): string =>
  `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"t":"${text}"}}`;

const spellings: readonly (readonly [string, string, string])[] = [
  ["a line that ends in CRLF", `${result(5, "x")}\r\n`, result(5, "x")],
  [
    "U+2028, U+2029 and U+0085 within a text",
    `${result(5, "a\u2028b\u2029c\u0085d")}\n`,
    result(5, "a\u2028b\u2029c\u0085d"),
  ],
  ["empty lines around it", `\n\r\n\n${result(5, "x")}\n\n`, result(5, "x")],
  [
    "a CR and spaces within the message",
    `{"jsonrpc":"2.0",\r "id":5,"result":{ } }\n`,
    `{"jsonrpc":"2.0",\r "id":5,"result":{ } }`,
  ],
  [
    "log lines before it",
    `starting…\n[info] {"not":"a message"}\n{ not json\n${result(5, "x")}\n`,
    result(5, "x"),
  ],
  [
    "noise that looks like an answer to another request",
    `${result(6, "no")}\n${result("5", "no")}\n${result(5, "x")}\n`,
    result(5, "x"),
  ],
  [
    "control characters and half a text before it",
    `\u0000\u0001\n"half\n${result(5, "x")}\n`,
    result(5, "x"),
  ],
];
test("a message that a server writes is found whatever stands around it and however it is cut", async (t) => {
  const { pipe, house } = await scriptedServer(t);
  for (const [what, text, expected] of spellings) {
    for (const piece of [1, 7, 100_000]) {
      assert.equal((await pipe("say", { text, piece }, 5)).text, expected, `${what}, in pieces of ${piece}`);
    }
  }
  assert.ok(house.log.some((line) => line.includes("server.noise")));
  assert.ok(!house.log.join("").includes("not json"), "noise is told, its content isn't");
});

test("several messages in one piece are several messages, each to whom it belongs", async (t) => {
  const { way } = await scriptedServer(t);
  const held = ["a", 1, "1"].map((id) => way.ask(modernCall("hold", {}, id)));
  const asked = (id: string) => way.ask(modernCall("heard", {}, id));
  await eventually("all are under way", async () => {
    const { bytes } = await asked("h");
    return heardIn(bytes.toString()).filter((line) => line.includes('"hold"')).length === 3;
  });
  const all = [result("1", "text"), result("z", "own"), result(1, "number"), result("a", "letter")];
  const own = await way.ask(modernCall("say", { text: all.map((line) => `${line}\n`).join("") }, "z"));
  assert.equal(own.bytes.toString(), all[1]);
  const answers = await Promise.all(held);
  assert.deepEqual(
    answers.map(({ bytes }) => bytes.toString()),
    [all[3], all[2], all[0]],
  );
});

const sizes = [65_535, 65_536, 65_537, 12 * 1024 * 1024];

test(`an answer of ${sizes.join(", ")} bytes arrives whole, over the pipe and through the stdio front`, async (t) => {
  const { pipe, house } = await scriptedServer(t);
  const client = await stdioClient(t, house, "pipe");
  await client.initialize();
  for (const bytes of sizes) {
    const { text } = await pipe("fill", { bytes }, 5);
    assert.equal(text.length, bytes);
    assert.ok(text.startsWith(result(5, "").slice(0, 25)) && text.endsWith('x"}}'));
    const line = await client.ask(
      JSON.stringify({
        jsonrpc: "2.0",
        id: 5,
        method: "tools/call",
        params: { name: "fill", arguments: { bytes } },
      }),
    );
    assert.equal(line, text);
  }
});

test(`a request of ${sizes.join(", ")} bytes reaches the server whole, over HTTP and through the stdio front`, async (t) => {
  const { session, house, client } = await scriptedServer(
    t,
    "",
    "limits: { request: 16MiB, answer_timeout: 20s }",
  );
  const { headers, call } = await session();
  const front = await stdioClient(t, house, "pipe");
  await front.initialize();
  for (const bytes of sizes) {
    const empty = '{"jsonrpc":"2.0","id":5,"method":"ping","params":{"x":""}}';
    const body = empty.replace('""', `"${"x".repeat(bytes - empty.length)}"`);
    assert.equal((await client.request("pipe", { headers: { ...json, ...headers }, body })).status, 200);
    await front.ask(body);
    if (bytes > 100_000) continue; // What it heard would come back in base64, beyond the limit.
    assert.equal(heardIn((await call("heard")).text).at(-2), body);
    assert.equal(await front.lastHeard(), body);
  }
});

test("a line beyond the limit ends its server with a reason, and the next one works", async (t) => {
  const { pipe } = await scriptedServer(t, "", "limits: { answer: 64KiB, answer_timeout: 10s }");
  assert.equal((await pipe("fill", { bytes: 65_536 })).text.length, 65_536);
  const { status, text } = await pipe("fill", { bytes: 65_537 });
  assert.equal(status, 502);
  assert.match(text, /a line of more than 65536 bytes/);
  assert.equal((await pipe("echo", { x: 1 })).status, 200);
});

test("what a client writes to the stdio front is found however it is cut, and what isn't a message is answered", async (t) => {
  const { house } = await scriptedServer(t);
  const client = await stdioClient(t, house, "pipe");
  await client.initialize();
  const text = "a\u2028b\u{1F600}";
  const call = (id: number): string =>
    JSON.stringify({
      jsonrpc: "2.0",
      id,
      method: "tools/call",
      params: { name: "echo", arguments: { text } },
    });
  for (const end of ["\n", "\r\n", "\n\n\r\n"]) {
    const before = client.lines.length;
    for (const byte of Buffer.from(call(7) + end)) client.write(Buffer.of(byte));
    await eventually("an answer", () => client.lines.length > before);
    assert.deepEqual(valueIn(client.lines.at(-1) ?? ""), { text });
  }
  const before = client.lines.length;
  client.write(`${call(11)}\n${call(12)}\r\n${call(13)}\n`);
  await eventually("all answers", () => client.lines.length === before + 3);
  const ids = client.lines.slice(before).map((line) => (JSON.parse(line) as { readonly id: number }).id);
  assert.deepEqual(
    ids.toSorted((a, b) => a - b),
    [11, 12, 13],
  );
  for (const noise of ["not json", "[]", "\uFEFF{}", '{"jsonrpc":"2.0"}']) {
    assert.match(await client.ask(noise), /^\{"jsonrpc":"2\.0","id":null,"error":\{"code":-32(600|700),/);
  }
  assert.match(await client.ask(call(9)), /"id":9,"result"/);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("after many clients that came, left in the middle or said goodbye, no process is left once the gateway stops", async (t) => {
  const { house, session, way, client } = await scriptedServer(
    t,
    "",
    "limits: { drain: 100ms, answer_timeout: 20s }",
  );
  const pids: number[] = [];
  for (let round = 0; round < 12; round++) {
    const { call, headers } = await session();
    for (const tool of ["pid", "spawn"]) pids.push(Number(valueIn((await call(tool)).text)));
    const leaving = way.begin({
      headers: { ...json, ...headers },
      body: JSON.stringify({ jsonrpc: "2.0", id: 9, method: "tools/call", params: { name: "hold" } }),
    });
    if (round % 3 === 0) await client.request("pipe", { method: "DELETE", headers });
    leaving();
    const modern = way.begin(modernCall("hold", {}, round));
    pids.push(Number(valueIn((await way.ask(modernCall("pid", {}, `p${round}`))).bytes.toString())));
    modern();
  }
  assert.ok(new Set(pids).size > 24);
  assert.ok(pids.some(isAlive));
  await house.stop();
  await eventually("all are gone, and what they started too", () => !pids.some(isAlive));
});

test("clients of the stdio front that leave at once leave no process behind", async (t) => {
  const { house } = await scriptedServer(t, "", "limits: { drain: 100ms, answer_timeout: 20s }");
  const pids: number[] = [];
  for (let round = 0; round < 5; round++) {
    const client = await stdioClient(t, house, "pipe");
    await client.initialize();
    const line = await client.ask('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pid"}}');
    pids.push(Number(valueIn(line)));
    await client.end();
  }
  assert.equal(new Set(pids).size, 5);
  await eventually("each ended with its client, before the gateway did", () => !pids.some(isAlive));
});

test("a server sees of the environment exactly the basics, what it was given and what it was passed", async (t) => {
  process.env["PASSED_ON"] = "through";
  process.env["NOT_FOR_SERVERS"] = "secret";
  const { pipe, session } = await scriptedServer(
    t,
    ', env: { GIVEN: "yes" }, pass_env: [PASSED_ON, NOWHERE_SET]',
  );
  const { call } = await session();
  for (const { text } of [await pipe("env"), await call("env")]) {
    const env = valueIn(text) as Record<string, string>;
    const basics = ["PATH", "HOME", "LANG", "TZ", "TMPDIR"].filter((name) => process.env[name] !== undefined);
    assert.deepEqual(Object.keys(env).sort(), [...basics, "GIVEN", "PASSED_ON"].sort());
    assert.deepEqual([env["GIVEN"], env["PASSED_ON"]], ["yes", "through"]);
  }
});
