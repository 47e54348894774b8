/** Paths that break hybrid handshakes: what is tried, what is remembered and told, and that no link gets weaker for it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import net, { type AddressInfo } from "node:net";
import path from "node:path";
import { test, type TestContext } from "node:test";
import tls from "node:tls";

import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { connectHttp } from "../../src/app/connect.ts";
import { examine } from "../../src/app/doctor.ts";
import { startExpose } from "../../src/app/expose.ts";
import { pathFactText, readPathFacts } from "../../src/app/path-facts.ts";
import { KnownPaths, type PathEvent, triedText, wayText } from "../../src/host/net/known-paths.ts";
import { hostAndPort } from "../../src/host/net/listen.ts";
import { linkOpener, type LinkOpener } from "../../src/host/net/open-link.ts";
import { whySegmentsAreFixed } from "../../src/host/net/segment-size.ts";
import { clientTlsOptions, negotiatedGroup } from "../../src/host/net/tls.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import { atEnd } from "../support/cleanup.ts";
import { cli } from "../support/cli.ts";
import {
  clientOf,
  enrol,
  eventually,
  openPolicy,
  stubServer,
  freshState,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { type FirstFlight, middlebox, segmentReader, type Treatment } from "../support/middlebox.ts";

/** A hello with a hybrid key share is 1.3 KB and more, one without 0.3. */
const isBig = ({ helloBytes }: FirstFlight): boolean => helloBytes > 1000;
const isLong = ({ segmentBytes = 0 }: FirstFlight): boolean => segmentBytes > 1200;
const noSegments = (await whySegmentsAreFixed()) ?? false;

interface House {
  readonly gateway: TestGateway;
  readonly open: (address: string, paths: KnownPaths, timeoutMs?: number) => ReturnType<LinkOpener>;
}

async function house(t: TestContext, profile = "hybrid"): Promise<House> {
  const stub = await stubServer(t);
  const gateway = await testGateway(
    t,
    `profile: ${profile}\nservers: { stub: { url: "${stub.url}" } }\n${openPolicy}`,
  );
  const { config } = gateway;
  if (profile !== "hybrid") return { gateway, open: () => Promise.reject(new Error("no identity")) };
  const { identity, credentials } = await enrol(gateway);
  const options = clientTlsOptions({
    profile: config.profile,
    serverRoots: identity.server_roots,
    peerSpiffeId: identity.gateway,
    credentials,
  });
  return {
    gateway,
    open: async (to, paths, timeoutMs) => {
      const link = await linkOpener(options, paths)(hostAndPort(to), { timeoutMs });
      atEnd(t, () => link.destroy());
      return link;
    },
  };
}

interface Sidecar {
  readonly state: string;
  readonly log: readonly { readonly event: string; readonly [field: string]: unknown }[];
  readonly call: () => Promise<number>;
}

/** `latticegate connect stub`, which knows the gateway under that address alone. */
async function sidecarAt(t: TestContext, { config }: TestGateway, address: string): Promise<Sidecar> {
  const lines: Sidecar["log"][number][] = [];
  const write = (line: string): void => void lines.push(JSON.parse(line) as Sidecar["log"][number]);
  const state = await freshState(t);
  const connection = await connectHttp(
    {
      target: "stub",
      state,
      joinToken: await makeJoinToken(config, { path: "agent/sidecar", address }, systemClock),
      clock: systemClock,
      log: systemLog({ level: "info", form: "json", write }),
    },
    0,
  );
  atEnd(t, connection.close);
  const call = async (): Promise<number> => {
    const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
    const body = JSON.stringify(toolCall("x"));
    const answer = await fetch(connection.url, { method: "POST", headers, body });
    await answer.text();
    return answer.status;
  };
  return { state, log: lines, call };
}

for (const [box, treatment, met] of [
  ["drops hellos with a hybrid key share", "silent", "silence"],
  ["resets connections at hellos with a hybrid key share", "reset", "reset"],
  ["closes connections at hellos with a hybrid key share", "close", "reset"],
] as const) {
  for (const profile of ["hybrid", "cnsa-2.0"]) {
    test(`behind a box that ${box}, a sidecar of ${profile} joins and calls with a small hello, and says so`, async (t) => {
      const { gateway } = await house(t, profile);
      const { address, seen } = await middlebox(t, gateway.address, (first) =>
        isBig(first) ? treatment : "pass",
      );
      const sidecar = await sidecarAt(t, gateway, address);
      assert.equal(await sidecar.call(), 200);
      const told = sidecar.log.filter(({ event }) => event.startsWith("path."));
      assert.deepEqual(
        told.map(({ event, level, destination, tried, worked }) => ({
          event,
          level,
          destination,
          tried,
          worked,
        })),
        [
          {
            event: "path.small_hello",
            level: "warn",
            destination: address,
            tried: `as configured: ${met}`,
            worked: "small hello",
          },
        ],
      );
      assert.equal(seen.filter(isBig).length, 1, "later links begin with what worked");
      assert.ok(seen.length >= 4, "one that failed, two to join, one to call");
      await eventually("the fact is kept", async () => (await readPathFacts(sidecar.state)).length > 0);
      const texts = (await readPathFacts(sidecar.state)).map(pathFactText);
      assert.ok(texts.includes(`${address}: small hello (as configured: ${met})`), texts.join("\n"));
    });
  }
}

test("a small hello leads to the hybrid group that the whole one would have", async (t) => {
  const { gateway, open } = await house(t);
  const { address } = await middlebox(t, gateway.address, (first) => (isBig(first) ? "reset" : "pass"));
  const paths = new KnownPaths();
  for (const round of ["first", "second"]) {
    const link = await open(address, paths);
    assert.equal(negotiatedGroup(link, gateway.config.profile).id, "X25519MLKEM768", round);
  }
});

test(
  "where long packets are lost, a link is opened with smaller segments, announced to the other end; the next begins so",
  { skip: noSegments },
  async (t) => {
    const { gateway } = await house(t);
    const { address, seen } = await middlebox(t, gateway.address, (first) =>
      isLong(first) ? "late" : "pass",
    );
    const sidecar = await sidecarAt(t, gateway, address);
    assert.equal(await sidecar.call(), 200);
    const [told, ...more] = sidecar.log.filter(({ event }) => event.startsWith("path."));
    assert.deepEqual(more, []);
    assert.equal(told?.event, "path.small_segments");
    assert.equal(told["worked"], "segments of 1180 bytes");
    // The whole hello is answered by a long packet, the small one by a short one before that.
    assert.equal(told["tried"], "as configured: silence; small hello: stall");
    assert.equal(seen.filter(isLong).length, 2, "later links begin with what worked");
    assert.equal(seen.filter((first) => !isBig(first)).length, 1, "the hello wasn't what was too much");
  },
);

test(
  "where long packets are lost in both directions and big hellos dropped, both are avoided",
  { skip: noSegments },
  async (t) => {
    const { gateway, open } = await house(t);
    const { address } = await middlebox(t, gateway.address, lossyAndPicky);
    const paths = new KnownPaths();
    const link = await open(address, paths);
    assert.equal(negotiatedGroup(link, gateway.config.profile).id, "X25519MLKEM768");
    const texts = paths.facts().map(({ way, tried }) => `${wayText(way)} after ${triedText(tried)}`);
    const steps = "as configured: silence; small hello: stall; segments of 1180 bytes: silence";
    assert.deepEqual(texts, [`small hello, segments of 1180 bytes after ${steps}`]);
  },
);

function lossyAndPicky(first: FirstFlight): Treatment {
  if (isBig(first)) return "silent";
  return isLong(first) ? "late" : "pass";
}

test("links that are opened at the same time share one search for a way", { skip: noSegments }, async (t) => {
  const { gateway, open } = await house(t);
  const { address, seen } = await middlebox(t, gateway.address, lossyAndPicky);
  const paths = new KnownPaths();
  const events: PathEvent[] = [];
  paths.observe((event) => events.push(event));
  const count = 8;
  await Promise.all(Array.from({ length: count }, () => open(address, paths)));
  // Each begins as configured and ends with what was found; one of them tried what lies between.
  assert.equal(seen.length, 2 * count + 2);
  const found = events.filter(({ kind }) => kind === "detour");
  assert.ok(found.length >= 1);
  assert.ok(events.every(({ kind }) => kind === "detour"));
});

test("a path that nothing gets through ends in a refusal with what was tried, within the time there is", async (t) => {
  const { gateway, open } = await house(t);
  const { address } = await middlebox(t, gateway.address, () => "silent");
  const paths = new KnownPaths();
  const events: PathEvent[] = [];
  paths.observe((event) => events.push(event));
  for (const round of ["first", "again"]) {
    await assert.rejects(open(address, paths, 3000), (error) => {
      assert.ok(error instanceof Refusal, round);
      assert.equal(error.code, "upstream_failed");
      assert.equal(error.facts["sent"], false);
      assert.match(error.message, /as configured: silence; small hello: silence.*Nothing came back/s);
      return true;
    });
  }
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ["broken"],
    "told once",
  );
});

/** What stands at a server's address: TLS by its own identity, without any hybrid group. */
async function classicalServer(
  t: TestContext,
  gateway: TestGateway,
): Promise<{ readonly address: string; readonly spiffeId: string; readonly heard: () => number }> {
  const { identity, credentials } = await enrol(gateway, "server/old");
  let heard = 0;
  const server = tls.createServer(
    {
      cert: credentials.certificate,
      key: credentials.privateKey,
      ca: [...identity.client_roots],
      ecdhCurve: "X25519",
      minVersion: "TLSv1.3",
      requestCert: true,
    },
    (socket) => socket.on("error", () => undefined).on("data", (bytes) => (heard += bytes.length)),
  );
  server.on("tlsClientError", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(t, () => server.close());
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { address, spiffeId: identity.spiffe_id, heard: () => heard };
}

for (const treatment of ["reset", "silent"] as const) {
  test(`a box that answers a whole hello with ${treatment} and has a classical server behind it gets no call`, async (t) => {
    const first = await house(t);
    const old = await classicalServer(t, first.gateway);
    const { address, seen } = await middlebox(t, old.address, (flight) =>
      isBig(flight) ? treatment : "pass",
    );
    const { gateway } = first;
    await gateway.stop();
    const again = await testGateway(
      t,
      `servers: { old: { url: "https://${address}", peer: "${old.spiffeId}" } }\n${openPolicy}`,
      { folder: gateway.folder },
    );
    const client = clientOf(t, again, await enrol(again));
    const answer = await client.post("old", toolCall("x"));
    assert.equal(answer.status, 502);
    assert.match(answer.text, /negotiated X25519 when a hybrid key share didn't get through/);
    assert.ok(
      seen.some((flight) => !isBig(flight)),
      "the small hello was tried",
    );
    assert.equal(old.heard(), 0, "no byte of the call");
    assert.ok(again.log.some((line) => line.includes('"path.broken"')));
  });
}

test("a server that isn't ours, and took a classical group as configured, isn't given one for breaking the hello", async (t) => {
  const { gateway } = await house(t);
  const old = await classicalServer(t, gateway);
  const { address } = await middlebox(t, old.address, (first) => (isBig(first) ? "reset" : "pass"));
  const open = linkOpener({ rejectUnauthorized: false, minVersion: "TLSv1.3" }, new KnownPaths());
  const straight = await open(hostAndPort(old.address));
  atEnd(t, () => straight.destroy());
  await assert.rejects(open(hostAndPort(address)), /A hybrid group was offered and is required/);
});

test("an exposed server joins, and asks what is revoked, over the same bad path", async (t) => {
  const { gateway } = await house(t);
  const { address } = await middlebox(t, gateway.address, (first) => (isBig(first) ? "silent" : "pass"));
  const stub = await stubServer(t);
  const lines: string[] = [];
  const exposed = await startExpose({
    server: { url: stub.url },
    listen: "127.0.0.1:0",
    allow: [],
    state: await freshState(t),
    joinToken: await makeJoinToken(gateway.config, { path: "server/behind", address }, systemClock),
    clock: systemClock,
    log: systemLog({ level: "info", form: "json", write: (line) => void lines.push(line) }),
  });
  atEnd(t, exposed.stop);
  await eventually("the list was taken", () => lines.some((line) => line.includes("revocations.taken")));
  assert.ok(lines.some((line) => line.includes('"path.small_hello"')));
});

test("a server that refuses is taken at its word: no other way is tried", async (t) => {
  const { gateway, open } = await house(t);
  const { address, seen } = await middlebox(t, gateway.address, () => "pass");
  const paths = new KnownPaths();
  const wrong = linkOpener({ ecdhCurve: "X25519", minVersion: "TLSv1.3" }, paths);
  await assert.rejects(wrong(hostAndPort(address)), /alert handshake failure|HANDSHAKE_FAILURE/i);
  assert.equal(seen.length, 1);
  await open(address, paths);
  assert.equal(seen.length, 2);
});

test(
  "a listener with paths.segment has clients send short segments, whoever they are",
  { skip: noSegments },
  async (t) => {
    const gateway = await testGateway(t, "paths: { segment: 1180 }");
    const long = await testGateway(t, "");
    for (const [address, isShort] of [
      [long.address, false],
      [gateway.address, true],
    ] as const) {
      const socket = net.connect(hostAndPort(address));
      atEnd(t, () => socket.destroy());
      await once(socket, "connect");
      const segment = (await segmentReader())(socket) ?? 0;
      assert.equal(segment <= 1180, isShort, `${segment} bytes`);
    }
  },
);

test("a segment that no path needs is refused with what is expected", async () => {
  for (const segment of ["100", "9000", "soon"]) {
    const args = ["expose", "http://127.0.0.1:1/mcp", "--segment", segment];
    const { code, stderr } = await cli(args);
    assert.notEqual(code, 0);
    assert.match(stderr, new RegExp(`--segment: expected .*, found "${segment}"`));
  }
});

test("doctor and status tell which paths need a detour; a file that can't be read tells nothing", async (t) => {
  const gateway = await testGateway(t, "");
  const { config, folder } = gateway;
  const file = path.join(folder, "state", "paths.json");
  const fact = {
    destination: "files.example:8443",
    way: { hello: "whole", segment_bytes: 1180 },
    tried: [{ way: { hello: "whole" }, met: "stall" }],
    found: new Date().toISOString(),
  };
  const text = "files.example:8443: segments of 1180 bytes (as configured: stall)";
  const told = async (): Promise<readonly unknown[]> => {
    const findings = await Array.fromAsync(examine({ config, clock: systemClock }));
    return findings.filter(({ what }) => what === "path").map((finding) => [finding.level, finding.text]);
  };
  const state = async (): Promise<string> => {
    await writeFile(path.join(folder, "latticegate.yaml"), `state: ./state\nlisten: ${gateway.address}\n`);
    return (await cli(["status", "--config", path.join(folder, "latticegate.yaml")])).stdout;
  };
  await writeFile(file, JSON.stringify([fact]));
  assert.deepEqual(await told(), [["warn", text]]);
  assert.ok((await state()).includes(`Path      to ${text}`));
  await writeFile(file, JSON.stringify([{ ...fact, way: { hello: "loud" } }]));
  assert.deepEqual(await told(), []);
  assert.ok(!(await state()).includes("Path "));
});
