/**
 * Key shares that aren't what they should be, made so by the client or changed on the way: no link comes of them, the
 * operator is told why, the peer isn't, and everybody else is served on.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { test, type TestContext } from "node:test";
import tls from "node:tls";

import * as fc from "fast-check";

import { kemSuite } from "../../src/crypto/suites/kem.ts";
import type { KeyExchangeSuite } from "../../src/crypto/suites/key-exchange.ts";
import { resolveProfile } from "../../src/crypto/suites/profiles.ts";
import { enrolAlpn } from "../../src/host/net/front-door.ts";
import { clientTlsOptions } from "../../src/host/net/tls.ts";
import { withBit } from "../support/changed-bytes.ts";
import {
  clientOf,
  enrol,
  type Enrolment,
  eventually,
  openPolicy,
  type StubServer,
  stubServer,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { clientShareIn, helloOf, keySharesOf, serverShareIn, withKeyShares } from "../support/hello.ts";
import { entriesOf, logged } from "../support/records.ts";
import { tamperingLink } from "../support/tampering-link.ts";

const { groups } = resolveProfile("hybrid");
/** RFC 8446 §6: fatal, illegal_parameter. */
const illegalParameter = "1503030002022f";

interface House {
  readonly gateway: TestGateway;
  readonly enrolment: Enrolment;
  readonly stub: StubServer;
  /** What was refused since it was asked last, by its reason. */
  readonly refused: () => readonly string[];
  /** A client that was there before goes on, a new one comes in, and no one else reached the server. */
  readonly othersAreServed: () => Promise<void>;
}

async function house(t: TestContext): Promise<House> {
  const stub = await stubServer(t);
  const gateway = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`);
  const enrolment = await enrol(gateway, "agent/good");
  const early = clientOf(t, gateway, enrolment);
  let calls = 0;
  const isServed = async (client: ReturnType<typeof clientOf>): Promise<void> => {
    assert.equal((await client.post("stub", toolCall("a"))).status, 200);
    calls += 1;
    assert.equal(stub.seen.length, calls, "nobody else was heard");
  };
  await isServed(early);
  let told = 0;
  return {
    gateway,
    enrolment,
    stub,
    refused: () => {
      const reasons = logged(gateway, "link.refused").map(({ reason }) => String(reason));
      const fresh = reasons.slice(told);
      told = reasons.length;
      return fresh;
    },
    othersAreServed: async () => {
      await isServed(early);
      await isServed(clientOf(t, gateway, enrolment));
      assert.equal(
        (await entriesOf(gateway, "identity.refuse")).length,
        0,
        "strangers aren't in the audit log",
      );
    },
  };
}

/** Sends these bytes and nothing more; what comes back until the gateway has closed. */
async function answerTo({ gateway }: House, ...messages: readonly Buffer[]): Promise<Buffer> {
  const socket = net.connect(Number(gateway.address.split(":")[1]), "127.0.0.1");
  socket.on("error", () => undefined);
  const chunks: Buffer[] = [];
  const [first, ...rest] = messages;
  socket.write(first ?? "");
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    const next = rest.shift();
    if (next !== undefined) socket.write(next);
  });
  await once(socket, "close");
  return Buffer.concat(chunks);
}

/** The hello of a client that shares a key for that group. */
function helloFor(group: KeyExchangeSuite, more: tls.ConnectionOptions = {}): Promise<Buffer> {
  return helloOf({ ecdhCurve: group.id, minVersion: "TLSv1.3", ...more });
}

/** The same hello with another key for its group. */
function withKey(hello: Buffer, change: (key: Buffer) => Buffer): Buffer {
  return withKeyShares(
    hello,
    keySharesOf(hello).map(({ groupId, key }) => ({ groupId, key: change(key) })),
  );
}

/** Where in a share the KEM's part is (RFC 10024): in front beside X25519, behind a curve's point. */
function kemPart({ id, kem }: KeyExchangeSuite): { readonly start: number; readonly end: number } {
  assert.ok(kem !== null);
  const bytes = kemSuite(kem).publicKeyBytes;
  const point = { X25519MLKEM768: 0, SecP256r1MLKEM768: 65, SecP384r1MLKEM1024: 97 }[id];
  assert.ok(point !== undefined, id);
  return { start: point, end: point + bytes };
}

/** Its first two coefficients become q: the smallest that FIPS 203 §7.2 forbids. */
function withCoefficientsOfQ(group: KeyExchangeSuite, key: Buffer): Buffer {
  const changed = Buffer.from(key);
  changed.writeUIntLE(3329 + 3329 * 4096, kemPart(group).start, 3);
  return changed;
}

const badKeys: Readonly<Record<string, (key: Buffer, group: KeyExchangeSuite) => Buffer>> = {
  "of ones": (key) => Buffer.alloc(key.length, 0xff),
  "of zeros": (key) => Buffer.alloc(key.length),
  "that isn't canonical": (key, group) => withCoefficientsOfQ(group, key),
  "whose classical part is zeros": (key, group) => {
    const { start, end } = kemPart(group);
    const zeros = Buffer.alloc(key.length);
    key.copy(zeros, start, start, end);
    return zeros;
  },
  "without its first byte": (key) => key.subarray(1),
  "without its last byte": (key) => key.subarray(0, -1),
  "with a byte more": (key) => Buffer.concat([key, Buffer.of(0)]),
  "of one byte": () => Buffer.of(4),
  "that comes twice in one": (key) => Buffer.concat([key, key]),
  "of its KEM alone": (key, group) => key.subarray(kemPart(group).start, kemPart(group).end),
  "of 12,000 bytes": () => Buffer.alloc(12_000, 1),
};

for (const group of groups) {
  test(`${group.id}: a key share that is no key gets one alert, whatever is wrong with it, and one log line`, async (t) => {
    const scene = await house(t);
    const hello = await helloFor(group);
    for (const [what, change] of Object.entries(badKeys)) {
      const answer = await answerTo(
        scene,
        withKey(hello, (key) => change(key, group)),
      );
      assert.equal(answer.toString("hex"), illegalParameter, `a key share ${what}`);
      const [reason = "", ...more] = scene.refused();
      assert.match(reason, /^handshake: ERR_SSL_/, `a key share ${what}`);
      assert.deepEqual(more, []);
    }
    await scene.othersAreServed();
  });

  test(`${group.id}: any bytes with a coefficient of q or more, and any of another length, get that alert too`, async (t) => {
    const scene = await house(t);
    const hello = await helloFor(group);
    const [right] = group.shareBytes;
    const anything = fc.oneof(
      fc
        .uint8Array({ minLength: right, maxLength: right })
        .map((bytes) => withCoefficientsOfQ(group, Buffer.from(bytes))),
      fc.uint8Array({ minLength: 1, maxLength: 4000 }).filter(({ length }) => length !== right),
    );
    await fc.assert(
      fc.asyncProperty(anything, async (bytes) => {
        const answer = await answerTo(
          scene,
          withKey(hello, () => Buffer.from(bytes)),
        );
        return answer.toString("hex") === illegalParameter && scene.refused().length === 1;
      }),
      { numRuns: 40 },
    );
    await scene.othersAreServed();
  });

  for (const end of ["client", "server"] as const) {
    test(`${group.id}: with a bit of the ${end}'s share flipped on the way no link comes about`, async (t) => {
      const scene = await house(t);
      const share = group.shareBytes[end === "client" ? 0 : 1];
      const { start } = kemPart(group);
      await fc.assert(
        fc.asyncProperty(
          fc.nat(8 * share - 1),
          async (bit) => await failsTampered(t, scene, { group, end, bit }),
        ),
        // The first and the last bit, and one within the KEM's part.
        { numRuns: 10, examples: [[0], [8 * share - 1], [8 * (start + 100)]] },
      );
      await scene.othersAreServed();
    });
  }
}

interface Flip {
  readonly group: KeyExchangeSuite;
  readonly end: "client" | "server";
  /** Of the share. */
  readonly bit: number;
}

/** @returns whether the client was cut, without a byte in the clear but the two hellos and an alert */
async function failsTampered(t: TestContext, scene: House, { group, end, bit }: Flip): Promise<boolean> {
  const { gateway, enrolment } = scene;
  let flips = 0;
  const link = await tamperingLink(t, gateway.address, () => ({
    [end]: (record: Buffer) => {
      const at = end === "client" ? clientShareIn(record) : serverShareIn(record);
      if (at === undefined) return record;
      flips += 1;
      return withBit(record, 8 * at.start + bit);
    },
  }));
  const [host = "", port = ""] = link.address.split(":");
  const client = tls.connect({
    ...clientTlsOptions({
      profile: gateway.config.profile,
      serverRoots: enrolment.identity.server_roots,
      peerSpiffeId: enrolment.identity.gateway,
      credentials: enrolment.credentials,
    }),
    ecdhCurve: group.id,
    host,
    port: Number(port),
  });
  let isSecure = false;
  client.on("error", () => undefined);
  client.on("secureConnect", () => {
    isSecure = true;
    client.destroy();
  });
  await new Promise((resolve) => client.once("close", resolve));
  if (isSecure) return false;
  await link.over();
  const reasons: string[] = [];
  await eventually("the operator is told why", () => reasons.push(...scene.refused()) > 0);
  assert.equal(reasons.length, 1);
  assert.match(reasons[0] ?? "", /^handshake: /);
  assert.equal(flips, 1);
  assert.deepEqual(inTheClear(link.fromServer()), []);
  return true;
}

/** Records that aren't a handshake in the clear once, a change of cipher, an alert of two bytes, or encrypted. */
function inTheClear(bytes: Buffer): readonly string[] {
  const found: string[] = [];
  let hellos = 0;
  for (let at = 0; at < bytes.length;) {
    const type = bytes.readUInt8(at);
    const length = bytes.readUInt16BE(at + 3);
    if (type === 22) hellos += 1;
    const isExpected =
      type === 20 || type === 23 || (type === 21 && length === 2) || (type === 22 && hellos === 1);
    if (!isExpected) found.push(`${type}: ${bytes.subarray(at, at + 5 + length).toString("hex")}`);
    at += 5 + length;
  }
  return found;
}

test("a bad key share after a HelloRetryRequest gets the same alert", async (t) => {
  const scene = await house(t);
  const [group] = groups;
  assert.ok(group !== undefined);
  // Only a key for X25519 comes first, so the gateway asks for one of its own group.
  const hello = await helloOf({ ecdhCurve: `X25519:${group.id}`, minVersion: "TLSv1.3" });
  const key = withCoefficientsOfQ(group, keySharesOf(await helloFor(group))[0]?.key ?? Buffer.alloc(0));
  const second = withKeyShares(hello, [{ groupId: group.groupId, key }]);
  const answer = await answerTo(scene, hello, second);
  const retry = answer.subarray(0, 5 + answer.readUInt16BE(3));
  assert.equal(serverShareIn(retry), undefined, "a HelloRetryRequest");
  assert.ok(answer.toString("hex").endsWith(illegalParameter));
  assert.ok(answer.length <= retry.length + 6 + 7, "nothing but a change of cipher and the alert behind it");
  assert.match(scene.refused().join(), /^handshake: ERR_SSL_/);
  await scene.othersAreServed();
});

test("a hello without any key for its group, or with a length that lies, is refused", async (t) => {
  const scene = await house(t);
  for (const group of groups) {
    const hello = await helloFor(group);
    const lying = Buffer.from(hello);
    const { start } = clientShareIn(hello);
    lying.writeUInt16BE(hello.readUInt16BE(start - 2) + 1, start - 2);
    const empty = withKey(hello, () => Buffer.alloc(0));
    for (const bytes of [empty, lying]) {
      const answer = await answerTo(scene, bytes);
      assert.equal(answer.toString("hex"), "15030300020232", "decode_error");
      assert.equal(scene.refused().length, 1);
    }
  }
  await scene.othersAreServed();
});

test("newcomers with a bad key share get the same alert, and no identity", async (t) => {
  const scene = await house(t);
  const [group] = groups;
  assert.ok(group !== undefined);
  const hello = await helloFor(group, { ALPNProtocols: [enrolAlpn] });
  const bad = withKey(hello, (key) => withCoefficientsOfQ(group, key));
  assert.equal((await answerTo(scene, bad)).toString("hex"), illegalParameter);
  assert.match(scene.refused().join(), /^handshake: ERR_SSL_/);
  await scene.othersAreServed();
});

test("a peer whose key share was changed and who then says nothing is let go in time", async (t) => {
  const scene = await house(t);
  const [group] = groups;
  assert.ok(group !== undefined);
  // The KEM's last 32 bytes are a seed, of which every value is a key; what is encapsulated to it nobody opens.
  const { end } = kemPart(group);
  const hello = withKey(await helloFor(group), (key) => Buffer.from(withBit(key, 8 * end - 1)));
  const answer = await answerTo(scene, hello);
  assert.deepEqual(inTheClear(answer), []);
  assert.deepEqual(scene.refused(), ["handshake: ERR_TLS_HANDSHAKE_TIMEOUT"]);
  await scene.othersAreServed();
});
