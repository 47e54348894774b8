/** Who may bring whose messages, and what is remembered of who signs: with a relay, as behind a gateway. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { claimsOf, envelopeIn, frameOf, messageEnd, withEnvelope } from "../../test/support/message-ends.ts";
import { type Claims, requestDigest } from "../integrity/claims.ts";
import { checkMessage, signDirect } from "../integrity/message-signature.ts";
import { replayWindow } from "../integrity/replay.ts";
import { fromUtf8, utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { readFrame } from "../wire/frame.ts";
import type { Confirmed, Journaled } from "./call.ts";
import { open } from "./open.ts";
import type { Signatures } from "./ports.ts";
import { seal } from "./seal.ts";
import { makeWorld, type PinnedSigners, type SignatureTerms, type World } from "./world.ts";

const gateway = "spiffe://a.test/gateway";
const agent = "spiffe://a.test/agent/x";
const server = "spiffe://a.test/server/files";
const now = 1_795_000_000_000;
const ends = { gateway: messageEnd(), agent: messageEnd(), server: messageEnd() };
const called = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"write"}}';
const answered = '{"jsonrpc":"2.0","id":1,"result":{"content":[]}}';
let nonces = 0;

/** What an end remembers, and nothing of what it says. */
function memory(): Signatures & { readonly marked: string[] } {
  const window = replayWindow(now - 10_000);
  const marked: string[] = [];
  const unused = (): never => assert.fail("not asked for here");
  return {
    marked,
    id: server,
    keySet: (fingerprint) =>
      Object.values(ends).find(({ keySet }) => keySet.fingerprint === fingerprint)?.keySet,
    notBeforeUnixMs: window.notBeforeUnixMs,
    nowUnixMs: () => now,
    take: (proof, _to, at) => {
      const seen = window.reserve(proof, at);
      if (seen === "reserved") return undefined;
      return seen === "full" ? "busy" : seen;
    },
    release: window.release,
    isSuspended: () => false,
    signs: (name) => void marked.push(name),
    unanswered: { note: unused, take: unused },
    sign: unused,
    noteLong: unused,
    answer: unused,
    pass: unused,
  };
}

const terms: SignatureTerms = {
  use: "offered",
  end: "serving",
  audience: server,
  relays: [gateway],
  mode: "auto",
  readOnly: ["look"],
  acceptsChanges: false,
};

function worldWith(
  more: Partial<SignatureTerms> = {},
  pinned: readonly (keyof typeof ends)[] = ["agent", "gateway"],
): World {
  const names = { agent, gateway, server };
  const pins: PinnedSigners["pins"] = new Map(
    pinned.map((name) => [names[name], { fingerprint: ends[name].keySet.fingerprint, state: "first-use" }]),
  );
  return makeWorld({
    trust: {
      domain: "a.test",
      identityAlgorithms: [],
      groups: [],
      revokedSerials: new Set(),
      issuers: new Set(),
    },
    rules: [],
    servers: ["files"],
    signatures: { files: { ...terms, ...more } },
    signers: { policy: "first-use", pins, signers: new Set() },
  });
}

async function signedBy(
  who: keyof typeof ends,
  claims: Partial<Claims> = {},
  text = called,
): Promise<Uint8Array> {
  const issuer = { agent, gateway, server }[who];
  nonces += 1;
  const about = { direction: "req", issuer, audience: server, method: "tools/call", ...claims } as const;
  const signed = claimsOf(text, about, { nonce: nonces, nowUnixMs: now });
  return withEnvelope(text, await signDirect(signed, ends[who].signers["ML-DSA-65"]));
}

function callFrom(caller: string, body: Uint8Array): Confirmed {
  const call = {
    caller: { id: caller, chain: [] },
    server: "files",
    atUnixMs: now,
    body,
    frame: readFrame(body),
  };
  // What isn't asked for isn't there.
  return call as unknown as Confirmed;
}

function refusal(work: () => unknown): string {
  try {
    work();
    return "taken";
  } catch (error) {
    assert.ok(error instanceof Refusal);
    return [error.code, error.facts["signature_fault"] ?? []].flat().join(" ");
  }
}

test("a relay brings what others signed, and is held to it from then on; the server gets the client's bytes", async () => {
  const port = memory();
  const opened = open(callFrom(gateway, await signedBy("agent")), worldWith({}, ["agent"]), {
    signatures: port,
  });
  assert.equal(fromUtf8(opened.body), called);
  assert.deepEqual([opened.signature?.proof.signer, opened.signature?.end], [agent, "serving"]);
  assert.deepEqual(port.marked, [gateway]);
});

test("who is no relay brings its own messages alone", async () => {
  const other = "spiffe://a.test/agent/other";
  const body = await signedBy("agent");
  assert.equal(
    refusal(() => open(callFrom(other, body), worldWith(), { signatures: memory() })),
    "signature_refused wrong_issuer",
  );
  const straight = open(callFrom(agent, body), worldWith({ relays: [] }), { signatures: memory() });
  assert.equal(straight.signature?.proof.signer, agent);
});

test("a relay signs for those who don't, and for nobody who signs itself, unless that is allowed", async () => {
  const body = await signedBy("gateway", { subject: agent });
  const unknown = open(callFrom(gateway, body), worldWith({}, ["gateway"]), { signatures: memory() });
  assert.equal(unknown.signature?.proof.subject, agent);
  const stripped = refusal(() => open(callFrom(gateway, body), worldWith(), { signatures: memory() }));
  assert.equal(stripped, "signature_refused stripped");
  const allowed = open(callFrom(gateway, body), worldWith({ acceptsChanges: true }), {
    signatures: memory(),
  });
  assert.equal(allowed.signature?.proof.signer, gateway);
});

test("between two ends nothing of a signed call is changed", async () => {
  const body = await signedBy("agent");
  const opened = open(callFrom(agent, body), worldWith({ end: "between", peer: server }), {
    signatures: memory(),
  });
  assert.equal(opened.body, body);
  assert.equal(opened.signature?.end, "between");
});

/** The answer that comes to a call which the agent signed, between it and the server. */
async function between(
  answer: (request: string) => Promise<Uint8Array> | Uint8Array,
  more: Partial<SignatureTerms> = {},
): Promise<string> {
  const world = worldWith({ end: "between", peer: server, ...more }, ["agent", "gateway", "server"]);
  const port = memory();
  const opened = open(callFrom(agent, await signedBy("agent")), world, { signatures: port });
  const permit = { kind: "permit", rule: "r", answer: "none" };
  const call = { ...opened, verdict: permit } as unknown as Journaled;
  const message = await answer(opened.signature?.proof.payload ?? "");
  const response = frameOf(message);
  assert.ok(response.kind === "response");
  try {
    const sealed = await seal(call, { message, response }, world, { signatures: port });
    assert.equal(sealed.message, message, "what is taken is passed on as it is");
    return `taken ${sealed.signed?.mode ?? "unsigned"}`;
  } catch (error) {
    assert.ok(error instanceof Refusal);
    return [error.code, error.facts["signature_fault"] ?? []].flat().join(" ");
  }
}

async function signedAnswer(
  request: string,
  claims: Partial<Claims> = {},
  text = answered,
): Promise<Uint8Array> {
  const about = {
    direction: "res",
    issuer: server,
    audience: agent,
    request: requestDigest(request),
    ...claims,
  } as const;
  return await signedBy("server", about, text);
}

const replaced = (bytes: Uint8Array, from: string, to: string): Uint8Array =>
  utf8((fromUtf8(bytes) ?? "").replace(from, to));

test("between two ends an answer is passed on if the server's end signed it for this very call", async () => {
  assert.equal(await between(async (request) => await signedAnswer(request)), "taken direct");
});

test("between two ends an answer that isn't what was signed is refused, and its fault named", async () => {
  const faults: readonly (readonly [string, (request: string) => Promise<Uint8Array> | Uint8Array])[] = [
    ["stripped", () => utf8(answered)],
    ["tampered", async (request) => replaced(await signedAnswer(request), '"content":[]', '"content":[1]')],
    ["wrong_call", async () => await signedAnswer("another call")],
    ["wrong_audience", async (request) => await signedAnswer(request, { audience: gateway })],
    ["wrong_issuer", async (request) => await signedAnswer(request, { issuer: gateway })],
    [
      "unknown_key",
      async (request) => {
        const about = {
          direction: "res",
          issuer: server,
          audience: agent,
          request: requestDigest(request),
        } as const;
        return await signedBy("gateway", about, answered);
      },
    ],
  ];
  for (const [fault, answer] of faults) assert.equal(await between(answer), `answer_refused ${fault}`);
});

test("between two ends what grants nothing needs no signature", async () => {
  const error = '{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no"}}';
  assert.equal(await between(() => utf8(error)), "taken unsigned");
  const denied =
    '{"jsonrpc":"2.0","id":1,"result":{"isError":true,"_meta":{"dev.latticegate/authorization":{}}}}';
  assert.equal(await between(() => utf8(denied)), "taken unsigned");
  const failed = '{"jsonrpc":"2.0","id":1,"result":{"isError":true}}';
  assert.equal(await between(() => utf8(failed)), "answer_refused stripped");
});

test("what a gateway between announces for itself leaves a signature as it is", async () => {
  const text = '{"jsonrpc":"2.0","id":1,"result":{"capabilities":{"tools":{}}}}';
  const signed = await signedAnswer("x", {}, text);
  const announced = replaced(signed, '"tools":{}', '"extensions":{"dev.latticegate/receipt":{}},"tools":{}');
  const frame = frameOf(announced);
  const envelope = envelopeIn(frame);
  assert.ok(envelope);
  const { fault } = checkMessage(envelope, announced, {
    direction: "res",
    issuer: server,
    audience: agent,
    method: "tools/call",
    request: requestDigest("x"),
    keySet: ends.server.keySet,
    trust: "first-use",
    nowUnixMs: now,
  });
  assert.equal(fault, undefined);
});
