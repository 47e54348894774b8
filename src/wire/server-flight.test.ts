import assert from "node:assert/strict";
import { test } from "node:test";

import { assert as forAll, boolean, property, uint8Array } from "fast-check";

import { concat } from "../kernel/bytes.ts";
import { peekClientHello } from "./client-hello.ts";
import { probeHello } from "./probe-hello.ts";
import { peekFlight } from "./server-flight.ts";
import { askedGroups } from "./tls-names.ts";

const asked = { random: new Uint8Array(32), sessionId: new Uint8Array(32), groups: askedGroups };

test("a hello that only asks is one that servers read: every group, no share, as long as it is to be", () => {
  const bytes = probeHello({ ...asked, version: 0x0304, serverName: "a.example", atLeastBytes: 3300 });
  const peek = peekClientHello(bytes, 65_536);
  assert.equal(peek.kind, "hello");
  const { hello } = peek;
  assert.deepEqual(
    [hello.groups, hello.keyShares, hello.versions, hello.serverName],
    [askedGroups, [], [0x0304], "a.example"],
  );
  assert.ok(bytes.length >= 3300 && bytes.length < 3400, `${bytes.length}`);
  const old = peekClientHello(probeHello({ ...asked, version: 0x0301 }), 65_536);
  assert.deepEqual(old.kind === "hello" && [old.hello.legacyVersion, old.hello.versions], [0x0301, []]);
});

function record(type: number, ...messages: readonly Uint8Array[]): Uint8Array {
  const body = concat(messages);
  return concat([Uint8Array.of(type, 3, 3, body.length >> 8, body.length & 255), body]);
}

function message(type: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const body = concat(parts);
  return concat([Uint8Array.of(type, 0, body.length >> 8, body.length & 255), body]);
}

const hello12 = message(2, Uint8Array.of(3, 3), new Uint8Array(32), Uint8Array.of(0, 0xc0, 0x2f, 0));
const done = message(14);

test("a flight of TLS 1.2 is read to its end: certificates, curve, whether a certificate is asked for", () => {
  const certificate = message(11, Uint8Array.of(0, 0, 6, 0, 0, 3, 1, 2, 3));
  const exchange = message(12, Uint8Array.of(3, 0, 0x17, 1, 4));
  const flight = record(22, hello12, certificate, exchange, message(13, Uint8Array.of(1, 1)), done);
  assert.deepEqual(peekFlight(flight), {
    kind: "flight",
    flight: {
      version: 0x0303,
      cipher: 0xc02f,
      isRetry: false,
      certificates: [Uint8Array.of(1, 2, 3)],
      exchange: { curve: 0x17 },
      asksForCertificate: true,
    },
  });
  for (let end = 0; end < flight.length; end++) {
    assert.equal(peekFlight(flight.subarray(0, end)).kind, "need-more", `${end}`);
  }
});

test("a finite field is as long as its prime, not as its bytes", () => {
  const hello = message(2, Uint8Array.of(3, 3), new Uint8Array(32), Uint8Array.of(0, 0, 0x9e, 0));
  const exchange = message(12, Uint8Array.of(0, 3, 0, 1, 255, 0, 1, 2, 0, 1, 4));
  const peek = peekFlight(record(22, hello, exchange, done));
  assert.deepEqual(peek.kind === "flight" && peek.flight.exchange, { primeBits: 9 });
});

test("an alert, another protocol and any bytes are values, never faults", () => {
  assert.deepEqual(peekFlight(Uint8Array.of(21, 3, 3, 0, 2, 2, 40)), { kind: "alert", alert: 40 });
  assert.deepEqual(peekFlight(new TextEncoder().encode("HTTP/1.1 400 Bad Request")), { kind: "not-tls" });
  forAll(
    property(uint8Array({ maxLength: 300 }), boolean(), (bytes, isRecord) => {
      const { kind } = peekFlight(isRecord ? record(22, bytes) : bytes);
      assert.ok(["flight", "alert", "need-more", "not-tls"].includes(kind));
    }),
  );
});
