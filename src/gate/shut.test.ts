/** What is delivered of an open stream when a restriction comes into force. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { utf8 } from "../kernel/bytes.ts";
import type { Question } from "../policy/decide.ts";
import { type Restriction, type RestrictionKind, restraintsOf, type Scope } from "../respond/restriction.ts";
import type { Answer, AnswerEvent, Journaled } from "./call.ts";
import type { Ports } from "./ports.ts";
import { relay } from "./relay.ts";
import { shutBy } from "./shut.ts";
import { makeWorld, restrained, type World } from "./world.ts";

const free = makeWorld({
  trust: {
    domain: "acme.test",
    identityAlgorithms: [],
    groups: [],
    revokedSerials: new Set(),
    issuers: new Set(),
  },
  rules: [],
  servers: ["bank"],
});

function under(scope: Scope, kind: RestrictionKind = "quarantine"): World {
  const given: Restriction = {
    id: "a1",
    scope,
    stages: [{ kind, untilUnixMs: 1000, ...(kind === "limit" && { limit: { calls: 1, perMs: 1000 } }) }],
    because: "It was told to.",
    by: "operator:test",
    sinceUnixMs: 0,
  };
  return restrained(free, restraintsOf([given], 0));
}

function asked(tool: string | undefined): Question {
  return {
    caller: {
      id: "agent/a",
      chain: [],
      proof: { kind: "svid", serial: "1", issuer: "i", notAfterUnixMs: 9e9 },
    },
    link: { group: "X25519MLKEM768", level: 3, isPostQuantum: true, certificate: undefined },
    server: "bank",
    ...(tool !== undefined && { target: { kind: "tools", name: tool } }),
    facts: { of: () => ({ session: { id: "s1", began: -1000 } }) },
  };
}

const both = { caller: "agent/a", server: "bank", tool: "pay" };

function event(text: string): AnswerEvent {
  return { event: "message", raw: utf8(text), data: utf8(text) };
}

/** What a caller got of a stream of two events, between which the world became another. */
async function delivered(verb: "GET" | "POST", tool: string | undefined, then: World): Promise<object> {
  let world = free;
  const got: string[] = [];
  const reply = {
    open: () => {},
    write: async (bytes: Uint8Array) => void got.push(Buffer.from(bytes).toString()),
    close: () => got.push("end"),
    cut: () => got.push("cut"),
    gone: new AbortController().signal,
  };
  const events = async function* (): AsyncGenerator<AnswerEvent> {
    yield event("one");
    world = then;
    yield event("two");
  };
  const header = (): undefined => undefined;
  const call = {
    id: "c1",
    verb,
    header,
    reply,
    server: "bank",
    channel: {},
    caller: asked(tool).caller,
    question: asked(tool),
  } as unknown as Journaled;
  const digest = { update: () => {}, end: () => "" };
  const ports = {
    digests: { begin: () => digest },
    sessionKey: new Uint8Array(32),
    responses: { now: () => world },
  } as unknown as Ports;
  const answer: Answer = { kind: "stream", status: 200, headers: [], events: events() };
  const { ending, leave } = await relay(call, answer, free, ports);
  leave();
  return { got, reason: ending.reason };
}

describe("a stream that is open when a restriction comes into force", () => {
  const whole = { got: ["one", "two", "end"], reason: undefined };
  const cut = { got: ["one", "cut"], reason: "denied" };

  for (const [what, tool, scope] of [
    ["an answer of the tool that is quarantined", "pay", both],
    ["an answer of a caller that is quarantined", "pay", { caller: "agent/a" }],
    ["a server's listening stream", undefined, { server: "bank" }],
    ["a caller's listening stream", undefined, { caller: "agent/a" }],
  ] as const) {
    test(`delivers nothing more: ${what}`, async () => {
      assert.deepEqual(await delivered(tool === undefined ? "GET" : "POST", tool, under(scope)), cut);
    });
  }

  test("goes on where it is another's, of another tool, or where calls are only restricted", async () => {
    assert.deepEqual(await delivered("POST", "list", under(both)), whole);
    assert.deepEqual(await delivered("POST", "pay", under({ ...both, caller: "agent/b" })), whole);
    for (const kind of ["read_only", "hold", "step_up", "limit"] as const)
      assert.deepEqual(await delivered("POST", "pay", under(both, kind)), whole);
    assert.deepEqual(await delivered("POST", "pay", { ...under(both), observes: true }), whole);
  });

  test("isn't resumed while a tool of its server is kept from its caller: it doesn't say which it is of", () => {
    const header = (name: string): string | undefined => (name === "last-event-id" ? "7" : undefined);
    const why = (scope: Scope): string | undefined =>
      shutBy({ verb: "GET", header }, asked(undefined), under(scope))?.because;
    assert.equal(why(both), "It was told to.");
    assert.equal(why({ ...both, caller: "agent/b" }), undefined);
    assert.equal(why({ ...both, server: "shop" }), undefined);
    const first = { verb: "GET" as const, header: () => undefined };
    assert.equal(shutBy(first, asked(undefined), under(both)), undefined);
  });
});
