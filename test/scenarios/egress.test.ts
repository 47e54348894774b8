/** A sandboxed server's way out: what the proxy lets through, what it refuses, and what it cuts in the middle. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import http from "node:http";
import { test, type TestContext } from "node:test";

import { EgressRefusal } from "../../src/host/egress/egress-desk.ts";
import type { Destination } from "../../src/policy/egress/destination.ts";
import type { EgressRuleDocument } from "../../src/policy/egress/egress-rules.ts";
import { askProxy, type EgressScene, egressScene, sink, tunnelTo } from "../support/egress-scene.ts";
import { eventually, stubServer, temporaryFolder } from "../support/gateway.ts";
import { helloOf } from "../support/hello.ts";

const KiB = 1024;
const loopback = ["127.0.0.0/8"];
const learning: Partial<EgressRuleDocument> = { addresses: loopback, effect: "learn" };
const dayMs = 86_400_000;
const night = Date.UTC(2026, 0, 4, 3, 12);

test("where no rule allows it nothing is reached, and the server is told so", async (t) => {
  const place = await sink(t, "127.0.0.2");
  const scene = await egressScene(t, { rules: [{ hosts: ["api.example"] }] });
  const answer = await tunnelTo(scene, `127.0.0.2:${place.port}`);
  assert.equal(answer.status, 403);
  assert.match(answer.head, /proxy-status: latticegate; error=http_request_denied; details="No egress rule/);
  assert.match(answer.body(), /No egress rule allows 127\.0\.0\.2:\d+\./);
  const plain = await askProxy(scene, `GET http://127.0.0.2:${place.port}/x HTTP/1.1\r\nHost: a\r\n\r\n`);
  assert.equal(plain.status, 403);
  assert.equal(place.connections(), 0);
  const [entry] = scene.entries;
  assert.equal(entry?.event, "egress.deny");
  assert.equal(entry?.facts["destination"], `127.0.0.2:${place.port}`);
  assert.equal(scene.entries.length, 1, "what repeats it is counted");
});

test("a name that no rule could let through isn't even looked up", async (t) => {
  const scene = await egressScene(t, { rules: [{ hosts: ["api.example"] }] });
  assert.equal((await tunnelTo(scene, "c2VjcmV0.attacker.example:443")).status, 403);
  assert.deepEqual(scene.lookedUp, []);
});

test("what is allowed is dialled at the address that was judged, and bytes are counted both ways", async (t) => {
  const place = await sink(t, "127.0.0.2", Buffer.from("welcome"));
  const scene = await egressScene(t, {
    rules: [{ hosts: ["api.example"], addresses: loopback }],
    names: { "api.example": ["127.0.0.2"] },
  });
  const answer = await tunnelTo(scene, `api.example:${place.port}`);
  assert.equal(answer.status, 200);
  answer.socket.write("payload-123");
  await eventually("both ways", () => place.received() === 11 && answer.body() === "welcome");
  answer.socket.destroy();
  await eventually("the end is on record", () => scene.entries.some(({ event }) => event === "egress.close"));
  const [opened, closed] = scene.entries;
  assert.equal(opened?.event, "egress.open");
  assert.equal(opened?.facts["addresses"], "127.0.0.2");
  assert.equal(opened?.callId, closed?.callId);
  assert.deepEqual(
    [closed?.facts["sent"], closed?.facts["received"], closed?.facts["address"], closed?.facts["tls"]],
    ["11", "7", "127.0.0.2", "none"],
  );
  assert.deepEqual(scene.lookedUp, ["api.example"], "looked up once: a second answer could be another");
  assert.doesNotMatch(JSON.stringify(scene.entries) + scene.log.join(""), /payload-123|welcome/);
});

const inside = [
  "127.0.0.1",
  "10.0.0.1",
  "169.254.169.254",
  "::1",
  "fd00:ec2::254",
  "168.63.129.16",
  "::ffff:127.0.0.1",
];
for (const address of inside) {
  test(`a public name that stands for ${address} leads nowhere`, async (t) => {
    const scene = await egressScene(t, {
      rules: [{ hosts: ["*.example"] }, { hosts: ["*"], effect: "learn" }],
      names: { "rebinding.example": [address] },
    });
    const answer = await tunnelTo(scene, "rebinding.example:80");
    assert.equal(answer.status, 403);
    assert.match(answer.body(), /a private network or the cloud's own services/);
  });
}

test("of a name with good and bad addresses only the good ones are dialled", async (t) => {
  const place = await sink(t, "127.0.0.3");
  const scene = await egressScene(t, {
    rules: [{ hosts: ["api.example"], addresses: ["127.0.0.3"] }],
    names: { "api.example": ["10.0.0.1", "127.0.0.3"] },
  });
  assert.equal((await tunnelTo(scene, `api.example:${place.port}`)).status, 200);
  assert.equal(scene.entries[0]?.facts["addresses"], "127.0.0.3");
});

test("TLS for another place than the proxy was asked for is refused before a byte of it goes on", async (t) => {
  const place = await sink(t, "127.0.0.2");
  const scene = await egressScene(t, {
    rules: [{ hosts: ["api.example"], addresses: loopback }],
    names: { "api.example": ["127.0.0.2"] },
  });
  const answer = await tunnelTo(scene, `api.example:${place.port}`);
  answer.socket.write(await helloOf({ servername: "front.attacker.example" }));
  await answer.closed;
  assert.equal(place.received(), 0);
  await eventually("it is on record", () => scene.entries.length === 2);
  assert.match(
    scene.entries[1]?.facts["because"] ?? "",
    /TLS names front\.attacker\.example, .* api\.example/,
  );
  assert.equal(scene.entries[1]?.outcome, "denied");
});

test("of TLS that passes by, its name, JA4 and groups are on record", async (t) => {
  const place = await sink(t, "127.0.0.2");
  const scene = await egressScene(t, {
    rules: [{ hosts: ["api.example"], addresses: loopback }],
    names: { "api.example": ["127.0.0.2"] },
  });
  const answer = await tunnelTo(scene, `API.example:${place.port}`);
  const hello = await helloOf({ servername: "api.example", ecdhCurve: "X25519MLKEM768:X25519" });
  // In pieces, as a slow network brings it.
  answer.socket.write(hello.subarray(0, 3));
  await new Promise((resolve) => setImmediate(resolve));
  answer.socket.write(hello.subarray(3));
  await eventually("the hello went on whole", () => place.received() === hello.length);
  answer.socket.destroy();
  await eventually("it is on record", () => scene.entries.length === 2);
  const facts = scene.entries[1]?.facts ?? {};
  assert.equal(facts["server_name"], "api.example");
  assert.match(facts["ja4"] ?? "", /^t13d[0-9]{4}/);
  assert.match(facts["groups"] ?? "", /^X25519MLKEM768/);
  assert.match(facts["key_shares"] ?? "", /X25519MLKEM768/);
});

test("at port 443 nothing but TLS goes through", async (t) => {
  const scene = await egressScene(t, { rules: [{ hosts: ["198.18.0.1"] }] });
  const destination: Destination = {
    host: "198.18.0.1",
    port: 443,
    literal: { version: 4, bits: 0xc612_0001n },
  };
  const crossing = await scene.desk.open(destination, "tunnel");
  assert.match(crossing.began(undefined) ?? "", /no TLS/);
  crossing.ended();
});

async function burst(scene: EgressScene, authority: string, bytes: number): Promise<void> {
  const answer = await tunnelTo(scene, authority);
  assert.equal(answer.status, 200, answer.body());
  answer.socket.write(randomBytes(bytes));
  await answer.closed;
}

test("a burst to where the server has never been is cut in the middle, explained, and not tried again", async (t) => {
  const folder = await temporaryFolder(t);
  const place = await sink(t, "127.0.0.2");
  const options = {
    folder,
    rules: [learning],
    names: { "drop.attacker.example": ["127.0.0.2"] },
  };
  const scene = await egressScene(t, options);
  const authority = `drop.attacker.example:${place.port}`;
  await burst(scene, authority, 1024 * KiB);
  assert.ok(place.received() > 0, "it began");
  assert.ok(place.received() <= 64 * KiB, `at most the allowance got out, not ${place.received()}`);
  await eventually("it is on record", () => scene.entries.some(({ event }) => event === "egress.cut"));
  const cut = scene.entries.find(({ event }) => event === "egress.cut");
  assert.match(
    cut?.facts["says"] ?? "",
    /^The server "notes" was sending [\d.]+ KiB of late to drop\.attacker\.example:\d+ \(127\.0\.0\.2\), and had got 0 bytes back, on Sunday at 03:12 \(UTC\)\. It had never been there\. It was never seen to send anything at that hour of the week, so at most 64\.0 KiB may go there at once\. The connection was cut after [\d.]+ KiB, and drop/,
  );
  assert.ok(scene.log.some((line) => line.includes('"egress.cut"') && line.includes('"error"')));

  const again = await tunnelTo(scene, authority);
  assert.equal(again.status, 403);
  assert.match(again.body(), /refused until an operator lifts that \(latticegate egress lift drop/);
  assert.equal(scene.entries.filter(({ event }) => event === "egress.open").length, 1);
  await scene.stop();

  const restarted = await egressScene(t, options);
  assert.equal((await tunnelTo(restarted, authority)).status, 403, "a restart forgets nothing");
  assert.ok(restarted.store.lift(authority));
  const lifted = await tunnelTo(restarted, authority);
  assert.equal(lifted.status, 200);
  lifted.socket.destroy();
});

test("what is let through at noon, when the server works, is cut at three in the morning", async (t) => {
  let now = Date.UTC(2026, 0, 3, 12);
  const [usual, unknown] = [await sink(t, "127.0.0.2", Buffer.from("ok")), await sink(t, "127.0.0.3")];
  const scene = await egressScene(t, {
    rules: [learning],
    names: { "usual.example": ["127.0.0.2"], "noon.example": ["127.0.0.3"], "night.example": ["127.0.0.3"] },
    nowUnixMs: () => now,
  });
  const visit = await tunnelTo(scene, `usual.example:${usual.port}`);
  await eventually("it works", () => visit.body() === "ok");
  visit.socket.destroy();
  await eventually("it ends", () => scene.entries.some(({ event }) => event === "egress.close"));
  const atNoon = await tunnelTo(scene, `noon.example:${unknown.port}`);
  atNoon.socket.write(randomBytes(100 * KiB));
  await eventually("all of it arrives", () => unknown.received() === 100 * KiB);
  now += 15 * 3_600_000;
  await burst(scene, `night.example:${unknown.port}`, 100 * KiB);
  assert.ok(unknown.received() <= 164 * KiB);
  const cut = scene.entries.find(({ event }) => event === "egress.cut");
  assert.match(
    cut?.facts["says"] ?? "",
    /night\.example.*on Sunday at 03:00 \(UTC\).*never seen to send anything at that hour/,
  );
});

test("a place that is known may be sent what it usually is, at any hour", async (t) => {
  let now = night - 10 * dayMs;
  const place = await sink(t, "127.0.0.2", Buffer.from("ok"));
  const scene = await egressScene(t, {
    rules: [learning],
    names: { "api.example": ["127.0.0.2"] },
    nowUnixMs: () => now,
  });
  const authority = `api.example:${place.port}`;
  let before = 0;
  for (let day = 0; day < 5; day++) {
    const answer = await tunnelTo(scene, authority);
    answer.socket.write(randomBytes(40 * KiB));
    await eventually("it arrives", () => place.received() === before + 40 * KiB);
    before = place.received();
    answer.socket.destroy();
    await eventually(
      "it ends",
      () => scene.entries.filter(({ event }) => event === "egress.close").length === day + 1,
    );
    now += dayMs;
  }
  const answer = await tunnelTo(scene, authority);
  answer.socket.write(randomBytes(200 * KiB));
  await eventually("more than an unknown place may have", () => place.received() === before + 200 * KiB);
  answer.socket.write(randomBytes(400 * KiB));
  await answer.closed;
  await eventually("and not everything", () => scene.entries.some(({ event }) => event === "egress.cut"));
  assert.match(
    scene.entries.find(({ event }) => event === "egress.cut")?.facts["says"] ?? "",
    /It goes there: all but the largest of its last 5 connections there sent at most 40\.0 KiB/,
  );
});

test("where a rule allows a place, a burst is told and goes on", async (t) => {
  const place = await sink(t, "127.0.0.2");
  const scene = await egressScene(t, { rules: [{ hosts: ["127.0.0.2"] }] });
  const answer = await tunnelTo(scene, `127.0.0.2:${place.port}`);
  answer.socket.write(randomBytes(700 * KiB));
  await eventually("all of it", () => place.received() === 700 * KiB);
  answer.socket.destroy();
  await eventually("it is on record", () => scene.entries.length === 2);
  assert.equal(scene.entries[1]?.facts["unusual"], "burst");
  assert.equal(scene.log.filter((line) => line.includes("egress.unusual")).length, 1);
});

test("a rule on bytes ends a connection when it stops to hold, and blocks nothing", async (t) => {
  const place = await sink(t, "127.0.0.2");
  const scene = await egressScene(t, {
    rules: [{ hosts: ["127.0.0.2"] }, { effect: "deny", when: "bytes.sent > 10000", because: "No uploads." }],
  });
  const authority = `127.0.0.2:${place.port}`;
  await burst(scene, authority, 500 * KiB);
  assert.ok(place.received() <= 10_000);
  await eventually("it is on record", () => scene.entries.length === 2);
  assert.equal(scene.entries[1]?.facts["because"], "No uploads.");
  assert.equal((await tunnelTo(scene, authority)).status, 200);
});

test("plain requests go where they are judged to go, without what is the proxy's", async (t) => {
  const stub = await stubServer(t, (_request, response) => void response.end("hello"));
  const { port } = new URL(stub.url);
  const scene = await egressScene(t, {
    rules: [{ hosts: ["api.example"], addresses: loopback }],
    names: { "api.example": ["127.0.0.1"] },
  });
  const answer = await askProxy(
    scene,
    `POST http://api.example:${port}/a?b=c HTTP/1.1\r\nHost: other.example\r\nProxy-Authorization: Basic eA==\r\nConnection: x-hop\r\nX-Hop: 1\r\nContent-Length: 4\r\n\r\nbody`,
  );
  assert.equal(answer.status, 200);
  await eventually("the answer", () => answer.body().includes("hello"));
  const [seen] = stub.seen;
  assert.equal(seen?.body, "body");
  assert.equal(seen?.headers.host, `api.example:${port}`);
  assert.equal(seen?.headers["proxy-authorization"], undefined);
  assert.equal(seen?.headers["x-hop"], undefined);
});

const odd: readonly (readonly [what: string, answer: string, status: number])[] = [
  ["another protocol", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", 502],
  ["no HTTP", "220 mail.example ESMTP\r\n", 502],
  ["endless headers", `HTTP/1.1 200 OK\r\nX: ${"x".repeat(100_000)}`, 502],
  ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 502],
];
for (const [what, bytes, status] of odd) {
  test(`an odd answer to a plain request is an error, and the proxy goes on: ${what}`, async (t) => {
    const place = await sink(t, "127.0.0.2", Buffer.from(bytes));
    const scene = await egressScene(t, { rules: [{ hosts: ["127.0.0.2"] }] });
    const url = `http://127.0.0.2:${place.port}/`;
    const answer = await askProxy(scene, `GET ${url} HTTP/1.1\r\nHost: a\r\n\r\n`);
    assert.equal(answer.status, status);
    await eventually("it is on record", () => scene.entries.some(({ event }) => event === "egress.close"));
    assert.equal((await tunnelTo(scene, "a.example:443")).status, 403);
  });
}

test("a plain upload that is a burst is cut, too", async (t) => {
  const stub = await stubServer(t);
  const { port } = new URL(stub.url);
  const scene = await egressScene(t, {
    rules: [learning],
    names: { "api.example": ["127.0.0.1"] },
  });
  const request = http.request({
    socketPath: scene.socketPath,
    path: `http://api.example:${port}/`,
    method: "POST",
    headers: { host: "api.example" },
  });
  const ended = new Promise((resolve) => request.once("error", resolve).once("response", resolve));
  request.end(randomBytes(900 * KiB));
  await ended;
  await eventually("it is on record", () => scene.entries.some(({ event }) => event === "egress.cut"));
  assert.equal(stub.seen.length, 0, "no whole request arrived");
  assert.notEqual(scene.store.blockOf(`api.example:${port}`), undefined);
});

const hostile: readonly (readonly [what: string, request: string, status: number])[] = [
  ["no HTTP", "\x16\x03\x01 hello\r\n\r\n", 400],
  ["a request to the proxy itself", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["no destination", "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["no port", "CONNECT a.example HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["an address written as a number", "CONNECT 2130706433:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["https without a tunnel", "GET https://a.example/ HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["a path that isn't written as one", "GET http://a.example/\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["a user in the URL", "GET http://a@127.0.0.1/ HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["headers without an end", `GET http://a.example/ HTTP/1.1\r\nX: ${"a".repeat(40_000)}\r\n\r\n`, 400],
];
for (const [what, request, status] of hostile) {
  test(`a hostile request is answered, and the proxy goes on: ${what}`, async (t) => {
    const scene = await egressScene(t, { rules: [] });
    assert.equal((await askProxy(scene, request)).status, status);
    assert.equal((await tunnelTo(scene, "a.example:443")).status, 403);
  });
}

test("a server that knocks everywhere is held up, and fills no log", async (t) => {
  const scene = await egressScene(t, { rules: [{ hosts: ["*.example"], effect: "deny" }] });
  const destination = (n: number): Destination => ({ host: `h${n}.example`, port: 443 });
  const codes: number[] = [];
  for (let n = 0; n < 2000; n++) {
    const refusal = await scene.desk.open(destination(n), "tunnel").catch((error: unknown) => error);
    assert.ok(refusal instanceof EgressRefusal);
    codes.push(refusal.status);
  }
  assert.equal(codes.filter((code) => code === 403).length, 600);
  assert.equal(codes.filter((code) => code === 503).length, 1400);
  await scene.stop();
  assert.ok(scene.entries.length <= 602, String(scene.entries.length));
});

test("new places are bounded for each day", async (t) => {
  const scene = await egressScene(t, {
    rules: [{ hosts: ["**.example"], addresses: loopback, effect: "learn" }],
    names: Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`h${n}.example`, ["127.0.0.2"]])),
    settings: { newPerDay: 20 },
  });
  const refused: string[] = [];
  for (let n = 0; n < 40; n++) {
    await scene.desk.open({ host: `h${n}.example`, port: 443 }, "tunnel").then(
      (crossing) => crossing.ended(),
      (error: unknown) => refused.push(String(error)),
    );
  }
  assert.equal(refused.length, 20);
  assert.match(refused[0] ?? "", /20 new destinations today/);
});

test("what can't be recorded isn't let out", async (t) => {
  const place = await sink(t, "127.0.0.2");
  const scene = await egressScene(t, { rules: [{ hosts: ["127.0.0.2"] }], journalFails: true });
  assert.equal((await tunnelTo(scene, `127.0.0.2:${place.port}`)).status, 503);
  assert.equal(place.connections(), 0);
});

test("a destination that isn't there is told as such", async (t: TestContext) => {
  const scene = await egressScene(t, {
    rules: [{ hosts: ["*.example", "127.0.0.2"] }],
    names: {},
  });
  const noName = await tunnelTo(scene, "gone.example:443");
  assert.equal(noName.status, 502);
  assert.match(noName.body(), /There is no address for gone\.example/);
  assert.equal((await tunnelTo(scene, "127.0.0.2:1")).status, 502);
});

test("what was lifted by a command is in the audit log of the sidecar that runs next", async (t) => {
  const folder = await temporaryFolder(t);
  const first = await egressScene(t, { rules: [], folder });
  first.store.block({ destination: "a.example:443", sinceUnixMs: night, because: "It sent too much." });
  assert.ok(first.store.lift("a.example:443"));
  await first.stop();
  const next = await egressScene(t, { rules: [], folder });
  await next.stop();
  const lifts = [...first.entries, ...next.entries].filter(({ event }) => event === "egress.lift");
  assert.deepEqual(
    lifts.map(({ facts }) => facts["destination"]),
    ["a.example:443"],
  );
});
