/** What a caller sees of a refusal or a fault: its code and its public text, or an id; never more. The log is told the rest. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { utf8 } from "../kernel/bytes.ts";
import type { LogFields } from "../kernel/log.ts";
import { Refusal, type RefusalCode } from "../kernel/refusal.ts";
import { readFrame } from "../wire/frame.ts";
import type { Read, Received } from "./call.ts";
import { logRefusal, refusedAnswer } from "./refuse.ts";

const unused = (): never => assert.fail("a refusal is told by its answer, not by the reply");

const received: Received = {
  id: "call-1",
  atUnixMs: 0,
  channel: {
    group: "X25519MLKEM768",
    keyExchange: "hybrid",
    level: 3,
    version: "TLSv1.3",
    profile: "hybrid",
    peer: {
      kind: "svid",
      keyAlgorithm: "ML-DSA-65",
      spiffeId: "spiffe://acme.test/agent/a",
      serial: "01ab",
      issuer: "root",
      notAfterUnixMs: 1,
    },
    remote: "127.0.0.1:1",
  },
  server: "files",
  verb: "POST",
  header: unused,
  headers: [],
  body: new Uint8Array(0),
  reply: {
    whole: unused,
    open: unused,
    write: unused,
    close: unused,
    cut: unused,
    gone: new AbortController().signal,
  },
};

/** The call once `message` was read. */
function call(message: object): Received & Partial<Read> {
  const body = utf8(JSON.stringify({ jsonrpc: "2.0", ...message }));
  return { ...received, body, frame: readFrame(body) };
}

function request(method: string, params: object = {}, id: string | number = 7): Received & Partial<Read> {
  return call({ id, method, params });
}

const modern = { _meta: { "io.modelcontextprotocol/protocolVersion": "2026-07-28" } };
const authorization = { reason: "insufficient_authorization", remediation: "unavailable" };
const denial = new Refusal("denied", "Only pharmacists may.", {
  facts: { rule: "canary-fact" },
  cause: new Error("canary-cause"),
});

/** Status and parsed body; every answer is one JSON-RPC message, and says so. */
function shown(
  given: Received & Partial<Read>,
  error: unknown,
): { status: number; body: unknown; text: string } {
  const { status, headers, body } = refusedAnswer(given, error);
  assert.deepEqual(headers, ["content-type", "application/json"]);
  const text = new TextDecoder("utf-8", { fatal: true }).decode(body);
  const parsed = JSON.parse(text) as { jsonrpc?: unknown };
  assert.equal(parsed.jsonrpc, "2.0");
  return { status, body: parsed, text };
}

test("a fault is an internal error with the call's id, and shows nothing of what broke", () => {
  const faults: readonly unknown[] = [
    new Error("canary", { cause: new Error("canary") }),
    new TypeError("canary"),
    Object.assign(new Error("canary"), { code: "denied", facts: { x: "canary" } }),
    { name: "Refusal", code: "denied", message: "canary", facts: {} },
    "canary",
    undefined,
    null,
  ];
  for (const given of [received, request("tools/call", { name: "canary" }, "r-1")]) {
    for (const fault of faults) {
      const { status, body, text } = shown(given, fault);
      assert.equal(status, 500);
      const id = given === received ? null : "r-1";
      assert.deepEqual(body, {
        jsonrpc: "2.0",
        id,
        error: { code: -32603, message: "Internal error call-1" },
      });
      assert.ok(!text.includes("canary"));
    }
  }
});

test("whatever is thrown, the answer is the same fault", () => {
  const expected = refusedAnswer(received, new Error("any"));
  fc.assert(
    fc.property(fc.anything(), (thrown) => assert.deepEqual(refusedAnswer(received, thrown), expected)),
  );
});

// MCP 2026-07-28 transports, status mapping; JSON-RPC 2.0 §5.1.
const codes: readonly (readonly [RefusalCode, number, number])[] = [
  ["bad_json", 400, -32700],
  ["bad_message", 400, -32600],
  ["header_mismatch", 400, -32020],
  ["too_large", 413, -32600],
  ["no_identity", 401, -31401],
  ["no_such_server", 403, -31404],
  ["no_such_session", 404, -31404],
  ["busy", 503, -31503],
  ["journal_unavailable", 503, -31503],
  ["upstream_failed", 502, -31502],
  ["upstream_timeout", 504, -31504],
];
for (const [code, status, rpc] of codes) {
  test(`${code} is status ${status} and error ${rpc} with its public text, without facts or cause`, () => {
    const refusal = new Refusal(code, "What to do.", {
      facts: { serial: "canary-fact" },
      cause: new Error("canary-cause"),
    });
    for (const given of [request("tools/call", { name: "read" }), request("tools/call", modern)]) {
      const answered = shown(given, refusal);
      assert.equal(answered.status, status);
      assert.deepEqual(answered.body, {
        jsonrpc: "2.0",
        id: 7,
        error: { code: rpc, message: "What to do." },
      });
    }
  });
}

const results: readonly (readonly [string, object, object])[] = [
  ["legacy", { name: "read" }, {}],
  ["modern", { name: "read", ...modern }, { resultType: "complete" }],
];
for (const [era, params, extra] of results) {
  for (const id of [7, 0, -1, "r-1", ""]) {
    test(`a denied ${era} tool call with the id ${JSON.stringify(id)} is a tool result that says so`, () => {
      const { status, body } = shown(request("tools/call", params, id), denial);
      assert.equal(status, 200);
      assert.deepEqual(body, {
        jsonrpc: "2.0",
        id,
        result: {
          ...extra,
          content: [{ type: "text", text: "Denied by policy: Only pharmacists may." }],
          isError: true,
          _meta: { "dev.latticegate/authorization": authorization },
        },
      });
    });
  }
}

const errors: readonly (readonly [string, Received & Partial<Read>, number])[] = [
  ["a denied resource", request("resources/read", { uri: "file:///x" }), 200],
  ["a denied prompt", request("prompts/get", { name: "x" }), 200],
  ["a denied resource of the modern era", request("resources/read", { uri: "file:///x", ...modern }), 200],
  ["a list that is denied, since nothing of the server is allowed", request("tools/list"), 403],
  ["a denied handshake", request("initialize", { protocolVersion: "2025-11-25" }), 403],
  ["a denied method without params", call({ id: 7, method: "ping" }), 403],
];
for (const [what, given, status] of errors) {
  test(`${what} is an error with status ${status}, and not a result`, () => {
    const answered = shown(given, denial);
    assert.equal(answered.status, status);
    assert.deepEqual(answered.body, {
      jsonrpc: "2.0",
      id: 7,
      error: {
        code: -31403,
        message: "Only pharmacists may.",
        data: { "dev.latticegate/authorization": authorization },
      },
    });
  });
}

test("an error is about the request's own id, also where that is zero or empty", () => {
  for (const id of [0, "", "0", "r-1"]) {
    for (const error of [denial, new Refusal("busy", "Later."), new Error("any")]) {
      const { body } = shown(request("tools/list", {}, id), error);
      assert.strictEqual((body as { id?: unknown }).id, id);
    }
  }
});

const withoutRequest: readonly (readonly [string, Received & Partial<Read>])[] = [
  ["a call that was never read", received],
  ["a stream that was asked for", { ...received, verb: "GET" }],
  ["a notification", call({ method: "notifications/initialized" })],
  ["a tool call that is a notification", call({ method: "tools/call", params: { name: "read" } })],
  ["an answer to the server", call({ id: 7, result: {} })],
];
for (const [what, given] of withoutRequest) {
  test(`${what} is no request: denied by status, with no id and no result`, () => {
    const { status, body } = shown(given, denial);
    assert.equal(status, 403);
    assert.deepEqual(body, {
      jsonrpc: "2.0",
      id: null,
      error: { code: -31403, message: "Only pharmacists may." },
    });
  });
}

test("no denial shows facts or cause, or repeats what was asked for", () => {
  const asked = { name: "canary-name", uri: "canary-uri", arguments: { secret: "canary-argument" } };
  for (const method of ["tools/call", "resources/read", "prompts/get", "tools/list"]) {
    assert.ok(!shown(request(method, { ...asked, ...modern }), denial).text.includes("canary"), method);
  }
});

test("a reason of any text is told as it was written, and breaks no message", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (because) => {
      const { body } = shown(request("tools/call", { name: "read" }), new Refusal("denied", because));
      const { result } = body as { result: { content: readonly { text: string }[] } };
      assert.equal(result.content[0]?.text, `Denied by policy: ${because}`);
    }),
  );
});

test("a refusal's data is for the caller, where it has some", () => {
  const refusal = new Refusal("header_mismatch", "No.", { data: { supported: ["2026-07-28"] } });
  assert.deepEqual(shown(request("ping"), refusal).body, {
    jsonrpc: "2.0",
    id: 7,
    error: { code: -32020, message: "No.", data: { supported: ["2026-07-28"] } },
  });
});

/** What the log is told of `error`, line by line. */
function logged(error: unknown): readonly (readonly [string, string, LogFields | undefined])[] {
  const lines: (readonly [string, string, LogFields | undefined])[] = [];
  const line = (level: string) => (event: string, fields?: LogFields) =>
    void lines.push([level, event, fields]);
  const log = { error: line("error"), warn: line("warn"), info: line("info"), debug: line("debug") };
  logRefusal(request("tools/call", { name: "canary", arguments: { secret: "canary" } }), error, log);
  return lines;
}

const about = { callId: "call-1", caller: "spiffe://acme.test/agent/a", server: "files" };

test("the log is told in one line what the caller may not know, and nothing of what was asked", () => {
  const facts = { reason: "gone" };
  assert.deepEqual(logged(new Refusal("denied", "No.", { facts })), [
    ["info", "call.refused", { ...about, code: "denied", ...facts }],
  ]);
  assert.deepEqual(logged(new Refusal("journal_unavailable", "No.", { facts })), [
    ["error", "call.unrecorded", { ...about, ...facts }],
  ]);
  const fault = new TypeError("broken");
  assert.deepEqual(logged(fault), [["error", "call.fault", { ...about, stack: fault.stack }]]);
  assert.deepEqual(logged("canary"), [["error", "call.fault", { ...about, stack: "not an error" }]]);
});
