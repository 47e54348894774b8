/**
 * Class 14: no two readers may read two things. Each trick is either refused with the reason, and never seen by the server,
 * or the server gets exactly the bytes that the rules were asked about. The rules deny the tool "secret" and allow the rest.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";

import * as fc from "fast-check";

import { echoResult } from "../support/gateway.ts";
import { type Pick, picks, toolRead } from "../support/json-readers.ts";
import { type Asked, bytesAnswer, json, modernHeaders, modernMeta, type Way, ways } from "../support/ways.ts";

const rules = `policies:
  - { name: most, callers: ["*"], tools: ["stub/*"], resources: ["*"], prompts: ["*"], effect: allow, because: x }
  - { name: no-secret, callers: ["*"], tools: ["stub/secret"], effect: deny, because: It is secret. }`;
const all = await ways({ after }, rules);

const utf16le = (text: string): Buffer => Buffer.from(text, "utf16le");
const utf16be = (text: string): Buffer => Buffer.from(text, "utf16le").swap16();
const bom = (bytes: Buffer, ...mark: number[]): Buffer => Buffer.concat([Buffer.from(mark), bytes]);
const call = (params: string): string => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`;
const plain = call('{"name":"a","arguments":{}}');
const secret = call('{"name":"secret","arguments":{}}');
const nested = (depth: number): string => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
const typed = (type: string): Asked["headers"] => ({ ...json, "content-type": type });
const encoded = (name: string): Asked["headers"] => ({ ...json, "content-encoding": name });
const modern = (name: string): string =>
  call(`{"name":${JSON.stringify(name)},"_meta":${JSON.stringify(modernMeta)}}`);
const named = (name: string): Asked["headers"] => modernHeaders("tools/call", name);
const sentinel = (text: string): string => `=?base64?${Buffer.from(text).toString("base64")}?=`;

const refused: readonly (readonly [string, Asked, number, number])[] = [
  ["a member twice at the top", { body: `${plain.slice(0, -1)},"method":"tools/list"}` }, 400, -32700],
  ["a member twice in params", { body: call('{"name":"a","name":"secret"}') }, 400, -32700],
  [
    "a member twice, deep in the arguments",
    { body: call('{"name":"a","arguments":{"x":[[{"y":{"z":1,"z":2}}]]}}') },
    400,
    -32700,
  ],
  [
    "a member twice, in a part nobody knows",
    { body: call('{"name":"a","new":[{"b":1,"b":1}]}') },
    400,
    -32700,
  ],
  ["a member twice, once escaped", { body: call('{"name":"a","n\\u0061me":"secret"}') }, 400, -32700],
  [
    "params twice, once escaped",
    { body: `${plain.slice(0, -1)},"\\u0070arams":{"name":"secret"}}` },
    400,
    -32700,
  ],
  ['"Name" beside "name"', { body: call('{"name":"a","Name":"secret"}') }, 400, -32600],
  ['"Name" alone', { body: call('{"Name":"secret"}') }, 400, -32600],
  ['"NAME", escaped', { body: call('{"name":"a","\\u004e\\u0041ME":"secret"}') }, 400, -32600],
  ['"Method" beside "method"', { body: `${plain.slice(0, -1)},"Method":"tools/list"}` }, 400, -32600],
  ['"PARAMS" beside "params"', { body: `${plain.slice(0, -1)},"PARAMS":{"name":"secret"}}` }, 400, -32600],
  [
    "params with a long s, which folds to s",
    { body: `${plain.slice(0, -1)},"param\u017F":{"name":"secret"}}` },
    400,
    -32600,
  ],
  ["a name that is a list", { body: call('{"name":["secret"]}') }, 400, -32600],
  [
    "a method that is a list",
    { body: '{"jsonrpc":"2.0","id":1,"method":["tools/call"],"params":{"name":"secret"}}' },
    400,
    -32600,
  ],
  ["params that are a list", { body: call('["secret"]') }, 400, -32600],
  ["a request that is an answer as well", { body: `${secret.slice(0, -1)},"result":{}}` }, 400, -32600],
  ["a batch of good ones", { body: `[${plain}]` }, 400, -32600],
  ["a batch with a bad one", { body: `[${plain},${secret}]` }, 400, -32600],
  ["an empty batch", { body: "[]" }, 400, -32600],
  ["two messages", { body: `${plain}\n${secret}` }, 400, -32700],
  ["a comma at the end", { body: call('{"name":"a",}') }, 400, -32700],
  ["a comment", { body: call('{"name":"a"/*,"name":"secret"*/}') }, 400, -32700],
  ["single quotes", { body: call("{'name':'secret'}") }, 400, -32700],
  ["NaN", { body: call('{"name":"a","x":NaN}') }, 400, -32700],
  ["a number beyond a double", { body: call('{"name":"a","x":1e400}') }, 400, -32700],
  ["a lone surrogate in a name", { body: call('{"name":"secret\\ud800"}') }, 400, -32700],
  ["a control character in a name", { body: call('{"name":"sec\u0000ret"}') }, 400, -32700],
  ["an overlong encoding", { body: Buffer.from(plain.replace('"a"', '"\xc1\xa1"'), "latin1") }, 400, -32700],
  ["Latin-1", { body: Buffer.from(plain.replace('"a"', '"\xe4"'), "latin1") }, 400, -32700],
  ["a UTF-8 byte order mark", { body: bom(Buffer.from(plain), 0xef, 0xbb, 0xbf) }, 400, -32700],
  ["UTF-16LE", { body: utf16le(secret) }, 400, -32700],
  ["UTF-16BE", { body: utf16be(secret) }, 400, -32700],
  ["UTF-16LE with its mark", { body: bom(utf16le(secret), 0xff, 0xfe) }, 400, -32700],
  ["UTF-16BE with its mark", { body: bom(utf16be(secret), 0xfe, 0xff) }, 400, -32700],
  ["nesting of 65", { body: call(`{"name":"a","arguments":${nested(63)}}`) }, 400, -32700],
  ["nesting of 100,000", { body: call(`{"name":"a","arguments":${nested(100_000)}}`) }, 400, -32700],
  ["an id beyond 2^53", { body: plain.replace('"id":1', '"id":9007199254740993') }, 400, -32600],
  ["an id that is a fraction", { body: plain.replace('"id":1', '"id":1.5') }, 400, -32600],
  ["an id that is null", { body: plain.replace('"id":1', '"id":null') }, 400, -32600],
  ["an id with an exponent", { body: plain.replace('"id":1', '"id":1e0') }, 400, -32600],
  ["no body", { body: "" }, 400, -32700],
  ["UTF-16 by its charset", { headers: typed("application/json; charset=utf-16"), body: plain }, 415, -32600],
  [
    "UTF-16LE by its charset, in fact",
    { headers: typed('application/json;Charset="UTF-16LE"'), body: utf16le(secret) },
    415,
    -32600,
  ],
  [
    "another charset",
    { headers: typed("application/json; q=1; charset=iso-8859-1"), body: plain },
    415,
    -32600,
  ],
  [
    "two charsets",
    { headers: typed("application/json; charset=utf-8; charset=utf-7"), body: plain },
    415,
    -32600,
  ],
  ["text", { headers: typed("text/plain"), body: plain }, 415, -32600],
  ["two media types", { headers: typed("application/json, text/plain"), body: plain }, 415, -32600],
  ["a media type that begins alike", { headers: typed("application/json-seq"), body: plain }, 415, -32600],
  ["no media type", { headers: { accept: json.accept }, body: plain }, 415, -32600],
  ["gzip", { headers: encoded("gzip"), body: gzipSync(secret) }, 415, -32600],
  ["gzip that isn't said", { body: gzipSync(secret) }, 400, -32700],
  ["identity, then gzip", { headers: encoded("identity, gzip"), body: gzipSync(secret) }, 415, -32600],
  ["br", { headers: encoded("br"), body: plain }, 415, -32600],
  ["another name in the header", { headers: named("a"), body: modern("secret") }, 400, -32020],
  [
    "another method in the header",
    { headers: { ...named("a"), "mcp-method": "tools/list" }, body: modern("a") },
    400,
    -32020,
  ],
  [
    "a method in other case in the header",
    { headers: { ...named("a"), "mcp-method": "TOOLS/CALL" }, body: modern("a") },
    400,
    -32020,
  ],
  [
    "another version in the header",
    { headers: { ...named("a"), "mcp-protocol-version": "2025-11-25" }, body: modern("a") },
    400,
    -32020,
  ],
  ["no name in the header", { headers: modernHeaders("tools/call"), body: modern("a") }, 400, -32020],
  ["a wrapped name that is another", { headers: named(sentinel("a")), body: modern("b") }, 400, -32020],
  ["a wrapped name with wrong padding", { headers: named("=?base64?YQ?="), body: modern("a") }, 400, -32020],
  ["a wrapped name with spare bits", { headers: named("=?base64?YR==?="), body: modern("a") }, 400, -32020],
  [
    "a wrapped name beyond the alphabet",
    { headers: named("=?base64?Y-_=?="), body: modern("a") },
    400,
    -32020,
  ],
  [
    "a wrapped name in an upper-case wrapper, which is none",
    { headers: named("=?BASE64?YQ==?="), body: modern("a") },
    400,
    -32020,
  ],
  [
    "a name that looks wrapped and isn't",
    { headers: named("=?base64?YQ==?="), body: modern("=?base64?YQ==?=") },
    400,
    -32020,
  ],
];
for (const [what, asked, status, code] of refused) {
  test(`refused with ${status} and ${code}, and never seen by the server: ${what}`, async () => {
    all.answering(echoResult);
    const before = all.stub.seen.length;
    for (const way of all.ours) {
      const answered = await way.ask(asked);
      assert.equal(answered.status, status, way.name);
      const { error } = JSON.parse(answered.bytes.toString()) as {
        readonly error: { readonly code: number };
      };
      assert.equal(error.code, code, way.name);
    }
    assert.equal(all.stub.seen.length, before);
  });
}

const taken: readonly (readonly [string, Asked])[] = [
  [
    "escapes in names and members",
    { body: '{"jsonrpc":"2.0","id":1,"\\u006dethod":"tools\\/call","params":{"n\\u0061me":"\\u0061"}}' },
  ],
  [
    "members that look like known ones elsewhere",
    { body: call('{"name":"a","arguments":{"Name":"secret","NAME":1,"name":"secret"}}') },
  ],
  [
    "members with names from prototypes",
    { body: call('{"name":"a","__proto__":{"name":"secret"},"constructor":1,"arguments":{"__proto__":{}}}') },
  ],
  [
    "integers beyond 2^53",
    {
      body: call(
        '{"name":"a","arguments":{"n":[9007199254740993,-9007199254740993,123456789012345678901234567890]}}',
      ),
    },
  ],
  ["-0, 1.0 and exponents", { body: call('{"name":"a","arguments":{"n":[-0,1.0,-0.0,1E2,1e-400]}}') }],
  ["an id of -0", { body: plain.replace('"id":1', '"id":-0') }],
  ["an id of 1.0", { body: plain.replace('"id":1', '"id":1.0') }],
  ["an id of 2^53-1", { body: plain.replace('"id":1', '"id":9007199254740991') }],
  ["nesting of 64", { body: call(`{"name":"a","arguments":${nested(62)}}`) }],
  ["separators of lines that aren't JSON's", { body: call('{"name":"a\u2028\u2029\u0085"}') }],
  ["a byte order mark within a name", { body: call('{"name":"\uFEFFa"}') }],
  ["a name that only looks like the denied one", { body: call('{"name":"Secret"}') }],
  ["white space of every kind JSON has", { body: `\r\n\t ${plain.replaceAll(",", " ,\r\n\t")} \n` }],
  [
    "a media type in another case, with its charset",
    { headers: typed("Application/JSON; charset=UTF-8"), body: plain },
  ],
  ["a charset in quotes", { headers: typed('application/json ; x=y;CHARSET="utf-8"'), body: plain }],
  ["a coding that is none", { headers: encoded("identity"), body: plain }],
  ["a wrapped name", { headers: named(sentinel("\u00fcn\u00ef")), body: modern("\u00fcn\u00ef") }],
  ["a plain name, wrapped all the same", { headers: named(sentinel("a")), body: modern("a") }],
  [
    "a name that looks wrapped, wrapped",
    { headers: named(sentinel("=?base64?YQ==?=")), body: modern("=?base64?YQ==?=") },
  ],
  [
    "a name in an upper-case wrapper, which is none",
    { headers: named("=?BASE64?YQ==?="), body: modern("=?BASE64?YQ==?=") },
  ],
];
for (const [what, asked] of taken) {
  test(`taken, and seen by the server exactly as it was read: ${what}`, async () => {
    all.answering(echoResult);
    for (const way of all.ours) {
      assert.equal((await way.ask(asked)).status, 200, way.name);
      const seen = all.stub.seen.at(-1);
      assert.equal(seen?.body, asked.body, way.name);
      assert.equal(seen?.headers["mcp-name"], asked.headers?.["mcp-name"], way.name);
      assert.equal(seen?.headers["content-encoding"], undefined, way.name);
    }
  });
}

for (const [what, asked] of [
  ["plainly", { body: secret }],
  ["with escapes", { body: call('{"n\\u0061me":"\\u0073ecret"}') }],
  ["in a modern request", { headers: named("secret"), body: modern("secret") }],
  ["by a wrapped header", { headers: named(sentinel("secret")), body: modern("secret") }],
] as const) {
  test(`the denied tool is denied, and never seen by the server, when it is named ${what}`, async () => {
    const before = all.stub.seen.length;
    for (const way of all.ours) {
      assert.match((await way.ask(asked)).bytes.toString(), /Denied by policy: It is secret\./, way.name);
    }
    assert.equal(all.stub.seen.length, before);
  });
}

test("the readers this file imagines read what it says they do", () => {
  const tricky = `{"params":{"name":"a"}, "Params" : {"NAME":"b","n\\u0061me":"c,}"} ,"params":{"name":"d","name":"e"}}`;
  assert.deepEqual(
    Object.values(picks).map((pick) => toolRead(tricky, pick)),
    ["a", "e", "a", "e"],
  );
  assert.equal(
    toolRead('{"Params":{"N\\u0061me":"secret"}}', picks["the last, whatever its case"] as Pick),
    "secret",
  );
});

/** Now and then a trick, mostly none: a mixture of many is refused for the first. */
function mostly(usual: readonly string[], ...tricks: readonly string[]): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...usual) },
    { weight: 1, arbitrary: fc.constantFrom(...tricks) },
  );
}

const spelling = mostly(["name", "n\\u0061me", "title", "name "], "Name", "NAME", "\\u004eame");
const value = fc.constantFrom(
  '"a"',
  '"b"',
  '"secret"',
  '"\\u0073ecret"',
  '["secret"]',
  "null",
  '"Secret"',
  '"secret "',
);
const space = mostly(["", " ", "\n"], "\uFEFF", "/**/");
const paramsText = fc
  .array(fc.tuple(spelling, value, space), { minLength: 1, maxLength: 3 })
  .map((members) => `{${members.map(([name, value, space]) => `${space}"${name}":${value}`).join(",")}}`);
const topSpelling = mostly(["params", "p\\u0061rams", "extra"], "Params", "param\u017F");
const document = fc
  .record({
    parts: fc.array(fc.tuple(topSpelling, paramsText), { minLength: 1, maxLength: 2 }),
    id: mostly(["1", "1.0", "-0", '"x"'], "9007199254740993"),
    tail: mostly([""], ",", ' ,"id":2', ' ,"method":"tools/list"', ',"Method":"x"'),
    wrap: mostly([""], "[", "BOM", "UTF-16"),
  })
  .map(({ parts, id, tail, wrap }) => {
    const params = parts.map(([name, text]) => `"${name}":${text}`).join(",");
    const text = `{"jsonrpc":"2.0","id":${id},"method":"tools/call",${params}${tail}}`;
    if (wrap === "[") return Buffer.from(`[${text}]`);
    if (wrap === "BOM") return Buffer.from(`\uFEFF${text}`);
    return wrap === "UTF-16" ? utf16le(text) : Buffer.from(text);
  });

test("of whatever mixture of tricks, what reaches the server names the denied tool to no reader, and is what was sent", async () => {
  all.answering(echoResult);
  let reached = 0;
  const check = async (way: Way, body: Buffer): Promise<void> => {
    const before = all.stub.seen.length;
    await way.ask({ body });
    const seen = all.stub.seen.slice(before);
    assert.ok(seen.length <= 1);
    for (const { body: text } of seen) {
      reached += 1;
      assert.equal(text, body.toString());
      const strict = (JSON.parse(text) as { readonly params?: { readonly name?: unknown } }).params?.name;
      for (const [reader, pick] of Object.entries(picks)) {
        assert.notEqual(toolRead(text, pick), "secret", reader);
        assert.equal(toolRead(text, pick), strict, reader);
      }
    }
  };
  await fc.assert(
    fc.asyncProperty(document, (body) => check(all.gateway, body)),
    { numRuns: 700 },
  );
  assert.ok(reached > 15, `of the mixtures some must be harmless: ${reached}`);
});

const vectors = new URL("../../../shared/vectors/json/test_parsing/", import.meta.url);
const skip = existsSync(vectors) ? false : "the JSONTestSuite vectors aren't there";

test(
  "JSONTestSuite within a call: each file reaches the server byte for byte, or is refused and never does",
  { skip },
  async () => {
    all.answering(bytesAnswer('{"jsonrpc":"2.0","id":1,"result":{}}'));
    const [head, tail] = [Buffer.from(call('{"name":"a","arguments":').slice(0, -1)), Buffer.from("}}")];
    let [accepted, refusals] = [0, 0];
    for (const file of readdirSync(vectors).filter((name) => name.endsWith(".json"))) {
      const body = Buffer.concat([head, readFileSync(new URL(encodeURIComponent(file), vectors)), tail]);
      const before = all.stub.seen.length;
      const { status, bytes } = await all.gateway.ask({ body });
      if (status === 200) {
        accepted += 1;
        assert.ok(!file.startsWith("n_"), file);
        assert.ok(Buffer.from(all.stub.seen.at(-1)?.body ?? "").equals(body), file);
        assert.equal(all.stub.seen.length, before + 1, file);
      } else {
        refusals += 1;
        const { error } = JSON.parse(bytes.toString()) as { readonly error: { readonly code: number } };
        assert.ok(status === 400 && [-32700, -32600].includes(error.code), file);
        assert.equal(all.stub.seen.length, before, file);
      }
    }
    assert.ok(accepted > 90 && refusals > 190, `${accepted} accepted, ${refusals} refused`);
  },
);
