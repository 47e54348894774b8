/** Claims: written and read alike, and nothing else is read. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { toBase64url, utf8 } from "../kernel/bytes.ts";
import { type Claims, claimsAgain, claimsNow, readClaims, requestDigest, writeClaims } from "./claims.ts";

const digest = `sha-256:${"A".repeat(43)}`;
const call: Claims = claimsNow(
  {
    direction: "req",
    issuer: "spiffe://acme.test/agent/a",
    audience: "spiffe://acme.test/gateway?server=files",
    method: "tools/call",
    body: digest,
  },
  new Uint8Array(16).fill(7),
  1_795_000_000_999,
);

test("a message signed now is good for two minutes, in whole seconds", () => {
  assert.deepEqual([call.issuedAtUnixS, call.expiresAtUnixS], [1_795_000_000, 1_795_000_120]);
});

test("a message signed anew keeps its nonce and its end, until that has come", () => {
  const again = claimsAgain(call, "spiffe://acme.test/server/b", 1_795_000_030_500);
  assert.deepEqual(again, { ...call, audience: "spiffe://acme.test/server/b", issuedAtUnixS: 1_795_000_030 });
  assert.ok(again !== undefined && readClaims(writeClaims(again)) !== undefined);
  assert.equal(claimsAgain(call, call.audience, 1_795_000_120_000), undefined);
});

for (const [what, claims] of [
  ["a call", call],
  ["a call for somebody", { ...call, subject: "oauth:corp/client/c" }],
  [
    "names that JSON escapes",
    { ...call, audience: 'a"b\\c', subject: "oauth:ü/\u2028\n", method: '","v":2,"' },
  ],
  ["an answer", { ...call, direction: "res", request: digest }],
  [
    "an answer that was changed",
    {
      ...call,
      direction: "res",
      request: digest,
      changed: { paths: ["/result/content/0/text", "/"], original: digest, issuer: "spiffe://acme.test/s" },
    },
  ],
] as const satisfies readonly (readonly [string, Claims])[]) {
  test(`claims are read as they were written: ${what}`, () => {
    assert.deepEqual(readClaims(writeClaims(claims)), claims);
  });
}

const fields = JSON.parse(Buffer.from(writeClaims(call), "base64url").toString()) as object;
const read = (changes: object): Claims | undefined =>
  readClaims(toBase64url(utf8(JSON.stringify({ ...fields, ...changes }))));

test("members that aren't known are passed over", () => assert.deepEqual(read({ later: 1 }), call));

for (const [what, changes] of [
  ["another version", { v: 2 }],
  ["no direction", { dir: undefined }],
  ["a notification's", { dir: "ntf" }],
  ["no issuer", { iss: undefined }],
  ["an empty issuer", { iss: "" }],
  ["an endless issuer", { iss: "s".repeat(3000) }],
  ["several audiences", { aud: ["a", "b"] }],
  ["no time", { iat: undefined }],
  ["half a second", { iat: 1_795_000_000.5 }],
  ["a time as text", { exp: "1795000120" }],
  ["an end before the beginning", { exp: 1_795_000_000 }],
  ["more than five minutes", { exp: 1_795_000_301 }],
  ["a nonce of another length", { nonce: "AAAA" }],
  ["a nonce with loose bits", { nonce: "AAAAAAAAAAAAAAAAAAAAAB" }],
  ["a digest of another kind", { body: `sha-1:${"A".repeat(27)}` }],
  ["no method", { method: undefined }],
  ["a call that answers one", { req: digest }],
  ["an answer to none", { dir: "res" }],
  ["an answer to what is no digest", { dir: "res", req: "x" }],
  ["a subject that is none", { sub: 7 }],
  ["a change without the original", { changed: { paths: [], iss: "a" } }],
  ["too many changes", { changed: { paths: Array(65).fill("/a"), orig: digest, iss: "a" } }],
] as const) {
  test(`claims aren't read with ${what}`, () => assert.equal(read(changes), undefined));
}

test("what is no payload is none", () => {
  for (const text of [
    "",
    "AAAA",
    "e30=",
    toBase64url(utf8("[]")),
    toBase64url(utf8('{"v":1')),
    "a".repeat(60_000),
  ])
    assert.equal(readClaims(text), undefined);
});

test("a payload in any other base64 than its own is none", () => {
  const payload = writeClaims(call);
  for (const other of [
    `${payload}=`,
    `${payload}\n`,
    `${payload.slice(0, 8)} ${payload.slice(8)}`,
    `${payload}A`,
  ])
    assert.equal(readClaims(other), undefined);
});

test("an answer names its call by the digest of the payload as it stands", () => {
  // printf e30 | openssl sha256 -binary | basenc --base64url
  assert.equal(requestDigest("e30"), "sha-256:vquYe--cAN_DAbSQ3bRTIVF-fWprs9MdJZiYt9Rjk9g");
});
