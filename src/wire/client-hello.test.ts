/** ClientHellos: those that Node's own TLS sends, in any pieces, and those that no honest client sends. */
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { before, describe, test } from "node:test";
import tls from "node:tls";

import * as fc from "fast-check";

import { type Peek, peekClientHello } from "./client-hello.ts";

const maxBytes = 16_384;
const peek = (bytes: Uint8Array): Peek => peekClientHello(bytes, maxBytes);

/** What a TLS client says first, as a server sees it. */
async function helloOf(options: tls.ConnectionOptions): Promise<Buffer> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const arrived = once(server, "connection") as Promise<[net.Socket]>;
  const client = tls.connect({ host: "127.0.0.1", port: address.port, ...options });
  client.on("error", () => undefined);
  const [socket] = await arrived;
  const parts: Buffer[] = [];
  for await (const part of socket as AsyncIterable<Buffer>) {
    parts.push(part);
    if (peek(Buffer.concat(parts)).kind === "hello") break;
  }
  client.destroy();
  server.close();
  return Buffer.concat(parts);
}

/** The same hello, spread over records of `size` bytes each. */
function inRecords(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const body = message.subarray(at, at + size);
    records.push(Buffer.from([22, 3, 1, body.length >> 8, body.length & 255]), body);
  }
  return Buffer.concat(records);
}

describe("hellos that Node sends", () => {
  let hybrid: Buffer;
  before(async () => {
    hybrid = await helloOf({
      ecdhCurve: "X25519MLKEM768:X25519",
      servername: "gate.test",
      ALPNProtocols: ["http/1.1"],
    });
  });

  test("a hybrid one: its groups, key share, name and protocols", () => {
    const found = peek(hybrid);
    assert.ok(found.kind === "hello");
    const { hello } = found;
    assert.deepEqual(hello.groups.slice(0, 2), [0x11ec, 0x001d]);
    assert.ok(hello.keyShares.includes(0x11ec));
    assert.deepEqual([hello.serverName, hello.alpn], ["gate.test", ["http/1.1"]]);
    assert.ok(hello.versions.includes(0x0304));
  });

  test("a classical one, and one of TLS 1.2", async () => {
    const classical = peek(await helloOf({ ecdhCurve: "X25519" }));
    assert.ok(classical.kind === "hello");
    assert.deepEqual(classical.hello.groups, [0x001d]);
    const old = peek(await helloOf({ maxVersion: "TLSv1.2" }));
    assert.ok(old.kind === "hello");
    assert.deepEqual(old.hello.versions, []);
  });

  test("each beginning of one asks for more, and never for more than there is", () => {
    for (let length = 0; length < hybrid.length; length++) {
      const found = peek(hybrid.subarray(0, length));
      assert.ok(found.kind === "need-more", `${length} bytes: ${found.kind}`);
      assert.ok(found.atLeastBytes > length && found.atLeastBytes <= hybrid.length);
    }
  });

  test("one that is spread over records is the same hello", () => {
    const whole = peek(hybrid);
    for (const size of [1, 7, 100, 1000])
      assert.deepEqual(peek(inRecords(hybrid, size)), whole, `records of ${size} bytes`);
  });

  test("a changed byte never throws, nor does a cut in the middle", () => {
    fc.assert(
      fc.property(
        fc.nat(hybrid.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.nat(hybrid.length),
        (at, by, length) => {
          const changed = Buffer.from(hybrid);
          changed[at] = (changed[at] ?? 0) ^ by;
          peek(changed);
          peek(changed.subarray(0, length));
        },
      ),
      { numRuns: 3000 },
    );
  });
});

const strangers: readonly (readonly [string, Uint8Array, Peek["kind"]])[] = [
  ["an HTTP request", Buffer.from("GET / HTTP/1.1\r\n\r\n"), "not-tls"],
  ["an SSH greeting", Buffer.from("SSH-2.0-OpenSSH_9.9\r\n"), "not-tls"],
  ["a TLS alert", Buffer.from([21, 3, 1, 0, 2, 2, 40]), "not-tls"],
  ["a hello of SSL 2", Buffer.from([0x80, 0x2e, 1, 0, 2, 0, 0x15]), "not-tls"],
  ["a ServerHello", Buffer.from([22, 3, 3, 0, 4, 2, 0, 0, 0]), "not-tls"],
  ["an empty record", Buffer.from([22, 3, 1, 0, 0]), "malformed"],
  ["a record of 65,535 bytes", Buffer.from([22, 3, 1, 255, 255]), "malformed"],
  ["a hello that claims 16 MB", Buffer.from([22, 3, 1, 0, 4, 1, 255, 255, 255]), "too-big"],
  ["a hello of nothing", Buffer.from([22, 3, 1, 0, 4, 1, 0, 0, 0]), "malformed"],
];
for (const [what, bytes, kind] of strangers) {
  test(`${what} is told apart: ${kind}`, () => assert.equal(peek(bytes).kind, kind));
}

test("records that never make a hello are given up at the limit", () => {
  const record = Buffer.from([22, 3, 1, 0, 1, 1]);
  const rest = Buffer.from([22, 3, 1, 0, 1, 0]);
  const endless = Buffer.concat([record, ...Array.from({ length: 20_000 }, () => rest)]);
  assert.ok(["too-big", "malformed"].includes(peek(endless).kind));
});

test("whatever the bytes, there is a verdict", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => void peek(bytes)));
  const recordLike = fc
    .uint8Array({ maxLength: 600 })
    .map((body) => Buffer.concat([Buffer.from([22, 3, 1, body.length >> 8, body.length & 255, 1]), body]));
  fc.assert(
    fc.property(recordLike, (bytes) => void peek(bytes)),
    { numRuns: 1000 },
  );
});

const b16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
const vector16 = (...parts: readonly Uint8Array[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([b16(body.length), body]);
};
const extension = (type: number, ...data: readonly Uint8Array[]): Buffer =>
  Buffer.concat([b16(type), vector16(...data)]);
const groups = extension(10, vector16(b16(0x11ec), b16(29)));
const versions = extension(43, Buffer.from([4, 3, 4, 3, 3]));

/** A handshake message with these extensions; without any, it ends before their list. */
function messageOf(extensions: readonly Uint8Array[] | undefined, behind = Buffer.alloc(0)): Buffer {
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32, 7),
    Buffer.from([0]),
    vector16(b16(0x1301), b16(0x1302)),
    Buffer.from([1, 0]),
    extensions === undefined ? Buffer.alloc(0) : vector16(...extensions),
    behind,
  ]);
  return Buffer.concat([Buffer.from([1, body.length >> 16]), b16(body.length & 0xffff), body]);
}
const record = (...parts: readonly Uint8Array[]): Buffer =>
  Buffer.concat([Buffer.from([22, 3, 1]), vector16(...parts)]);

test("every field of a hello is read", () => {
  const message = messageOf([
    extension(0, vector16(Buffer.from([0]), vector16(Buffer.from("gate.test")))),
    groups,
    extension(13, vector16(b16(0x0905), b16(0x0403))),
    extension(16, vector16(Buffer.from("\u0002h2\u0008http/1.1"))),
    versions,
    extension(51, vector16(b16(0x11ec), vector16(Buffer.alloc(1216)), b16(29), vector16(Buffer.alloc(32)))),
    extension(0x2a2a),
  ]);
  assert.deepEqual(peek(record(message)), {
    kind: "hello",
    hello: {
      legacyVersion: 0x0303,
      versions: [0x0304, 0x0303],
      groups: [0x11ec, 29],
      keyShares: [0x11ec, 29],
      signatureSchemes: [0x0905, 0x0403],
      cipherSuites: [0x1301, 0x1302],
      extensions: [0, 10, 13, 16, 43, 51, 0x2a2a],
      alpn: ["h2", "http/1.1"],
      serverName: "gate.test",
      bytes: message.length,
    },
  });
});

test("a hello without extensions is one, and what follows it in its record isn't part of it", () => {
  const bare = peek(record(messageOf(undefined)));
  assert.ok(bare.kind === "hello");
  assert.deepEqual(bare.hello.extensions, []);
  assert.deepEqual(peek(record(messageOf([groups]), Buffer.from([9, 9]))), peek(record(messageOf([groups]))));
});

const misshapen: readonly (readonly [string, Buffer, RegExp])[] = [
  ["an extension that comes twice", messageOf([groups, versions, groups]), /extension 10 twice/],
  ["bytes behind the extensions", messageOf([groups], Buffer.from([0])), /add up/],
  ["a group list longer than its extension", messageOf([extension(10, b16(4), b16(29))]), /10 is cut short/],
  ["an odd group list", messageOf([extension(10, vector16(Buffer.from([0, 29, 0])))]), /10 is cut short/],
  ["a version list one byte too long", messageOf([extension(43, Buffer.from([3, 3, 4]))]), /43 is cut short/],
  ["a key share that is cut", messageOf([extension(51, vector16(b16(29), b16(32)))]), /51 is cut short/],
  [
    "a protocol that is cut",
    messageOf([extension(16, vector16(Buffer.from([3, 104, 50])))]),
    /16 is cut short/,
  ],
  ["an empty server name extension", messageOf([extension(0)]), /0 is cut short/],
  ["an extension without a length", messageOf([b16(10)]), /10 is cut short|add up/],
  ["one byte of an extension list's length", messageOf(undefined, Buffer.from([0])), /add up/],
];
for (const [what, message, reason] of misshapen) {
  test(`${what} makes a hello malformed`, () => {
    const found = peek(record(message));
    assert.ok(found.kind === "malformed", found.kind);
    assert.match(found.reason, reason);
  });
}

test("a hello cut short at any byte, its lengths put right, is another hello or malformed", () => {
  const body = messageOf([groups, versions]).subarray(4);
  for (let length = 0; length < body.length; length++) {
    const cut = Buffer.concat([Buffer.from([1, 0]), vector16(body.subarray(0, length))]);
    const kind = peek(record(cut)).kind;
    // Before the list of extensions there is one place where a hello may end.
    assert.equal(kind, length === 43 ? "hello" : "malformed", `${length} bytes`);
  }
});

test("a hello as long as the limit passes, one byte more is too big before it is there", () => {
  const message = messageOf([groups, extension(21, Buffer.alloc(500))]);
  assert.equal(peekClientHello(record(message), message.length).kind, "hello");
  assert.equal(peekClientHello(record(message), message.length - 1).kind, "too-big");
  assert.equal(peekClientHello(record(message).subarray(0, 9), message.length - 1).kind, "too-big");
});

test("record headers count towards the limit, and so does their number", () => {
  const message = messageOf([groups, extension(21, Buffer.alloc(5000))]);
  const bytewise = inRecords(record(message), 1);
  assert.equal(peekClientHello(bytewise, message.length).kind, "too-big");
  assert.deepEqual(peekClientHello(bytewise, 1_000_000), {
    kind: "malformed",
    reason: "a malformed ClientHello: too many records",
  });
});

test("a second record of another kind or version isn't taken for the rest of a hello", () => {
  const message = messageOf([groups]);
  const first = record(message.subarray(0, 20));
  assert.equal(peek(Buffer.concat([first, Buffer.from([23])])).kind, "not-tls");
  assert.equal(peek(Buffer.concat([first, Buffer.from([22, 2])])).kind, "not-tls");
  assert.equal(peek(Buffer.from([22, 2, 0, 0, 4, 1])).kind, "not-tls");
});

test("asked for more, it never asks for less than the record header, nor for more than the record", () => {
  const spread = inRecords(record(messageOf([groups, versions])), 10);
  for (let length = 0; length < spread.length; length++) {
    const found = peek(spread.subarray(0, length));
    assert.ok(found.kind === "need-more", `${length} bytes: ${found.kind}`);
    const start = length - (length % 15);
    const end = Math.min(start + 15, spread.length);
    assert.equal(found.atLeastBytes, length - start < 5 ? start + 5 : end, `${length} bytes`);
  }
});
