/** Class 1: what nobody knows yet is nobody's to drop. Answers and requests cross byte for byte, whatever is in them. */
import assert from "node:assert/strict";
import { after, test } from "node:test";

import * as fc from "fast-check";

import { asLine } from "../../src/wire/lines.ts";
import { scriptedServer, stdioClient } from "../support/pipes.ts";
import { bytesAnswer, json, legacyCall, same, ways } from "../support/ways.ts";

const all = await ways({ after });

const answers: readonly (readonly [string, string])[] = [
  [
    "unknown members at every level, structured content, annotations",
    '{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"x","annotations":{"a":1},"new":[]}],"structuredContent":{"n":1.0},"_meta":{"v/x":{}},"later":null},"top":"level"}',
  ],
  [
    "tools with schemas, icons, annotations and members of next year",
    '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a","title":"A","icons":[{"src":"data:,","sizes":["any"],"theme":"dark"}],"inputSchema":{"anyOf":[{"type":"object"}],"$defs":{},"x-mcp-header":1},"outputSchema":{"type":"array"},"annotations":{"readOnlyHint":true,"futureHint":2},"execution":{"taskSupport":"optional"},"_meta":{"ui":{"resourceUri":"ui://a"}},"next":{}}],"nextCursor":"","ttlMs":0,"cacheScope":"public","resultType":"complete"}}',
  ],
  [
    "capabilities, extensions and a server's description",
    '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{"extensions":{"com.example/x":{}},"experimental":{"y":{}},"brandNew":{}},"serverInfo":{"name":"s","version":"1","websiteUrl":"https://e","more":1},"instructions":"i"}}',
  ],
  [
    "numbers as they were spelled",
    '{"jsonrpc":"2.0","id":1,"result":{"a":[1.0,-0,1e2,12345678901234567890,0.10]}}',
  ],
  [
    "escapes and separators as they were",
    '{"jsonrpc":"2.0","id":1,"result":{"t":"\\u00e9\\/\u2028\u2029é\\ud83d\\ude00"}}',
  ],
  ["a lone surrogate", '{"jsonrpc":"2.0","id":1,"result":{"t":"\\ud83d"}}'],
  ["white space as it was", '\n{ "jsonrpc" : "2.0",\r\n\t"id":1, "result" : { } }\n\n'],
  [
    "an error with data",
    '{"jsonrpc":"2.0","id":1,"error":{"code":-32042,"message":"m","data":{"deep":[{"a":null}]},"hint":1}}',
  ],
  [
    "an unknown kind of result",
    '{"jsonrpc":"2.0","id":1,"result":{"resultType":"later","requestState":"b3BhcXVl","inputRequests":{"k":{"method":"x/y","params":{}}}}}',
  ],
  ["what isn't JSON at all", "not json"],
  [
    "duplicate members, which are the client's to judge",
    '{"jsonrpc":"2.0","id":1,"result":{},"result":{"a":1}}',
  ],
];
for (const [what, body] of answers) {
  test(`an answer with ${what} arrives byte for byte`, async () => {
    all.answering(bytesAnswer(body, { "content-type": "application/json; charset=utf-8" }));
    const { bytes } = await same(all, { body: legacyCall() });
    assert.equal(bytes.toString(), body);
  });
}

const requests: readonly (readonly [string, string])[] = [
  [
    "unknown members, numbers as they were spelled",
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"n":[1.0,-0,1e2,12345678901234567890]},"_meta":{"progressToken":1,"v/x":{}},"new":1},"top":1}',
  ],
  [
    "white space and an escaped slash",
    '{ "params" : {"cursor":""},\n"method":"tools\\/list", "id":"1","jsonrpc":"2.0" }',
  ],
  [
    "a task, input responses and a state that is the server's own",
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","task":{"ttl":1},"secureArguments":{"x":1},"inputResponses":{"k":{"action":"accept"}},"requestState":"b3BhcXVl=="}}',
  ],
  [
    "a notification nobody knows",
    '{"jsonrpc":"2.0","method":"notifications/com.example/new","params":{"x":[1.0]}}',
  ],
  ["an answer to a question", '{"jsonrpc":"2.0","id":"q","result":{"action":"accept","content":{"a":1.50}}}'],
];
for (const [what, body] of requests) {
  test(`a request with ${what} reaches the server byte for byte`, async () => {
    all.answering(bytesAnswer("{}"));
    for (const way of all.ours) {
      await way.ask({ body });
      assert.equal(all.stub.seen.at(-1)?.body, body, way.name);
    }
  });
}

/** JSON text in a spelling of its own: spaces, escapes, orders and numbers no serialiser of ours would make. */
const spelled = fc.letrec<{ value: string; object: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    fc.constantFrom("null", "true", "false", "1.0", "-0", "1e2", "0.10", "12345678901234567890", "-1E-2"),
    fc.string({ unit: "grapheme" }).map((text) => JSON.stringify(text)),
    fc.string({ maxLength: 5 }).map((text) => `"${text.replaceAll(/[^]/g, escaped)}"`),
    fc
      .tuple(fc.array(tie("value"), { maxLength: 4 }), fc.constantFrom(",", " ,", ",\n\t", "\r\n, "))
      .map(([items, comma]) => `[${items.join(comma)}]`),
    tie("object"),
  ),
  object: fc
    .uniqueArray(
      fc.tuple(
        fc.string({ unit: "grapheme" }).map((name) => `~${name}`),
        tie("value"),
      ),
      {
        maxLength: 4,
        selector: ([name]) => name,
      },
    )
    .map(
      (members) => `{ ${members.map(([name, value]) => `${JSON.stringify(name)} : ${value}`).join(", ")} }`,
    ),
}));

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

test("any answer arrives byte for byte, whatever is in it and however it is spelled", async () => {
  await fc.assert(
    fc.asyncProperty(spelled.value, spelled.object, async (extra, result) => {
      const body = `{"x~":${extra},"jsonrpc":"2.0","result":${result},"id":1}`;
      all.answering(bytesAnswer(body));
      for (const way of all.ours) {
        assert.equal((await way.ask({ body: legacyCall() })).bytes.toString(), body, way.name);
      }
    }),
    { numRuns: 60 },
  );
});

test("any request reaches the server byte for byte, whatever is in it and however it is spelled", async () => {
  all.answering(bytesAnswer("{}"));
  await fc.assert(
    fc.asyncProperty(spelled.object, spelled.value, async (args, extra) => {
      const body = `{"jsonrpc":"2.0","~x":${extra},"method":"tools/call","params":{"later":${extra},"name":"a","arguments":${args}},"id":1}`;
      for (const way of all.ours) {
        assert.equal((await way.ask({ body })).status, 200);
        assert.equal(all.stub.seen.at(-1)?.body, body, way.name);
      }
    }),
    { numRuns: 60 },
  );
});

test("over a stdio server and the stdio front, any message is the same but for the line breaks between its tokens", async (t) => {
  const { house, pipe } = await scriptedServer(t);
  const client = await stdioClient(t, house, "pipe");
  await client.initialize();
  await fc.assert(
    fc.asyncProperty(spelled.object, async (result) => {
      const answer = Buffer.from(
        asLine(Buffer.from(`{"id":5,"~new":1.0,"result":${result},"jsonrpc":"2.0"}`)),
      );
      const ask = asLine(
        Buffer.from(
          `{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"say","later":${result},"arguments":{"text":${JSON.stringify(answer.toString())}}}}`,
        ),
      );
      assert.equal(await client.ask(ask), answer.subarray(0, -1).toString());
      assert.equal(await client.lastHeard(), Buffer.from(ask.subarray(0, -1)).toString());
    }),
    { numRuns: 30 },
  );
  assert.equal((await pipe("echo", {})).status, 200);
});

test("an error that HTTP carried without an id gets the request's id and stays as it was spelled", async (t) => {
  const client = await stdioClient(t, all.house, "stub");
  for (const [sent, delivered] of [
    [
      '{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"m","data":{"n":[1.0,12345678901234567890]}}}',
      '{"jsonrpc":"2.0","id":"a1","error":{"code":-32600,"message":"m","data":{"n":[1.0,12345678901234567890]}}}',
    ],
    [
      '{ "jsonrpc":"2.0","error":{"code":-32600,"message":"m","data":1.0}}',
      '{"id":"a1", "jsonrpc":"2.0","error":{"code":-32600,"message":"m","data":1.0}}',
    ],
  ] as const) {
    all.answering(bytesAnswer(sent, json, 400));
    assert.equal(await client.ask(legacyCall({}, "a1")), delivered);
  }
});

test("what a stdio server answers isn't ours to refuse: lone surrogates, repeated members, great lists, deep nesting", async (t) => {
  const { pipe } = await scriptedServer(t);
  for (const [what, result] of [
    ["a lone surrogate", '{"t":"\\ud83d"}'],
    ["a member twice", '{"a":1,"a":2}'],
    ["a known member in another case", '{"IsError":1,"Name":2}'],
    ["a number beyond a double", '{"n":1e999}'],
    ["a list of 200,000", `{"l":[${"1,".repeat(200_000)}1]}`],
    ["200 levels", `{"d":${"[".repeat(200)}${"]".repeat(200)}}`],
  ] as const) {
    const text = `{"jsonrpc":"2.0","id":5,"result":${result}}`;
    const answered = await pipe("say", { text: `${text}\n` }, 5);
    assert.equal(answered.bytes.toString(), text, what);
  }
});
