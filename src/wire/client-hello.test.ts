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

  test("an extension that comes twice makes it malformed", () => {
    // supported_versions (43) becomes a second supported_groups (10).
    const twice = Buffer.from(hybrid);
    const at = twice.indexOf(Buffer.from([0, 43, 0]));
    assert.ok(at > 0);
    twice[at + 1] = 10;
    assert.equal(peek(twice).kind, "malformed");
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
