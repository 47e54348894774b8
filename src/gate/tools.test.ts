/** No list of a pinned server's tools passes unread, however and wherever it is said; all else passes as it came. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { concat, utf8 } from "../kernel/bytes.ts";
import { Refusal, type RefusalCode } from "../kernel/refusal.ts";
import { readFrame } from "../wire/frame.ts";
import { writeSseEvent } from "../wire/sse.ts";
import type { Answer, AnswerEvent, Journaled } from "./call.ts";
import { asPinned, type BlockedBecause, blockedTool, isLabelledReadOnly, maxListBytes } from "./tools.ts";
import { makeWorld, type PinnedTools, type World } from "./world.ts";

const nothing: PinnedTools = { blocked: new Map(), pinned: new Map(), readOnly: new Map() };

function worldWith(pinned: Partial<PinnedTools> = {}): World {
  return makeWorld({
    trust: {
      domain: "a.test",
      identityAlgorithms: [],
      groups: [],
      revokedSerials: new Set(),
      issuers: new Set(),
    },
    rules: [],
    servers: ["a", "free"],
    tools: new Map([["a", { ...nothing, ...pinned }]]),
  });
}

const proof = { kind: "svid", serial: "1", issuer: "", notAfterUnixMs: 1 } as const;
const caller = { id: "spiffe://a.test/agent/x", chain: [], proof };

/** As much of a call as is looked at here. */
function asked(method: string | undefined, params: object = {}, server = "a"): Journaled {
  const frame =
    method === undefined
      ? undefined
      : readFrame(utf8(JSON.stringify({ jsonrpc: "2.0", id: 7, method, params })));
  return { server, caller, ...(frame && { frame }) } as unknown as Journaled;
}

const replaced = utf8('{"replaced":true}');

/** Shows every list as `replaced`. */
function recording(shows: Uint8Array | undefined = replaced) {
  const seen: { text: string; cursor?: string }[] = [];
  const tools = {
    shown: (_call: Journaled, { message, cursor }: { message: Uint8Array; cursor?: string }) => {
      seen.push({ text: String(Buffer.from(message)), ...(cursor !== undefined && { cursor }) });
      return Promise.resolve(shows ?? message);
    },
  };
  return { seen, tools };
}

function whole(body: string | Uint8Array): Answer {
  return { kind: "whole", status: 200, headers: [], body: typeof body === "string" ? utf8(body) : body };
}

async function streamed(...events: readonly AnswerEvent[]): Promise<AsyncIterable<AnswerEvent>> {
  async function* each(): AsyncGenerator<AnswerEvent> {
    yield* events;
  }
  return Promise.resolve(each());
}

function event(data: string): AnswerEvent {
  const bytes = utf8(data);
  return { raw: writeSseEvent({ data: bytes }), data: bytes };
}

const list = (id: string): string => `{"jsonrpc":"2.0","id":${id},"result":{"tools":[{"name":"t"}]}}`;
const isRefused =
  (code: RefusalCode) =>
  (error: unknown): boolean =>
    error instanceof Refusal && error.code === code;

test("a list is shown as it is pinned, and what the server said is kept beside it", async () => {
  const { seen, tools } = recording();
  const answer = await asPinned(asked("tools/list"), whole(list("7")), worldWith(), { tools });
  assert.deepEqual(answer, {
    ...whole(replaced),
    asItCame: { bytes: utf8(list("7")), message: utf8(list("7")) },
  });
  assert.deepEqual(seen, [{ text: list("7") }]);
});

test("a list that is as it was pinned passes as the very answer it came in", async () => {
  const { tools } = recording();
  const unchanged = {
    shown: (_call: Journaled, { message }: { message: Uint8Array }) => Promise.resolve(message),
  };
  const answer = whole(list("7"));
  assert.equal(await asPinned(asked("tools/list"), answer, worldWith(), { tools: unchanged }), answer);
  assert.equal(await asPinned(asked("tools/list", {}, "free"), answer, worldWith(), { tools }), answer);
});

test("a page is taken for the one that was asked for", async () => {
  const { seen, tools } = recording();
  for (const cursor of ["", "two", 3]) {
    await asPinned(asked("tools/list", { cursor }), whole(list("7")), worldWith(), { tools });
  }
  await asPinned(asked("ping"), whole(list("8")), worldWith(), { tools });
  assert.deepEqual(
    seen.map(({ cursor }) => cursor),
    ["", "two", "\u0000unasked", "\u0000unasked"],
  );
});

test("a list in an event at once leaves as an event", async () => {
  const { tools } = recording();
  const message = utf8(list("7"));
  const body = writeSseEvent({ event: "message", data: message });
  const answer = await asPinned(asked("tools/list"), { ...whole(body), message } as Answer, worldWith(), {
    tools,
  });
  assert.deepEqual(answer, {
    ...whole(writeSseEvent({ event: "message", data: replaced })),
    message: replaced,
    asItCame: { bytes: body, message: utf8(list("7")) },
  });
});

test("a list longer than what is otherwise read is read, up to a bound", async () => {
  const { seen, tools } = recording();
  const long = (bytes: number): Answer => {
    const tail = utf8(`{"jsonrpc":"2.0","id":7,"result":{"tools":[],"x":"${"x".repeat(bytes)}"}}`);
    async function* chunks(): AsyncGenerator<Uint8Array> {
      yield tail.subarray(0, 1000);
      yield tail.subarray(1000);
    }
    return { kind: "long", status: 200, headers: [], bodyBytes: tail.length, chunks: chunks() };
  };
  const answer = await asPinned(asked("tools/list"), long(2_000_000), worldWith(), { tools });
  assert.equal(answer.kind === "whole" && answer.body, replaced);
  assert.equal(seen.length, 1);
  const tooLong = asPinned(asked("tools/list"), long(maxListBytes), worldWith(), { tools });
  await assert.rejects(tooLong, isRefused("answer_too_large"));
  const other = long(2_000_000);
  assert.equal(await asPinned(asked("tools/call", { name: "t" }), other, worldWith(), { tools }), other);
});

/** What a client could take for the answer to another request of its own, on an answer of this call. */
const elsewhere: readonly (readonly [string, string | undefined])[] = [
  ["on the stream of a call", "tools/call"],
  ["on a stream of its own", undefined],
];
for (const [where, method] of elsewhere) {
  test(`a list ${where} is held to the same, whatever way its id is written`, async () => {
    const params = method === undefined ? {} : { name: "t" };
    for (const id of ["8", '"7"', '"8"']) {
      const { seen, tools } = recording();
      const answer: Answer = {
        kind: "stream",
        status: 200,
        headers: [],
        events: await streamed(event(list(id)), event('{"jsonrpc":"2.0","method":"notifications/x"}')),
      };
      const shown = await asPinned(asked(method, params), answer, worldWith(), { tools });
      assert.ok(shown.kind === "stream");
      const [first, second] = await Array.fromAsync(shown.events);
      assert.deepEqual(first?.data, replaced);
      assert.deepEqual(first?.asItCame?.bytes, event(list(id)).raw);
      assert.equal(String(Buffer.from(first?.raw ?? [])), 'data: {"replaced":true}\n\n');
      assert.equal(second?.asItCame, undefined);
      assert.equal(seen.length, 1);
    }
  });
}

const harmless: readonly (readonly [string, string, string])[] = [
  ["a call's own answer", "tools/call", '{"jsonrpc":"2.0","id":7,"result":{"tools":[]}}'],
  ["an error", "tools/list", '{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"no \\u0074ools"}}'],
  ["a result without a list", "tools/list", '{"jsonrpc":"2.0","id":7,"result":{}}'],
  ["a server's own request", "tools/call", '{"jsonrpc":"2.0","id":1,"method":"x","params":{"tools":[]}}'],
  ["tools within what a tool said", "tools/call", '{"id":8,"result":{"content":[{"tools":[]}]}}'],
  ["what is no JSON", "tools/list", 'no result, no "tools"'],
  ["a page", "tools/list", '<p>{"result":{"tools":['],
  ["a call's own answer with NaN", "tools/call", '{"jsonrpc":"2.0","id":7,"result":{"tools":[NaN]}}'],
  ["tools in what breaks off, and has no result", "tools/list", '{"error":"no tools'],
  ["a notification that says NaN", "tools/list", '{"method":"n","params":{"tools":"result","x":NaN}}'],
  ["nothing", "tools/list", ""],
];
for (const [what, method, body] of harmless) {
  test(`${what} passes as it came`, async () => {
    const { seen, tools } = recording();
    const answer = whole(body);
    const params = method === "tools/call" ? { name: "t" } : {};
    assert.equal(await asPinned(asked(method, params), answer, worldWith(), { tools }), answer);
    assert.deepEqual(seen, []);
  });
}

const mark = new Uint8Array([0xef, 0xbb, 0xbf]);
const ambiguous: readonly (readonly [string, string, string | Uint8Array])[] = [
  ["two lists in one result", "tools/list", '{"id":7,"result":{"tools":[{"name":"t"}],"tools":[]}}'],
  ["two results", "tools/list", '{"id":7,"result":{"tools":[]},"result":{}}'],
  ["a list and an error", "tools/list", '{"id":7,"result":{"tools":[]},"error":{"code":1,"message":""}}'],
  ["a list in another case", "tools/list", '{"jsonrpc":"2.0","id":7,"result":{"Tools":[{"name":"t"}]}}'],
  ["a list with a long s", "tools/list", '{"jsonrpc":"2.0","id":7,"result":{"tool\u017f":[{"name":"t"}]}}'],
  ["a result in another case", "tools/list", '{"jsonrpc":"2.0","id":7,"Result":{"tools":[]}}'],
  ["a batch", "tools/list", `[${list("7")}]`],
  ["a batch with another's list", "tools/call", `[{"jsonrpc":"2.0","id":7,"result":{}},${list("8")}]`],
  ["an escaped name, twice", "tools/list", '{"id":7,"result":{"\\u0074ools":[],"tools":[]}}'],
  ["a mark before it", "tools/list", concat([mark, utf8(list("7"))])],
  ["what is no list", "tools/list", '{"jsonrpc":"2.0","id":7,"result":{"tools":{"t":{}}}}'],
  ["a list with NaN", "tools/list", '{"id":7,"result":{"tools":[],"_meta":{"x":NaN}}}'],
  ["another's list with NaN", "tools/call", '{"id":8,"result":{"tools":[],"x":-Infinity}}'],
  ["a list with a word behind it", "tools/list", `${list("7")} x`],
  ["a list with a comma too many", "tools/list", '{"id":7,"result":{"tools":[],}}'],
  ["a list that breaks off", "tools/list", '{"id":7,"result":{"tools":[{"name":"t"}'],
  ["a list in single quotes", "tools/list", "{'id':7,'result':{'tools':[]}}"],
  ["a list with needless escapes", "tools/list", "{'id':7,'result':{'to\\ols':[]}}"],
  ["a list in UTF-16", "tools/list", Buffer.from(list("7"), "utf16le")],
  [
    "deeper nesting than is read",
    "tools/call",
    `{"id":8,"x":${"[".repeat(1500)}${"]".repeat(1500)},"result":{"tools":[]}}`,
  ],
];
for (const [what, method, body] of ambiguous) {
  test(`${what} is withheld: two readers could read two lists`, async () => {
    const { seen, tools } = recording();
    const params = method === "tools/call" ? { name: "t" } : {};
    const refused = asPinned(asked(method, params), whole(body), worldWith(), { tools });
    await assert.rejects(refused, isRefused("upstream_failed"));
    assert.deepEqual(seen, []);
  });
}

test("a stream ends where a list can't be read", async () => {
  const { tools } = recording();
  const events = await streamed(event(`[${list("8")}]`));
  const answer: Answer = { kind: "stream", status: 200, headers: [], events };
  const shown = await asPinned(asked(undefined), answer, worldWith(), { tools });
  assert.ok(shown.kind === "stream");
  await assert.rejects(Array.fromAsync(shown.events), isRefused("upstream_failed"));
});

test("a blocked tool is refused with what to do; others, and other methods, aren't", () => {
  const blocked = new Map<string, BlockedBecause>([["bad", "changed"]]);
  const world = worldWith({ blocked, pinned: new Map([["good", "h"]]) });
  const refusal = (method: string, name: string, within = world): Refusal | undefined =>
    blockedTool(asked(method, { name }), within);
  assert.equal(refusal("tools/call", "good"), undefined);
  assert.equal(refusal("tools/call", "unheard-of"), undefined);
  assert.equal(refusal("prompts/get", "bad"), undefined);
  const found = refusal("tools/call", "bad");
  assert.equal(found?.code, "tool_blocked");
  assert.match(
    found?.message ?? "",
    /"bad" isn't what it was when it was pinned; .*latticegate tools diff a/,
  );
  const strict = worldWith({ otherwise: "unapproved" });
  assert.match(
    refusal("tools/call", "un\u200bheard", strict)?.message ?? "",
    /"un\?heard" was never approved/,
  );
});

test("a tool only reads if somebody said so who may, and for as long as that counts", () => {
  const world = worldWith({ readOnly: new Map([["t", 5]]) });
  const at = (server: string, tool: string, nowUnixMs: number) =>
    isLabelledReadOnly(world, server, tool, nowUnixMs);
  assert.deepEqual(
    [at("a", "t", 4), at("a", "t", 5), at("a", "u", 4), at("free", "t", 4)],
    [true, false, false, false],
  );
});
