import assert from "node:assert/strict";
import { test } from "node:test";

import { mustBePasskeyPage, passkeyPage } from "./passkey-page.ts";

const origins = ["http://localhost:8080", "https://gate.acme.example", "https://gate.acme.example:8443"];

const pages: readonly (readonly [
  asked: string,
  found: readonly [origin: string, host: string] | undefined,
])[] = [
  ["localhost:8080", ["http://localhost:8080", "localhost"]],
  ["gate.acme.example", ["https://gate.acme.example", "gate.acme.example"]],
  ["GATE.acme.example:8443", ["https://gate.acme.example:8443", "gate.acme.example"]],
  ["localhost:8081", undefined],
  ["localhost", undefined],
  ["gate.acme.example.evil.example", undefined],
  ["127.0.0.1:8080", undefined],
  ["", undefined],
];

test("a passkey is for the page that was asked for, under its own name and no other", () => {
  for (const [asked, found] of pages) {
    const page = passkeyPage(asked, origins);
    assert.deepEqual(page && [page.origin, page.host], found, asked);
  }
});

test("a bare address has no passkeys, and where to go is said", () => {
  for (const origin of ["http://[::1]:8080", "http://127.0.0.2:8080"])
    assert.equal(passkeyPage(new URL(origin).host, [origin]), undefined);
  assert.throws(() => mustBePasskeyPage("127.0.0.1:8080", origins), /open http:\/\/localhost:8080 or https/);
  assert.throws(() => mustBePasskeyPage("[::1]:8080", ["http://[::1]:8080"]), /this gateway's has none/);
});
