/** Class 13: a list is the server's: its cursors, its pages, its order, however long. */
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { heardIn, messagesIn, scriptedServer, stdioClient } from "../support/pipes.ts";
import { bytesAnswer, json, modernHeaders, modernMeta, same, ways } from "../support/ways.ts";

const all = await ways({ after });

const cursors: readonly (readonly [string, string])[] = [
  ["an empty text", '""'],
  ["one space", '" "'],
  ["text beyond ASCII", '"ünïcode-\u65e5\u672c-\u{1F600}"'],
  ["escapes", '"\\ud83d\\ude00\\/\\u0000\\n"'],
  ["base64 with padding", '"eyJwYWdlIjoyfQ=="'],
  ["8,000 characters", `"${"c".repeat(8000)}"`],
  ["what looks like a number", '"1e2"'],
  ["what no cursor may be", "null"],
];
for (const method of ["tools/list", "resources/list", "resources/templates/list", "prompts/list"]) {
  test(`a cursor of ${method} crosses both ways as it is: ${cursors.map(([what]) => what).join(", ")}`, async () => {
    for (const [what, cursor] of cursors) {
      const answer = `{"jsonrpc":"2.0","id":1,"result":{"${method.split("/")[0] ?? ""}":[],"nextCursor":${cursor}}}`;
      all.answering(bytesAnswer(answer));
      const legacy = `{"jsonrpc":"2.0","id":1,"method":"${method}","params":{"cursor":${cursor}}}`;
      const meta = JSON.stringify(modernMeta);
      const modern = `{"jsonrpc":"2.0","id":1,"method":"${method}","params":{"cursor":${cursor},"_meta":${meta}}}`;
      for (const asked of [{ body: legacy }, { headers: modernHeaders(method), body: modern }]) {
        const before = all.stub.seen.length;
        assert.equal((await same(all, asked)).bytes.toString(), answer, what);
        const bodies = all.stub.seen.slice(before).map(({ body }) => body);
        assert.deepEqual(bodies, Array(3).fill(asked.body), what);
      }
    }
  });
}

/** Not in the order of their names. */
function tool(n: number): object {
  const name = `tool-${(n * 7919) % 100_003}`;
  return {
    name,
    description: "d".repeat(80),
    inputSchema: { type: "object", properties: { n: { const: n } } },
  };
}

const tools = Array.from({ length: 1500 }, (_, n) => tool(n));

interface Page {
  readonly result: { readonly tools: readonly object[]; readonly nextCursor?: string };
}

test("1,500 tools over many pages are all there, in their order, for who follows the cursors", async () => {
  const perPage = 190;
  all.answering((request, response, body) => {
    const { id, params } = JSON.parse(body) as {
      readonly id: number;
      readonly params?: { readonly cursor?: string };
    };
    const from = params?.cursor === undefined ? 0 : Number(Buffer.from(params.cursor, "base64").toString());
    const to = from + perPage;
    const nextCursor = to < tools.length ? Buffer.from(String(to)).toString("base64") : undefined;
    const result = { tools: tools.slice(from, to), ...(nextCursor !== undefined && { nextCursor }) };
    bytesAnswer(JSON.stringify({ jsonrpc: "2.0", id, result }))(request, response, body);
  });
  const found: object[] = [];
  let cursor: string | undefined;
  let pages = 0;
  do {
    const params = cursor === undefined ? {} : { cursor };
    const body = JSON.stringify({ jsonrpc: "2.0", id: ++pages, method: "tools/list", params });
    const { result } = JSON.parse((await same(all, { body })).bytes.toString()) as Page;
    found.push(...result.tools);
    cursor = result.nextCursor;
  } while (cursor !== undefined && pages < 20);
  assert.equal(pages, Math.ceil(tools.length / perPage));
  assert.deepEqual(found, tools);
});

test("1,500 tools on one page arrive byte for byte, over HTTP, over a pipe and over the stdio front", async (t) => {
  const page = JSON.stringify({ jsonrpc: "2.0", id: 5, result: { tools } });
  all.answering(bytesAnswer(page));
  assert.equal(
    (await same(all, { body: '{"jsonrpc":"2.0","id":5,"method":"tools/list"}' })).bytes.toString(),
    page,
  );
  const { house, session, client } = await scriptedServer(t);
  const { headers, call } = await session();
  const cursor = '"ünï\\ud83d\\ude00"';
  const list = `{"jsonrpc":"2.0","id":6,"method":"tools/list","params":{"cursor":${cursor}}}`;
  assert.equal((await client.request("pipe", { headers: { ...json, ...headers }, body: list })).status, 200);
  assert.equal(heardIn((await call("heard")).text).at(-2), list);
  assert.deepEqual(messagesIn((await call("say", { text: `${page}\n` }, 5)).text), [page]);
  const front = await stdioClient(t, house, "pipe");
  await front.initialize();
  const say = JSON.stringify({
    jsonrpc: "2.0",
    id: 5,
    method: "tools/call",
    params: { name: "say", arguments: { text: `${page}\n` } },
  });
  assert.equal(await front.ask(say), page);
  await front.ask(list);
  assert.equal(await front.lastHeard(), list);
});
