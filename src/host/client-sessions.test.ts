/** Sessions of clients: whose they are, when they end, what is remembered. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Refusal } from "../kernel/refusal.ts";
import type { Caller } from "../model/caller.ts";
import { clientSessions } from "./client-sessions.ts";

const key = new Uint8Array(32).fill(7);
const minute = 60_000;
const caller = (id: string, ...chain: readonly string[]): Caller => ({
  id,
  chain,
  proof: { kind: "svid", serial: "1", issuer: "root", notAfterUnixMs: 1 },
});
const [a, b, aForB] = [caller("a"), caller("b"), caller("a", "b")];
const named = (token?: string, part?: string) => ({ token, part });
const ended = (error: unknown): boolean => error instanceof Refusal && error.code === "session_ended";

test("a session has one id for its caller, and none for another or on behalf of another", () => {
  const sessions = clientSessions(key, 0);
  const token = sessions.mint(a, 0);
  const id = sessions.use(a, named(token), 0);
  assert.deepEqual(sessions.use(a, named(token), minute), id);
  assert.throws(() => sessions.use(b, named(token), 0), ended);
  assert.throws(() => sessions.use(aForB, named(token), 0), ended);
  assert.ok(!id.id.includes(token.split(".")[2] ?? ""), "what is logged is no token");
  assert.notDeepEqual(sessions.use(a, named(sessions.mint(a, 0)), 0), id);
});

test("a token that was changed is nobody's", () => {
  const sessions = clientSessions(key, 0);
  const token = sessions.mint(a, 5000);
  const [id = "", minted = "", mac = ""] = token.split(".");
  const other = sessions.mint(a, 5000).split(".")[0] ?? "";
  for (const text of [
    "",
    "x",
    `${other}.${minted}.${mac}`,
    `${id}.6.${mac}`,
    `${id}.${minted}.${"A".repeat(22)}`,
    `${id}.${minted}`,
    `${token}.x`,
    `${id}.0${minted}.${mac}`.padEnd(5000, "x"),
  ]) {
    assert.throws(() => sessions.use(a, named(text), 5000), ended, text);
  }
  const others = clientSessions(new Uint8Array(32), 0);
  assert.throws(() => others.use(a, named(token), 5000), ended, "another gateway's");
});

test("a session ends when it isn't used for 30 minutes, and at the latest after a day", () => {
  const sessions = clientSessions(key, 0);
  const token = sessions.mint(a, 0);
  let at = 0;
  for (; at < 23 * 60 * minute; at += 29 * minute) sessions.use(a, named(token), at);
  assert.throws(() => sessions.use(a, named(token), at + 30 * minute), ended, "idle");
  assert.throws(() => sessions.use(a, named(token), at + 30 * minute), ended, "and for good");
  const busy = sessions.mint(a, 0);
  for (at = 0; at < 24 * 60 * minute; at += 20 * minute) sessions.use(a, named(busy), at);
  assert.throws(() => sessions.use(a, named(busy), at), ended, "a day");
  assert.throws(() => sessions.use(a, named(sessions.mint(a, 0)), 31 * minute), ended, "never used");
});

test("a session that may have been in use outlives the gateway's restart; an older one doesn't", () => {
  const before = clientSessions(key, 0);
  const token = before.mint(a, 0);
  for (const at of [0, 20, 40]) before.use(a, named(token), at * minute);
  const id = before.use(a, named(token), 60 * minute - 1);
  assert.deepEqual(clientSessions(key, 60 * minute).use(a, named(token), 61 * minute), id);
  assert.throws(() => clientSessions(key, 60 * minute).use(a, named(token), 91 * minute), ended);
});

test("without a token all that a caller asks for the same others is one session, until nobody asks", () => {
  const sessions = clientSessions(key, 0);
  const id = sessions.use(a, named(), 0);
  assert.deepEqual(sessions.use(a, named(), 29 * minute), id);
  assert.notDeepEqual(sessions.use(b, named(), 0), id);
  assert.notDeepEqual(sessions.use(aForB, named(), 0), id);
  assert.notDeepEqual(sessions.use(a, named(), 59 * minute), id);
});

test("a part is a session within its session, and its name isn't told", () => {
  const sessions = clientSessions(key, 0);
  const token = sessions.mint(a, 0);
  const { id } = sessions.use(a, named(token), 0);
  const part = sessions.use(a, named(token, "conversation-1"), 0);
  assert.ok(part.id.startsWith(`${id}.`) && !part.id.includes("conversation"));
  assert.deepEqual(sessions.use(a, named(token, "conversation-1"), 0), part);
  assert.notDeepEqual(sessions.use(a, named(token, "conversation-2"), 0), part);
  const elsewhere = sessions.use(a, named(sessions.mint(a, 0), "conversation-1"), 0);
  assert.notEqual(
    elsewhere.id.split(".")[1],
    part.id.split(".")[1],
    "the same name in another session is another",
  );
  for (const name of ["", "a b", "é", "x".repeat(129)]) {
    assert.throws(() => sessions.use(a, named(token, name), 0), /1 to 128/);
  }
});

test("what a caller makes us remember is bounded, and costs nobody else a session", () => {
  const sessions = clientSessions(key, 0);
  const ofB = sessions.mint(b, 0);
  sessions.use(b, named(ofB), 29 * minute);
  const tokens = Array.from({ length: 300 }, () => sessions.mint(a, 29 * minute));
  for (const token of tokens) sessions.use(a, named(token), 40 * minute);
  const now = 65 * minute; // Past what could be its first use: only what is remembered goes on.
  assert.throws(() => sessions.use(a, named(tokens[0]), now), ended, "the least used made way");
  sessions.use(a, named(tokens[299]), now);
  assert.throws(() => sessions.use(b, named(ofB), now), ended, "idle");
  const again = sessions.mint(b, now);
  sessions.use(b, named(again), now);
});
