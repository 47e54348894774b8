/** The signer's socket: who is heard, what is signed, and what a peer that speaks otherwise is told. */
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import net from "node:net";
import { test } from "node:test";

import { cosignedMessage } from "../../src/crypto/cosigned-message.ts";
import { issueLeaf, type LeafRequest } from "../../src/crypto/certificate.ts";
import { generateKeyPair, isSignedBy, type SigningKey } from "../../src/crypto/keys.ts";
import { signatureSuite } from "../../src/crypto/suites/signatures.ts";
import { checkpointBody } from "../../src/audit/checkpoint.ts";
import { frame, maxFrameBytes } from "../../src/host/signer/frames.ts";
import { signerPaths } from "../../src/app/signer/signer-folder.ts";
import type { Signer } from "../../src/host/signer/signer-client.ts";
import { type Authority, createRoot, issueSvid, rootName } from "../../src/identity/authority.ts";
import { toBase64, toBase64url, utf8 } from "../../src/kernel/bytes.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import { atEnd } from "../support/cleanup.ts";
import { eventually } from "../support/gateway.ts";
import { provenBy, rawPeer, type RawPeer, type SignerScene, signerScene } from "../support/signer.ts";
import type { Cleanup } from "../support/cleanup.ts";

const domain = "latticegate.local";
const suite = signatureSuite("ML-DSA-65");

function isRefusal(code: string): (error: unknown) => boolean {
  return (error) => error instanceof Refusal && error.code === code;
}

async function started(t: Cleanup): Promise<{ readonly scene: SignerScene; readonly signer: Signer }> {
  const scene = await signerScene(t);
  await scene.init();
  await scene.start();
  return { scene, signer: await scene.client() };
}

async function provenPeer(t: Cleanup, scene: SignerScene): Promise<RawPeer> {
  const peer = rawPeer(t, scene.socket);
  await eventually("it greets", () => peer.said.length === 1);
  peer.send(provenBy(await scene.secret(), peer.said[0]));
  await eventually("it proves itself", () => peer.said.length === 2);
  return peer;
}

const head = new Uint8Array(4);
const strangers: readonly (readonly [string, (peer: RawPeer, secret: Uint8Array) => void, RegExp])[] = [
  ["garbage", (peer) => void peer.link.write("GET / HTTP/1.1\r\n\r\n"), /at most 32768 bytes/],
  [
    "a frame that is too long",
    (peer) => {
      new DataView(head.buffer).setUint32(0, maxFrameBytes + 1);
      peer.link.write(head);
    },
    /at most 32768 bytes/,
  ],
  ["a frame that is no JSON", (peer) => void peer.link.write(Uint8Array.of(0, 0, 0, 2, 0x7b, 0x7b)), /JSON/],
  ["no proof", (peer) => peer.send({ id: 1, op: "status" }), /a version, a nonce and a proof/],
  [
    "a wrong proof",
    (peer) => peer.send(provenBy(utf8("the secret of another gateway"), peer.said[0])),
    /isn't this signer's secret/,
  ],
  [
    "a proof for another greeting",
    (peer, secret) => peer.send(provenBy(secret, { nonce: toBase64url(new Uint8Array(32)) })),
    /isn't this signer's secret/,
  ],
  [
    "another version",
    (peer, secret) => peer.send({ ...provenBy(secret, peer.said[0]), v: 2 }),
    /speaks version 1/,
  ],
];

for (const [what, act, told] of strangers) {
  test(`a peer with ${what} is told so and cut, and the signer goes on`, async (t) => {
    const { scene, signer } = await started(t);
    const peer = rawPeer(t, scene.socket);
    await eventually("it greets", () => peer.said.length === 1);
    act(peer, await scene.secret());
    await eventually("it is cut", peer.closed);
    assert.equal(peer.said.length, 2, "nothing but the reason");
    assert.match(JSON.stringify(peer.said[1]), told);
    assert.equal((await signer.status()).trust_domain, domain);
  });
}

const requests: readonly (readonly [string, object])[] = [
  ["an operation that isn't there", { id: 1, op: "export", name: "server-root", suite: "ML-DSA-65" }],
  ["a member that isn't there", { id: 1, op: "status", why: "so" }],
  ["no id", { op: "status" }],
  ["a suite that isn't there", { id: 1, op: "key", name: "server-root", suite: "RSA" }],
  [
    "a message that isn't base64",
    { id: 1, op: "sign", name: "server-root", suite: "ML-DSA-65", message: "!" },
  ],
  [
    "a message that is too long",
    { id: 1, op: "sign", name: "server-root", suite: "ML-DSA-65", message: "A".repeat(20_000) },
  ],
];

for (const [what, request] of requests) {
  test(`a proven peer that sends a request with ${what} is told so and cut`, async (t) => {
    const { scene } = await started(t);
    const peer = await provenPeer(t, scene);
    peer.send(request);
    await eventually("it is cut", peer.closed);
    assert.match(JSON.stringify(peer.said[2]), /bad_message/);
  });
}

test("a frame may come in pieces, and several at once", async (t) => {
  const { scene } = await started(t);
  const peer = await provenPeer(t, scene);
  const bytes = Buffer.concat([1, 2, 3].map((id) => frame({ id, op: "status" })));
  for (const byte of bytes) peer.link.write(Uint8Array.of(byte));
  await eventually("each is answered", () => peer.said.length === 5);
  const ids = peer.said.slice(2).map((said) => (said as { id: number }).id);
  assert.deepEqual(ids, [1, 2, 3]);
});

test("more requests at a time than a gateway makes are put off, the others answered", async (t) => {
  const { scene, signer } = await started(t);
  await signer.signing("log-ed25519", "Ed25519");
  const peer = await provenPeer(t, scene);
  const { text } = checkpointBody(`${domain}/log/abc`, 1, new Uint8Array(32));
  const message = toBase64(utf8(text));
  const ask = { op: "sign", name: "log-ed25519", suite: "Ed25519", message };
  peer.link.write(Buffer.concat(Array.from({ length: 70 }, (_, i) => frame({ id: i + 1, ...ask }))));
  await eventually("those beyond are told", () => JSON.stringify(peer.said).split('"busy"').length - 1 === 6);
});

test("connections beyond a bound are cut, and those there are stay", async (t) => {
  const { scene, signer } = await started(t);
  await signer.status();
  const peers = Array.from({ length: 20 }, () => rawPeer(t, scene.socket));
  await eventually("some are cut", () => peers.filter((peer) => peer.closed()).length === 5);
  assert.equal((await signer.status()).trust_domain, domain);
});

test("keys are made on request where a name has a purpose, each once and of one kind", async (t) => {
  const { signer } = await started(t);
  const [a, b] = await Promise.all([1, 2].map(() => signer.signing("server-root.2", "ML-DSA-87")));
  assert.ok(a?.publicKey.equals(b?.publicKey ?? a.publicKey));
  for (const [name, id] of [
    ["sessions", "ML-DSA-65"],
    ["identity", "ML-DSA-65"],
    ["server-root.0", "ML-DSA-65"],
    ["../server-root", "ML-DSA-65"],
    ["server-root/../x", "ML-DSA-65"],
    ["server-root.3", "Ed25519"],
    ["server-root.2", "ML-DSA-65"],
    ["log-", "Ed25519"],
  ] as const) {
    await assert.rejects(signer.signing(name, id), isRefusal("signer_refused"), `${name} ${id}`);
  }
  const { keys } = await signer.status();
  assert.deepEqual(keys, [{ name: "server-root.2", suite: "ML-DSA-87", signatures: 0 }]);
});

test("of certificates, roots are signed once and then leafs of this authority alone", async (t) => {
  const { scene, signer } = await started(t);
  const key = await signer.signing("client-root", "ML-DSA-65");
  const now = Date.now();
  const certificate = await createRoot(domain, { purpose: "client", generation: 1 }, key, now);
  const [publicKey, other] = [generateKeyPair(suite).publicKey, generateKeyPair(suite).publicKey];
  const spiffeId = `spiffe://${domain}/agent/a`;
  const root = { generation: 1, key, certificate, issuesFromUnixMs: 0 };
  const authority: Authority = { trustDomain: domain, roots: { client: [root], server: [root] } };
  const svid = await issueSvid(authority, { spiffeId, purpose: "client", publicKey }, now);
  assert.equal(svid.spiffeId, spiffeId);
  const leaf = (change: Partial<LeafRequest>): Promise<string> =>
    issueLeaf({
      commonName: "a",
      publicKey: other,
      issuer: { commonName: rootName(domain, { purpose: "client", generation: 1 }), key },
      spiffeId,
      purpose: "client",
      notBeforeUnixMs: now - 60_000,
      notAfterUnixMs: now + 3_600_000,
      ...change,
    });
  await leaf({});
  await assert.rejects(
    createRoot(domain, { purpose: "client", generation: 1 }, key, now),
    isRefusal("signer_refused"),
    "a second root",
  );
  await assert.rejects(
    leaf({ notAfterUnixMs: now + 7_200_000 }),
    isRefusal("signer_refused"),
    "a longer life",
  );
  await assert.rejects(leaf({ purpose: "server" }), isRefusal("signer_refused"), "the other purpose");
  await assert.rejects(
    leaf({ spiffeId: "spiffe://evil.test/a" }),
    isRefusal("signer_refused"),
    "another domain",
  );
  await assert.rejects(key.sign(utf8("anything")), isRefusal("signer_refused"), "no certificate");
  assert.ok(scene.log.some((line) => line.includes('"signer.refused"') && line.includes("lives too long")));
  assert.equal((await signer.status()).keys[0]?.signatures, 3);
});

test("of heads, those of one log that grows are signed, and no past is signed twice, whatever key is asked", async (t) => {
  const { scene, signer } = await started(t);
  const origin = `${domain}/log/abcdefgh`;
  const text = await signer.signing("log-ml-dsa-65", "ML-DSA-65");
  const cosigning = await signer.signing("log-ml-dsa-44", "ML-DSA-44");
  const sign = async (size: number, fill: number, of = origin): Promise<void> => {
    const root = new Uint8Array(32).fill(fill);
    const seconds = Math.floor(Date.now() / 1000);
    const asked: readonly (readonly [SigningKey, Uint8Array])[] = [
      [text, utf8(checkpointBody(of, size, root).text)],
      [cosigning, cosignedMessage(of, { origin: of, size, root }, seconds)],
    ];
    const done = await Promise.allSettled(
      asked.map(async ([key, message]) => isSignedBy(key, message, await key.sign(message))),
    );
    assert.equal(done[0]?.status, done[1]?.status, "both keys say the same");
    for (const each of done) {
      if (each.status === "rejected") await Promise.reject(each.reason as Error);
      else assert.ok(each.value, "the signature holds");
    }
  };
  await sign(10, 1);
  await sign(10, 1);
  await sign(12, 2);
  for (const [size, fill] of [
    [11, 1],
    [12, 1],
    [0, 0],
  ] as const)
    await assert.rejects(sign(size, fill), isRefusal("signer_refused"), `${size}`);
  await assert.rejects(sign(20, 3, `${domain}/log/other`), isRefusal("signer_refused"));
  assert.deepEqual((await signer.status()).log, { origin, size: 12, generation: 1 });
  await assert.rejects(scene.start());
});

test("what was signed is remembered by a signer that begins anew", async (t) => {
  const scene = await signerScene(t);
  await scene.init();
  const first = await scene.start();
  const signer = await scene.client();
  const key = await signer.signing("log-ed25519", "Ed25519");
  const body = (size: number): Uint8Array =>
    utf8(checkpointBody(`${domain}/log/abc`, size, new Uint8Array(32)).text);
  await key.sign(body(5));
  await first.stop();
  await scene.start();
  await assert.rejects(key.sign(body(4)), isRefusal("signer_refused"));
  await key.sign(body(5));
});

test("who asks waits for a signer that is away, and no longer than it may", async (t) => {
  const scene = await signerScene(t);
  await scene.init();
  const impatient = await scene.client({ patienceMs: 50 });
  await assert.rejects(impatient.signing("server-root", "ML-DSA-65"), isRefusal("signer_unavailable"));
  const patient = (await scene.client()).signing("server-root", "ML-DSA-65");
  await scene.start();
  assert.equal((await patient).suite.id, "ML-DSA-65");
});

test("a signer that changed its key under a gateway isn't believed", async (t) => {
  const scene = await signerScene(t);
  await scene.init();
  const first = await scene.start();
  const key = await (await scene.client()).signing("log-ed25519", "Ed25519");
  await first.stop();
  await rm(signerPaths(scene.state).keys, { recursive: true });
  await scene.start();
  await (await scene.client()).signing("log-ed25519", "Ed25519");
  const head = utf8(checkpointBody(`${domain}/log/abc`, 1, new Uint8Array(32)).text);
  await assert.rejects(key.sign(head), isRefusal("signer_unavailable"));
});

test("who can't prove to be the signer is asked for nothing", async (t) => {
  const scene = await signerScene(t);
  await scene.init();
  const heard: Buffer[] = [];
  const links: net.Socket[] = [];
  const impostor = net.createServer((link) => {
    links.push(link);
    link.write(frame({ v: 1, nonce: toBase64url(new Uint8Array(32)) }));
    link.on("data", (bytes: Buffer) => {
      heard.push(bytes);
      link.write(frame({ proof: toBase64url(new Uint8Array(32)) }));
    });
    link.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => impostor.listen(scene.socket, resolve));
  atEnd(t, () => {
    for (const link of links) link.destroy();
    impostor.close();
  });
  const signer = await scene.client();
  await assert.rejects(signer.signing("server-root", "ML-DSA-65"), isRefusal("bad_state"));
  const text = Buffer.concat(heard).toString();
  assert.ok(text.includes('"proof"') && !text.includes("server-root"));
  assert.ok(!text.includes(Buffer.from(await scene.secret()).toString()), "nor told the secret");
});
