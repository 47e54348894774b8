/** What peers and rendezvous say: what is read, and what isn't. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { utf8 } from "../kernel/bytes.ts";
import { asWord, readPeerWord, readRendezvousWord, readSplicePreface, splicePreface } from "./rendezvous.ts";

const places = [{ host: "192.0.2.1", port: 4000 }];

test("a word is read as it was said", () => {
  const dial = {
    say: "dial",
    id: 1,
    peer: "a".repeat(52),
    server: "files",
    places,
    mapping: "same",
  } as const;
  assert.deepEqual(readPeerWord(asWord(dial).subarray(0, -1)), dial);
  const pong = { say: "pong" } as const;
  assert.deepEqual(readRendezvousWord(asWord(pong).subarray(0, -1)), pong);
});

const bad = [
  "",
  "null",
  "[]",
  '{"say":"die"}',
  '{"say":"ping","more":1}',
  '{"say":"dial","id":0}',
  JSON.stringify({ say: "dial", id: 1, peer: "A", server: "files", places, mapping: "same" }),
  JSON.stringify({ say: "dial", id: 1, peer: "a".repeat(52), server: "../x", places, mapping: "same" }),
  JSON.stringify({
    say: "dial",
    id: 1,
    peer: "a".repeat(52),
    server: "files",
    places: [{ host: "evil.example", port: 1 }],
    mapping: "same",
  }),
  JSON.stringify({
    say: "dial",
    id: 1,
    peer: "a".repeat(52),
    server: "files",
    places: Array.from({ length: 9 }, () => places[0]),
    mapping: "same",
  }),
];
for (const text of bad) {
  test(`no peer says ${text.slice(0, 60)}`, () => {
    assert.throws(() => readPeerWord(utf8(text)), { code: "bad_message" });
  });
}

test("a token for a relayed stream is read back, and no other beginning is one", () => {
  const secret = Buffer.alloc(32, 9).toString("base64url");
  assert.equal(readSplicePreface(splicePreface(secret)), secret);
  assert.equal(readSplicePreface(splicePreface(secret).subarray(1)), undefined);
  assert.equal(readSplicePreface(utf8("GET / HTTP/1.1\r\nhost: relay.example\r\n\r\n")), undefined);
});
