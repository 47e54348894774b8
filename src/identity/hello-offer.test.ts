/** JA4 by its public example, and what stands beside it. */
import assert from "node:assert/strict";
import { test } from "node:test";

import type { ClientHello } from "../wire/client-hello.ts";
import { fingerprintOf, offerOf } from "./hello-offer.ts";

const numbers = (text: string): readonly number[] =>
  text.split(",").map((digits) => Number.parseInt(digits, 16));

/** The example of JA4's technical description (FoxIO-LLC/ja4, technical_details/JA4.md). */
const example: ClientHello = {
  legacyVersion: 0x0303,
  versions: [0x0304, 0x0303],
  cipherSuites: numbers("1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035"),
  extensions: numbers("001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015"),
  signatureSchemes: numbers("0403,0804,0401,0503,0805,0501,0806,0601"),
  alpn: ["h2", "http/1.1"],
  serverName: "example.test",
  groups: numbers("11ec,001d,0017"),
  keyShares: numbers("11ec,001d"),
  bytes: 1000,
};

test("the public example has the fingerprint it is published with", () => {
  assert.equal(fingerprintOf(example).ja4, "t13d1516h2_8daaf6152771_e5627efa2ab1");
});

test("values that mean nothing (GREASE), and the order of ciphers and extensions, change nothing", () => {
  const greased: ClientHello = {
    ...example,
    versions: [0x7a7a, ...example.versions],
    cipherSuites: [0x0a0a, ...example.cipherSuites.toReversed()],
    extensions: [0xfafa, ...example.extensions.toReversed(), 0x1a1a],
    signatureSchemes: [0x2a2a, ...example.signatureSchemes],
    groups: [0x8a8a, ...example.groups],
    keyShares: [0x8a8a, ...example.keyShares],
  };
  assert.deepEqual(fingerprintOf(greased), fingerprintOf(example));
  assert.deepEqual(offerOf(greased).groups, example.groups);
});

for (const [what, change, expected] of [
  ["no server name and no ALPN", { alpn: [], extensions: [0x000d, 0x002b] }, /^t13i150200_/],
  ["TLS 1.2 at most", { versions: [] }, /^t12d/],
  ["a protocol whose name isn't text", { alpn: ["\u00ab"] }, /^t13d1516cb_/],
  ["no ciphers", { cipherSuites: [] }, /^t13d0016h2_000000000000_/],
] as const) {
  test(`JA4 of a hello with ${what}`, () => {
    assert.match(fingerprintOf({ ...example, ...change }).ja4, expected);
  });
}

test("JA4 is the same whatever groups are offered; the digest beside it isn't", () => {
  const classical = fingerprintOf({ ...example, groups: [0x001d], keyShares: [0x001d] });
  const whole = fingerprintOf(example);
  assert.equal(classical.ja4, whole.ja4);
  assert.notEqual(classical.groups, whole.groups);
  assert.notEqual(fingerprintOf({ ...example, keyShares: [0x001d] }).groups, whole.groups);
});

test("of a hello that lists thousands, a bounded part is kept", () => {
  const groups = Array.from({ length: 5000 }, (_, i) => 0x2000 + i);
  assert.equal(offerOf({ ...example, groups }).groups.length, 64);
});
