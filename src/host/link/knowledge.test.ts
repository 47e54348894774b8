/** What a gateway checks for a server behind a pipe, as that server would over HTTP. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { utf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { readFrame, type RequestFrame, type ResponseFrame } from "../../wire/frame.ts";
import { checkAgainst, checkEnvelope, concerns, gaveOut, learnt, nothingKnown } from "./knowledge.ts";

const version = "2026-07-28";
const envelope = {
  "io.modelcontextprotocol/protocolVersion": version,
  "io.modelcontextprotocol/clientCapabilities": {},
};

function request(params: object, method = "tools/call"): RequestFrame {
  const frame = readFrame(utf8(JSON.stringify({ jsonrpc: "2.0", id: 1, method, params })));
  assert.ok(frame.kind === "request");
  return frame;
}

function answer(result: object): ResponseFrame {
  const frame = readFrame(utf8(JSON.stringify({ jsonrpc: "2.0", id: 1, result })));
  assert.ok(frame.kind === "response");
  return frame;
}

const headers = (given: Readonly<Record<string, string>>) => (name: string) => given[name];
const code = (act: () => void): string => {
  try {
    act();
    return "passes";
  } catch (error) {
    assert.ok(error instanceof Refusal, String(error));
    return error.code;
  }
};

const envelopes: readonly (readonly [string, object, string | undefined, string])[] = [
  ["a whole one", { _meta: envelope }, version, "passes"],
  ["a legacy request", {}, "2025-11-25", "passes"],
  ["a legacy request without a header", {}, undefined, "passes"],
  ["a modern header without _meta", {}, version, "bad_envelope"],
  ["a modern header without a version in _meta", { _meta: { a: 1 } }, version, "bad_envelope"],
  [
    "no capabilities",
    { _meta: { "io.modelcontextprotocol/protocolVersion": version } },
    version,
    "bad_envelope",
  ],
];
for (const [what, params, header, expected] of envelopes) {
  test(`the envelope, ${what}: ${expected}`, () => {
    const given = header === undefined ? {} : { "mcp-protocol-version": header };
    assert.equal(
      code(() => checkEnvelope(request(params), headers(given))),
      expected,
    );
  });
}

test("a version the server doesn't have is refused once it has said which it has", () => {
  const asked = request(
    { _meta: { ...envelope, "io.modelcontextprotocol/protocolVersion": "v999" } },
    "tools/list",
  );
  assert.equal(
    code(() => checkAgainst(nothingKnown, asked, headers({}))),
    "passes",
  );
  const known = learnt(nothingKnown, "server/discover", answer({ supportedVersions: [version] }));
  assert.equal(
    code(() => checkAgainst(known, asked, headers({}))),
    "unsupported_version",
  );
  assert.equal(
    code(() => checkAgainst(known, request({ _meta: envelope }), headers({}))),
    "passes",
  );
});

const properties = {
  region: { type: "string", "x-mcp-header": "Region" },
  size: { type: "integer", "x-mcp-header": "Size" },
};
const tools = [{ name: "pay", inputSchema: { type: "object", properties } }];
const known = learnt(nothingKnown, "tools/list", answer({ tools }));

const calls: readonly (readonly [string, object, Readonly<Record<string, string>>, string])[] = [
  ["both the same", { region: "eu", size: 3 }, { "mcp-param-region": "eu", "mcp-param-size": "3" }, "passes"],
  ["a number in another spelling", { size: 3 }, { "mcp-param-size": "3.0" }, "passes"],
  ["neither", {}, {}, "passes"],
  ["null, which has no header", { region: null }, {}, "passes"],
  ["wrapped in base64", { region: "é" }, { "mcp-param-region": "=?base64?w6k=?=" }, "passes"],
  ["another value", { region: "eu" }, { "mcp-param-region": "us" }, "header_mismatch"],
  ["the header missing", { region: "eu" }, {}, "header_mismatch"],
  ["the argument missing", {}, { "mcp-param-region": "eu" }, "header_mismatch"],
  ["wrapped wrongly", { region: "eu" }, { "mcp-param-region": "=?base64?%%?=" }, "header_mismatch"],
  ["an empty header without an argument", {}, { "mcp-param-region": "" }, "header_mismatch"],
];
for (const [what, args, given, expected] of calls) {
  test(`arguments and their headers, ${what}: ${expected}`, () => {
    const called = request({ name: "pay", arguments: args, _meta: envelope });
    assert.equal(
      code(() => checkAgainst(known, called, headers(given))),
      expected,
    );
  });
}

test("nothing is learnt from an answer that isn't what it should be", () => {
  for (const result of [{}, { tools: 1 }, { supportedVersions: "x" }, { tools: [null, 1, { name: 2 }] }]) {
    assert.equal(learnt(nothingKnown, "tools/list", answer(result)).parameters.size, 0);
    assert.equal(learnt(nothingKnown, "server/discover", answer(result)).versions?.length ?? 0, 0);
  }
  for (const taskId of [undefined, 1, null, ["t"], "t".repeat(8193)])
    assert.equal(learnt(nothingKnown, "tools/call", answer({ resultType: "task", taskId })).tasks.size, 0);
});

test("of the tasks a server began, the newest 1024 are told apart from others'", () => {
  const begun = Array.from({ length: 1025 }, (_, i) => answer({ resultType: "task", taskId: `t${i}` }));
  const known = begun.reduce((known, each) => learnt(known, "tools/call", each), nothingKnown);
  const about = (taskId: string): readonly boolean[] => [
    ...["tasks/get", "tasks/update", "tasks/cancel"].map((method) =>
      concerns(known, request({ taskId }, method)),
    ),
    concerns(known, request({ notifications: { taskIds: ["other", taskId] } }, "subscriptions/listen")),
  ];
  assert.deepEqual(about("t1024"), [true, true, true, true]);
  assert.deepEqual(about("t1"), [true, true, true, true]);
  assert.deepEqual(about("t0"), [false, false, false, false]);
  for (const notifications of [undefined, null, [], { taskIds: "t1" }, { taskIds: [1] }])
    assert.equal(concerns(known, request({ notifications }, "subscriptions/listen")), false);
  assert.equal(concerns(known, request({ name: "pay", taskId: "t1" })), false, "no method about tasks");
});

test("a server's own state is told from others', however it is spelled", () => {
  const asks = (requestState: unknown): ResponseFrame =>
    answer({ resultType: "input_required", requestState });
  const known = learnt(nothingKnown, "tools/call", asks("sealed/é"));
  const brings = (requestState: unknown): boolean => gaveOut(known, request({ name: "pay", requestState }));
  assert.equal(brings("sealed/é"), true);
  const escaped = readFrame(
    utf8('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"requestState":"sealed\\/\\u00e9"}}'),
  );
  assert.equal(escaped.kind === "request" && gaveOut(known, escaped), true);
  for (const other of ["sealed", "", null, 1, undefined, { sealed: "é" }]) assert.equal(brings(other), false);
  for (const other of [null, 1, undefined, ["sealed/é"]])
    assert.equal(learnt(nothingKnown, "tools/call", asks(other)).states.size, 0);
  const many = Array.from({ length: 1024 }, (_, i) => asks(`s${i}`));
  const later = many.reduce((known, each) => learnt(known, "tools/call", each), known);
  assert.equal(gaveOut(later, request({ requestState: "s0" })), true);
  assert.equal(gaveOut(later, request({ requestState: "sealed/é" })), false, "the oldest is forgotten");
});
