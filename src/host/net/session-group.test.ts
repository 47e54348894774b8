/** The group in a TLS session's DER: read where it stands, absent where it isn't, never a guess. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { sessionGroupId } from "./session-group.ts";

const der = (tag: number, ...body: readonly number[]): readonly number[] => [tag, body.length, ...body];
const session = (...fields: readonly (readonly number[])[]): Uint8Array =>
  Uint8Array.from(der(0x30, ...fields.flat()));
const version = der(0x02, 1);

test("kex_group [19] is read behind whatever else stands there", () => {
  const group = der(0xb3, ...der(0x02, 0x11, 0xec));
  assert.equal(sessionGroupId(session(version, group)), 0x11ec);
  assert.equal(sessionGroupId(session(version, der(0x04, 1, 2, 3), group, der(0xb4, 0))), 0x11ec);
});

test("a session longer than 127 bytes, as real ones are, is read by its long lengths", () => {
  const ticket = [0x04, 0x82, 0x01, 0x2c, ...Array<number>(300).fill(0xb3)];
  const group = der(0xb3, ...der(0x02, 0x11, 0xec));
  const fields = [...version, ...ticket, ...group];
  assert.equal(sessionGroupId(Uint8Array.from([0x30, 0x82, 0x01, fields.length - 256, ...fields])), 0x11ec);
});

const none: readonly (readonly [string, Uint8Array | undefined])[] = [
  ["no session", undefined],
  ["an empty one", new Uint8Array(0)],
  ["no such field", session(version)],
  ["a field of another type", session(version, der(0xb3, ...der(0x04, 0x11, 0xec)))],
  ["an integer that is cut off", session(version, [0xb3, 4, 0x02, 2, 0x11])],
  ["an integer of nothing", session(version, der(0xb3, 0x02, 0))],
  ["an integer beyond its field", session(version, der(0xb3, 0x02, 9, 1))],
  [
    "the same bytes inside another field",
    session(version, der(0x04, ...der(0xb3, ...der(0x02, 0x11, 0xec)))),
  ],
];
for (const [what, bytes] of none) {
  test(`${what} says no group`, () => assert.equal(sessionGroupId(bytes), undefined));
}

test("any bytes are read to their end, and no further", () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void sessionGroupId(Uint8Array.from([0x30, ...bytes]))));
});
