/** The calling end against a serving end that does as a test says: what passes, what doesn't, and what is said of it. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";

import { messageEnd } from "../../../test/support/message-ends.ts";
import {
  error,
  result,
  type Script,
  scriptedEnd,
  type ScriptedEnd,
  streamAnswer,
  wholeAnswer,
} from "../../../test/support/scripted-end.ts";
import { readClaims } from "../../integrity/claims.ts";
import { envelopePlace, payloadOf, readEnvelope } from "../../integrity/envelope.ts";
import { messageKeysMethod } from "../../integrity/extension-methods.ts";
import { rawDigest } from "../../integrity/long-answers.ts";
import { concat, utf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { systemClock } from "../system.ts";
import type { HttpAnswer, HttpRequest } from "../net/http-exchange.ts";
import { openPins } from "../store/state-pins.ts";
import { type CallingEnd, callingEnd } from "./calling-end.ts";
import { type CallingSettings, faultReports } from "./calling-options.ts";

const caller = "spiffe://acme.test/agent/one";
const serverId = "spiffe://acme.test/server/echo";
const serverEnd = { id: serverId, ...messageEnd() };
const otherEnd = { id: serverId, ...messageEnd() };
const callerEnd = messageEnd();

interface Scene {
  readonly end: CallingEnd;
  readonly server: ScriptedEnd;
  readonly log: readonly (readonly [event: string, fault: unknown])[];
  readonly pins: ReturnType<typeof openPins>;
  /** Another sidecar of the same state, in front of another server. */
  readonly again: (server: ScriptedEnd, settings?: Partial<CallingSettings>) => CallingEnd;
  readonly ask: (message: object, session?: string) => Promise<string>;
}

const folder = mkdtempSync(path.join(tmpdir(), "latticegate-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let scenes = 0;

const offered: CallingSettings = { use: "offered", mode: "auto", pins: "first-use", acceptsChanges: false };

function scene(script: Script = {}, settings: Partial<CallingSettings> = {}): Scene {
  const server = scriptedEnd(serverEnd, caller, script);
  const pins = openPins(path.join(folder, `${(scenes += 1)}.sqlite`));
  const log: [string, unknown][] = [];
  const note = (event: string, fields: object = {}): void =>
    void log.push([event, "fault" in fields ? fields.fault : undefined]);
  let ledTo: string | undefined;
  const again: Scene["again"] = (to, other = {}) =>
    callingEnd({
      issuer: caller,
      signers: [callerEnd.signers["ML-DSA-65"], callerEnd.signers["ML-DSA-87"]],
      name: "echo",
      target: serverId,
      ledTo: () => ledTo,
      lead: (issuer) => (ledTo = issuer),
      pins,
      hasSigned: () => ledTo !== undefined && pins.of(ledTo) !== undefined,
      settings: { ...offered, ...settings, ...other },
      faults: faultReports(),
      send: (request) => to.send(request),
      isCall: ({ path }) => path === "/mcp/echo",
      clients: "many",
      maxEventBytes: 1 << 26,
      clock: systemClock,
      log: { error: note, warn: note, info: note, debug: note },
    });
  const end = again(server);
  const ask: Scene["ask"] = async (message, session) =>
    await textOf(await end.exchange(post(message, session)));
  return { end, server, log, pins, again, ask };
}

function post(message: object | string, session?: string): HttpRequest {
  const headers = ["content-type", "application/json"];
  if (session !== undefined) headers.push("mcp-session-id", session);
  const body = utf8(typeof message === "string" ? message : JSON.stringify(message));
  return { method: "POST", path: "/mcp/echo", headers, body };
}

async function textOf(answer: HttpAnswer): Promise<string> {
  const bytes = answer.kind === "whole" ? answer.body : concat(await Array.fromAsync(answer.chunks));
  return Buffer.from(bytes).toString();
}

const toolCall = {
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: { name: "pay", arguments: { n: 1 } },
};
const list = { jsonrpc: "2.0", id: 2, method: "tools/list" };
const spelled = '{"result" : {"content":[ ],"n":1.0},\t"jsonrpc":"2.0","id":1}';

async function refused(asking: Promise<unknown>, fault: string): Promise<void> {
  await assert.rejects(asking, (thrown) => {
    assert.ok(thrown instanceof Refusal, String(thrown));
    assert.equal(thrown.facts["signature_fault"], fault);
    return true;
  });
}

test("a call of a tool leaves signed directly, a list as a promise, and the server sees neither", async () => {
  const { ask, server, end } = scene();
  await ask(toolCall);
  await ask(list);
  assert.deepEqual(
    server.arrived.map(({ method, proof, fault }) => [method, proof?.mode, fault]),
    [
      ["tools/call", "direct", undefined],
      ["tools/list", "batched", undefined],
    ],
  );
  assert.deepEqual(
    server.arrived.map(({ body }) => body),
    [JSON.stringify(toolCall), JSON.stringify(list)],
  );
  await end.stop();
});

for (const isStream of [false, true]) {
  test(`the client gets the bytes its server wrote, ${isStream ? "in events" : "whole"}`, async () => {
    const { ask } = scene({ answer: () => spelled, isStream });
    assert.equal(await ask(toolCall), isStream ? `data: ${spelled}\n\n` : spelled);
  });
}

test("a tool that the operator calls read-only is called with a promise", async () => {
  const modes = { default: "direct", readOnly: ["pa*"] } as const;
  const { ask, server, end } = scene({ modes });
  await ask(toolCall);
  assert.equal(server.arrived[0]?.proof?.mode, "batched");
  await end.stop();
});

test("what is promised is attested within the second, in one statement, and when the sidecar ends at the latest", async () => {
  const { ask, server, end } = scene();
  await Promise.all([ask(list), ask(list), ask(list)]);
  assert.equal(server.attestations.length, 0);
  await end.stop();
  assert.deepEqual(
    server.attestations.map(({ range }) => [range.start, range.leaves.length]),
    [[0, 3]],
  );
});

const attacks: readonly (readonly [string, NonNullable<Script["leaving"]>, string])[] = [
  ["a flipped byte", (bytes) => swapped(bytes, '"content":[', '"Content":['), "tampered"],
  ["no signature", () => utf8(spelled), "stripped"],
  ["a signature that can't be read", (bytes) => swapped(bytes, '"jws":', '"jwt":'), "malformed"],
  ["an answer to another call", (bytes) => swapped(bytes, '"id":1', '"id":3'), "wrong_call"],
];

for (const isStream of [false, true]) {
  for (const [what, leaving, fault] of attacks) {
    test(`${what} isn't passed on, ${isStream ? "in events" : "whole"}`, async () => {
      const { ask, log } = scene({ answer: () => spelled, leaving, isStream });
      const asking = ask(toolCall);
      if (isStream) assert.doesNotMatch(await asking, /"n":1\.0/);
      else await refused(asking, fault);
      const faults = log.filter(([event]) => event === "answer.refused").map(([, name]) => name);
      assert.deepEqual(faults, [fault]);
    });
  }
}

function swapped(bytes: Uint8Array, from: string, to: string): Uint8Array {
  const text = Buffer.from(bytes).toString();
  assert.ok(text.includes(from));
  return utf8(text.replace(from, to));
}

test("the answers of two calls don't change places", async () => {
  let held: Uint8Array | undefined;
  const { ask } = scene({
    leaving: (signed) => {
      const before = held ?? signed;
      held = signed;
      return before;
    },
  });
  await ask(toolCall);
  await refused(ask(toolCall), "wrong_call");
});

test("a promise in the place of a signature isn't taken for a direct call's answer", async () => {
  const { ask } = scene({ weakens: true });
  await refused(ask(toolCall), "stripped");
});

test("what can only deny passes without a signature: errors, other statuses, what is no JSON", async () => {
  const denials: readonly HttpAnswer[] = [
    wholeAnswer('{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"no"}}'),
    wholeAnswer("<html>gone</html>", 502),
    wholeAnswer("", 404),
    wholeAnswer('{"error":"nope"}', 403),
    wholeAnswer('{"error":"no', 502),
    wholeAnswer("[error] gone\n", 502),
    wholeAnswer("The result is lost.", 500),
  ];
  for (const answer of denials) {
    const { end } = scene({ answer: () => answer });
    assert.deepEqual(await textOf(await end.exchange(post(toolCall))), await textOf(answer));
  }
  const { ask } = scene({ answer: () => streamAnswer(["[DONE]", "result"]) });
  assert.equal(await ask(toolCall), "data: [DONE]\n\ndata: result\n\n");
});

/** No answer in our reading, or another one, and a result of the call's in some client's. */
const results: readonly (readonly [string, string | Uint8Array])[] = [
  ["a list", '[{"jsonrpc":"2.0","id":1,"result":{}}]'],
  ["a byte order mark", `\uFEFF${spelled}`],
  ["UTF-16", Buffer.from(spelled, "utf16le")],
  ["a member in another case", '{"jsonrpc":"2.0","id":1,"Result":{}}'],
  ["a member with a long s", '{"jsonrpc":"2.0","id":1,"re\u017fult":{}}'],
  ["NaN", '{"jsonrpc":"2.0","id":1,"result":{"content":[],"x":NaN}}'],
  ["a comma too many", '{"jsonrpc":"2.0","id":1,"result":{"content":[],}}'],
  ["a word behind it", `${spelled} x`],
  ["an object behind it", `${spelled} {}`],
  ["a comment before it", `/**/${spelled}`],
  ["single quotes", "{'jsonrpc':'2.0','id':1,'result':{}}"],
  ["two ids", '{"jsonrpc":"2.0","id":1,"id":7,"result":{}}'],
  ["an id in another case", '{"jsonrpc":"2.0","Id":1,"id":7,"result":{}}'],
  ["another id", '{"jsonrpc":"2.0","id":7,"result":{}}'],
  [
    "an error, taken back",
    '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""},"Error":null,"Result":{}}',
  ],
  ["a method, taken back", '{"jsonrpc":"2.0","id":1,"method":"m","Method":"","Result":{}}'],
  [
    "a denial that is none for others",
    '{"jsonrpc":"2.0","id":1,"result":{"isError":true,"ISERROR":false,"_meta":{"dev.latticegate/authorization":{}}}}',
  ],
];

for (const [what, body] of results) {
  test(`what some reader could take for a result doesn't: ${what}`, async () => {
    const { end } = scene({ answer: () => wholeAnswer(body, 500) });
    await refused(end.exchange(post(toolCall)), "stripped");
    await end.stop();
  });
}

test("a result whose id readers take from different members passes on no stream of its own", async () => {
  const { end, server } = scene();
  await textOf(await end.exchange(post(toolCall, "s1")));
  const odd = ['{"jsonrpc":"2.0","Id":1,"result":{}}', '{"jsonrpc":"2.0","id":1,"id":7,"result":{}}'];
  server.script = { stream: () => streamAnswer([...odd, '{"jsonrpc":"2.0","id":3,"result":{}}']) };
  const listen: HttpRequest = { method: "GET", path: "/mcp/echo", headers: ["mcp-session-id", "s1"] };
  const passed = await textOf(await end.exchange(listen));
  assert.equal(passed, 'data: {"jsonrpc":"2.0","id":3,"result":{}}\n\n');
  await end.stop();
});

test("an answer that can't be signed passes when the serving end says its digest, and else doesn't", async () => {
  const twice = '{"jsonrpc":"2.0","id":1,"result":{},"result":{"a":1}}';
  const digestOf = (text: string): string => {
    const digest = rawDigest();
    digest.update(utf8(text));
    return digest.end();
  };
  for (const [said, fault] of [
    [twice, undefined],
    [spelled, "tampered"],
    [undefined, "stripped"],
  ] as const) {
    const { end, server } = scene({
      answer: (_frame, proof) => {
        if (said !== undefined) server.long.set(proof?.nonce ?? "", digestOf(said));
        return wholeAnswer(twice);
      },
    });
    const asking = end.exchange(post(toolCall)).then(textOf);
    if (fault === undefined) assert.equal(await asking, twice);
    else await refused(asking, fault);
    await end.stop();
  }
});

test("a long answer's last piece waits for its digest; without it the answer breaks off", async () => {
  const pieces = Array.from({ length: 40 }, (_, i) => utf8(`${i === 0 ? "{" : ""}${"x".repeat(64 * 1024)}`));
  const digest = rawDigest();
  for (const piece of pieces) digest.update(piece);
  const right = digest.end();
  for (const said of [right, `raw-sha-256:${"A".repeat(43)}`]) {
    const { end, server } = scene({
      answer: (_frame, proof) => {
        server.long.set(proof?.nonce ?? "", said);
        return { kind: "long", status: 200, headers: [], chunks: iterated(pieces) };
      },
    });
    const answer = await end.exchange(post(toolCall));
    let count = 0;
    const reading = (async () => {
      if (answer.kind === "long") for await (const _ of answer.chunks) count += 1;
    })();
    if (said === right) await reading;
    else await refused(reading, "tampered");
    assert.equal(count, said === right ? pieces.length : pieces.length - 1);
    await end.stop();
  }
});

/** Marks before it that come in pieces of their own, as a result that is too long to be read. */
const marks: readonly (readonly [string, readonly Uint8Array[]])[] = [
  ["a byte order mark in two pieces", [new Uint8Array([0xef]), new Uint8Array([0xbb, 0xbf])]],
  ["an empty piece", [new Uint8Array(0)]],
  ["more space than is looked at", [utf8(" ".repeat(2000)), utf8("\n")]],
];

for (const [what, before] of marks) {
  test(`a long answer is asked for with ${what} before it`, async () => {
    const pieces = [...before, utf8('{"jsonrpc":"2.0","id":1,"result":{"x":"'), utf8("x".repeat(1_300_000))];
    const long = (): HttpAnswer => ({ kind: "long", status: 200, headers: [], chunks: iterated(pieces) });
    const { end, ask, again } = scene({ answer: long });
    await refused(ask(toolCall), "stripped");
    const mute = scriptedEnd(serverEnd, caller, { extension: () => wholeAnswer("", 500), answer: long });
    await refused(again(mute).exchange(post(toolCall)).then(textOf), "stripped");
    await end.stop();
  });
}

test("a long page of an end that has signed, and can't be asked, passes as it came", async () => {
  const pieces = ["<", "html>".repeat(1000), "{".repeat(1_300_000)].map(utf8);
  const { ask, again } = scene();
  await ask(toolCall);
  const mute = scriptedEnd(serverEnd, caller, {
    extension: () => wholeAnswer("", 500),
    answer: () => ({ kind: "long", status: 502, headers: [], chunks: iterated(pieces) }),
  });
  assert.equal(
    await textOf(await again(mute).exchange(post(toolCall))),
    Buffer.from(concat(pieces)).toString(),
  );
});

async function* iterated(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}

test("a server that never signed is asked once, and answers as it did", async () => {
  const { ask, server, log } = scene({
    extension: (_answer, frame) => wholeAnswer(error(frame, -32601, "Method not found")),
    answer: () => spelled,
  });
  assert.equal(await ask(toolCall), spelled);
  assert.equal(await ask(toolCall), spelled);
  assert.deepEqual(
    server.arrived.map(({ proof }) => proof),
    [undefined, undefined],
  );
  assert.deepEqual(log, []);
});

test("a server that has signed can't stop: not by silence, not by another answer to the question", async () => {
  const { ask, again } = scene();
  await ask(toolCall);
  const silent = scriptedEnd(serverEnd, caller, {
    extension: (_answer, frame) => wholeAnswer(error(frame, -32601, "Method not found")),
  });
  await refused(again(silent).exchange(post(toolCall)), "stripped");
  assert.equal(silent.arrived.length, 0, "nothing was sent");
  for (const [, body] of [["as it is", spelled] as const, ...results]) {
    const broken = scriptedEnd(serverEnd, caller, {
      extension: () => wholeAnswer("", 500),
      answer: () => wholeAnswer(body),
    });
    await refused(again(broken).exchange(post(toolCall)), "stripped");
  }
});

test("where signatures are required, a server that never signed isn't called", async () => {
  const { ask, server } = scene(
    { extension: (_answer, frame) => wholeAnswer(error(frame, -32601, "Method not found")) },
    { use: "required" },
  );
  await refused(ask(toolCall), "stripped");
  assert.equal(server.arrived.length, 0);
});

test("other keys under a pinned name are refused until they are approved", async () => {
  const { ask, again, pins } = scene();
  await ask(toolCall);
  const impostor = scriptedEnd(otherEnd, caller);
  await refused(again(impostor).exchange(post(toolCall)), "unknown_key");
  assert.equal(impostor.arrived.length, 0);
  pins.approve(serverId, otherEnd.keySet.fingerprint, Date.now());
  assert.equal(await textOf(await again(impostor).exchange(post(toolCall))), result(frame1, {}));
});

test("another end than the one that answered before is refused, whatever its keys", async () => {
  const { ask, again, pins } = scene();
  await ask(toolCall);
  const elsewhere = scriptedEnd({ ...otherEnd, id: "spiffe://acme.test/server/other" }, caller);
  await refused(again(elsewhere).exchange(post(toolCall)), "wrong_issuer");
  pins.approve("spiffe://acme.test/server/other", otherEnd.keySet.fingerprint, Date.now());
  await refused(again(elsewhere).exchange(post(toolCall)), "wrong_issuer");
  pins.forget(serverId, Date.now());
  assert.equal(await textOf(await again(elsewhere).exchange(post(toolCall))), result(frame1, {}));
});

test("with `--pins approved`, keys count once somebody has approved them, also before they were seen", async () => {
  const { ask, pins, server } = scene({}, { pins: "approved" });
  await refused(ask(toolCall), "unknown_key");
  pins.approve(serverId, serverEnd.keySet.fingerprint, Date.now());
  const { again } = { again: scene({}, { pins: "approved" }) };
  again.pins.approve(serverId, serverEnd.keySet.fingerprint, Date.now());
  assert.equal(await again.ask(toolCall), result(frame1, {}));
  assert.equal(server.arrived.length, 0);
});

test("a statement that says something else than an answer cuts the route, until its keys are approved again", async () => {
  const { end, ask, server, pins, log } = scene({ forges: true });
  await ask(list);
  await end.stop();
  assert.equal(pins.of(serverId)?.state, "cut");
  assert.ok(log.some(([event, fault]) => event === "route.cut" && fault === "wrong_batch"));
  await refused(ask(list), "wrong_batch");
  server.script = {};
  pins.approve(serverId, serverEnd.keySet.fingerprint, Date.now());
  await new Promise((resolve) => setTimeout(resolve, 1100));
  await ask(list);
});

test("a refusal that says what would do is heeded once", async () => {
  const say = (reason: string, more: object): object => ({
    error: {
      code: -31403,
      message: "no",
      data: { "dev.latticegate/authorization": { reason, remediation: "available", ...more } },
    },
  });
  const needs = [
    [say("signature_required", { need: { mode: "direct", alg: "ML-DSA-87" } }), list, ["batched", "direct"]],
    [
      say("signature_refused", { fault: "stale", need: { mode: "direct", not_before: 5 } }),
      toolCall,
      ["direct", "direct"],
    ],
    [say("signature_refused", { fault: "unknown_key" }), toolCall, ["direct", "direct"]],
    [say("signature_refused", { fault: "replayed" }), toolCall, ["direct"]],
  ] as const;
  for (const [refusal, message, modes] of needs) {
    const { ask, server, end } = scene({ refuse: () => refusal });
    assert.match(await ask(message), /"code":-31403/);
    assert.deepEqual(
      server.arrived.map(({ proof }) => proof?.mode),
      modes,
    );
    await end.stop();
  }
});

test("an end that begins anew, once and again while a call waits, gets it in the end; the next call isn't refused first", async () => {
  const nowUnixS = Math.floor(Date.now() / 1000);
  const refusals = [
    refusing({ fault: "unknown_key" }),
    ...[5, 10, 15].map((aheadS) => staleBefore(nowUnixS + aheadS)),
  ];
  const { ask, server, end } = scene({ refuse: () => refusals.shift() });
  assert.match(await ask(toolCall), /"result"/);
  assert.equal(server.arrived.length, 5);
  assert.match(await ask(toolCall), /"result"/);
  assert.equal((server.arrived[5]?.proof?.signedAtUnixMs ?? 0) / 1000, nowUnixS + 15);
  refusals.push(...[20, 25, 30, 35, 40].map((aheadS) => staleBefore(nowUnixS + aheadS)));
  assert.match(await ask(toolCall), /"code":-31403/, "not for ever");
  await end.stop();
});

function staleBefore(notBeforeUnixS: number): object {
  return refusing({ fault: "stale", need: { mode: "direct", not_before: notBeforeUnixS } });
}

function refusing(why: object): object {
  const refusal = { reason: "signature_refused", remediation: "available", ...why };
  return { error: { code: -31403, message: "no", data: { "dev.latticegate/authorization": refusal } } };
}

/** What an end whose clock is ahead finds stale at first, and how far ahead what comes then is signed. */
for (const [aheadS, signsAheadS] of [
  [45, 45],
  [600, 0],
] as const) {
  test(`calls and questions are signed ${signsAheadS} s ahead for a clock ${aheadS} s ahead`, async () => {
    const nowUnixS = Math.floor(Date.now() / 1000);
    const stale = staleBefore(nowUnixS + aheadS);
    const questions: number[] = [];
    const { ask, server, end } = scene({
      refuse: () => (server.arrived.length === 1 ? stale : undefined),
      extension: (answer, frame) => {
        if (frame.method !== messageKeysMethod) return answer;
        const place = envelopePlace(frame);
        const envelope = place && readEnvelope(frame.bytes, place);
        questions.push((envelope && readClaims(payloadOf(envelope))?.issuedAtUnixS) ?? 0);
        return questions.length > 1
          ? answer
          : wholeAnswer(JSON.stringify({ jsonrpc: "2.0", id: frame.id, ...stale }));
      },
    });
    await ask(toolCall);
    const calls = server.arrived.map(({ proof }) => (proof?.signedAtUnixMs ?? 0) / 1000);
    const isAhead = (signedUnixS = 0): boolean => Math.abs(signedUnixS - nowUnixS - signsAheadS) < 10;
    assert.ok(isAhead(questions[1]), questions.join(" "));
    assert.ok(isAhead(calls.at(-1)), calls.join(" "));
    assert.equal(calls.length, signsAheadS > 0 ? 2 : 1);
    await end.stop();
  });
}

test("a client that speaks of the extension itself sees the signature, and what was found", async () => {
  const meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {
      extensions: { "dev.latticegate/message-signature": { v: 1 } },
    },
  };
  const modern = { ...toolCall, params: { ...toolCall.params, _meta: meta } };
  const { ask } = scene({ answer: () => spelled });
  const answer = JSON.parse(await ask(modern)) as { result: { _meta: Record<string, unknown> } };
  const { _meta: found } = answer.result;
  assert.deepEqual(found["dev.latticegate/answer"], {
    signed: serverId,
    mode: "direct",
    alg: "ML-DSA-65",
    pin: "first-use",
  });
  assert.ok("dev.latticegate/sig" in found);
});

const initialize = {
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: {
    protocolVersion: "2025-11-25",
    capabilities: { roots: {} },
    clientInfo: { name: "c", version: "1" },
  },
};
const greeting =
  '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25", "capabilities":{"tools":{}}}}';

test("a handshake offers signatures and hides the answer to that; one from which it was taken is refused", async () => {
  const { ask, server } = scene({ answer: () => greeting });
  assert.equal(await ask(initialize), greeting);
  assert.equal(server.arrived[0]?.body, JSON.stringify(initialize));
  const stripped = scene({ answer: () => greeting, leaving: () => utf8(greeting) });
  await refused(stripped.ask(initialize), "stripped");
});

test("an unsigned result on a stream of its own passes only if nobody waits for it", async () => {
  const unsigned = '{"jsonrpc":"2.0","id":1,"result":{"evil":true}}';
  const { end, server } = scene();
  const opened = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<HttpAnswer>();
  server.script = { late: answered.promise, onCall: opened.resolve };
  const asking = end.exchange(post(toolCall, "s1"));
  await opened.promise;
  const listen: HttpRequest = { method: "GET", path: "/mcp/echo", headers: ["mcp-session-id", "s1"] };
  server.script = { ...server.script, stream: () => streamAnswer([unsigned]) };
  assert.equal(await textOf(await end.exchange(listen)), "");
  answered.resolve(wholeAnswer("", 500));
  await asking;
  assert.match(await textOf(await end.exchange(listen)), /"id":1/);
});

test("a question that fails isn't taken for an answer: the call wasn't sent, and can be", async () => {
  const { end, server } = scene({ extension: () => undefined });
  await assert.rejects(end.exchange(post(toolCall)));
  assert.equal(server.arrived.length, 0);
});

test("what a client signs itself, or asks about signatures, passes as it is, and so do its answers", async () => {
  const own = { ...toolCall, params: { ...toolCall.params, _meta: { "dev.latticegate/sig": { v: 1 } } } };
  const { ask, server } = scene({ answer: () => wholeAnswer(spelled) });
  assert.equal(await ask(own), spelled);
  assert.equal(server.arrived.length, 1);
  assert.match(await ask({ jsonrpc: "2.0", id: 9, method: messageKeysMethod, params: {} }), /"id":9/);
});

const frame1 = { id: 1 } as Parameters<typeof result>[0];
