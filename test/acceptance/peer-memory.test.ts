/** What peers were seen to be capable of, over real sockets: who comes with less is refused or flagged at its first handshake. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import https from "node:https";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { test, type TestContext } from "node:test";
import tls from "node:tls";

import { acceptPeer, listPeers } from "../../src/app/peer-operations.ts";
import { clientTlsOptions } from "../../src/host/net/tls.ts";
import { systemClock } from "../../src/host/system.ts";
import { atEnd, type Cleanup } from "../support/cleanup.ts";
import { cli, startCli } from "../support/cli.ts";
import {
  asked,
  clientOf,
  enrol,
  type Enrolment,
  eventually,
  openPolicy,
  stubServer,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { directLink, gatewayProcess } from "../support/gateway-process.ts";
import { entriesOf, logged, recorded } from "../support/records.ts";
import { webCertificate } from "../support/web-certificate.ts";
import {
  proofKey,
  type ProofKey,
  webAddress,
  webClient,
  webScene,
  type WebScene,
  type WebSceneOptions,
} from "../support/web-gateway.ts";

const day = 86_400_000;
const aliceByApp = "oauth:corp/client/app for oauth:corp/user/alice";

const preferred = `key_exchange: hybrid-preferred
classical_servers: [files]
dpop_nonce: false
sender_constraint: preferred
`;

interface PreferringScene extends WebScene {
  readonly key: ProofKey;
  readonly clock: { readonly nowUnixMs: () => number };
}

/** A gateway whose listener takes classical links, and which does nothing further about what it finds. */
async function preferringScene(
  t: Cleanup,
  { clock = systemClock, sections = "", ...options }: WebSceneOptions = {},
): Promise<PreferringScene> {
  const more = `profile: transition\nresponse: { playbooks: off }\n${sections}`;
  const scene = await webScene(t, { listener: preferred, clock, sections: more, ...options });
  return { ...scene, key: await proofKey(), clock };
}

/** A clock that a test moves on. */
function movable(): { readonly nowUnixMs: () => number; readonly pass: (ms: number) => void } {
  let shift = 0;
  return { nowUnixMs: () => Date.now() + shift, pass: (ms) => void (shift += ms) };
}

/** One call on a link of its own, by alice's app. */
async function callOver(
  t: Cleanup,
  scene: PreferringScene,
  ecdhCurve: string,
  as: "dpop" | "bearer" = "dpop",
) {
  const client = webClient(t, scene, { ecdhCurve });
  const iat = Math.floor(scene.clock.nowUnixMs() / 1000);
  const times = { iat, exp: iat + 300 };
  if (as === "bearer")
    return await client({ headers: { authorization: `Bearer ${await scene.token(times)}` } });
  const token = await scene.token({ cnf: { jkt: scene.key.thumbprint }, ...times });
  return await client({ headers: await scene.key.headers(token, { iat }) });
}

const hybrid = "X25519MLKEM768:X25519";

for (const regression of ["refuse", "flag"] as const) {
  test(`a peer that connected with the hybrid group yesterday and offers only X25519 today is ${regression === "refuse" ? "refused" : "flagged"} at its first handshake, under hybrid preferred too, and the finding says what changed`, async (t) => {
    const clock = movable();
    const scene = await preferringScene(t, { clock, sections: `crypto: { regression: ${regression} }` });
    assert.equal((await callOver(t, scene, hybrid)).status, 200);
    clock.pass(day);
    const answer = await callOver(t, scene, "X25519");
    const [entry] = await entriesOf(scene.gateway, "link.regressed");
    assert.equal(entry?.principal, aliceByApp);
    assert.equal(entry.outcome, regression === "refuse" ? "denied" : "allowed");
    assert.equal(entry.facts["regressions"], "group_lost:high");
    assert.deepEqual(
      [entry.facts["from"], entry.facts["to"], entry.facts["direction"]],
      ["X25519MLKEM768", "X25519", "incoming"],
    );
    assert.match(
      entry.facts["says"] ?? "",
      /^It used X25519MLKEM768 since 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ and doesn't any more: this link has X25519, without ML-KEM\.$/,
    );
    if (regression === "flag") {
      assert.equal(answer.status, 200, answer.text);
      const decision = (await recorded(scene.gateway)).findLast(({ event }) => event === "call.decision");
      assert.equal(decision?.facts["link.regression"], "group_lost:high");
      assert.equal(scene.files.seen.length, 2);
      return;
    }
    assert.equal(answer.status, 403);
    assert.match(
      answer.text,
      /It used X25519MLKEM768 since .* update the client .* latticegate crypto peers accept/,
    );
    assert.match(answer.text, /"reason":"link_regressed"/);
    assert.equal(scene.files.seen.length, 1, "nothing of it reached the server");
    assert.equal(logged(scene.gateway, "call.refused").at(-1)?.["code"], "link_regressed");
  });
}

for (const regression of ["refuse", "flag"] as const) {
  test(`a workload that connected with the hybrid group and comes with X25519 alone is ${regression === "refuse" ? "cut" : "flagged"} at its handshake, under hybrid preferred too`, async (t) => {
    const stub = await stubServer(t);
    const gateway = await testGateway(
      t,
      `profile: transition\ncrypto: { regression: ${regression} }\nresponse: { playbooks: off }\nservers: { open: { url: "${stub.url}" } }\n${openPolicy}`,
      { listen: "{ address: 127.0.0.1:0, key_exchange: hybrid-preferred, classical_servers: [open] }" },
    );
    const enrolment = await enrol(gateway);
    assert.equal((await clientOf(t, gateway, enrolment).post("open", toolCall("echo"))).status, 200);
    const weaker = clientOf(t, gateway, enrolment, { ecdhCurve: "X25519" }).post("open", toolCall("echo"));
    if (regression === "flag") assert.equal((await weaker).status, 200);
    else await assert.rejects(weaker);
    const [entry] = await entriesOf(gateway, "link.regressed");
    assert.equal(entry?.principal, "spiffe://latticegate.local/agent/test");
    assert.deepEqual(
      [entry.outcome, entry.facts["regressions"], entry.facts["from"], entry.facts["to"]],
      [
        regression === "refuse" ? "denied" : "allowed",
        "group_lost:high fingerprint_changed:low",
        "X25519MLKEM768",
        "X25519",
      ],
    );
    assert.equal(stub.seen.length, regression === "refuse" ? 1 : 2, "of a link that is cut nothing is read");
  });
}

test("a peer that has proven itself on a weaker link is cut by the playbooks that come with the gateway; a forged classical hello from its address cuts nothing but itself", async (t) => {
  const stub = await stubServer(t);
  const gateway = await testGateway(
    t,
    `profile: transition\nservers: { open: { url: "${stub.url}" } }\n${openPolicy}`,
    { listen: "{ address: 127.0.0.1:0, key_exchange: hybrid-preferred, classical_servers: [open] }" },
  );
  const [peer, other] = [await enrol(gateway), await enrol(gateway, "agent/other")];
  const call = (who: Enrolment, ecdhCurve?: string) =>
    clientOf(t, gateway, who, ecdhCurve === undefined ? {} : { ecdhCurve }).post("open", toolCall("echo"));
  assert.equal((await call(peer)).status, 200);
  const [host = "", port = ""] = gateway.address.split(":");
  const forged = tls.connect({ host, port: Number(port), ecdhCurve: "X25519", rejectUnauthorized: false });
  forged.on("error", () => undefined).resume();
  await once(forged, "close");
  assert.equal((await call(peer)).status, 200, "nothing is done to whose address it was");
  assert.deepEqual(await entriesOf(gateway, "response.act"), []);

  await assert.rejects(call(peer, "X25519"));
  await eventually("it is cut", async () => (await entriesOf(gateway, "response.act")).length === 1);
  const [act] = await entriesOf(gateway, "response.act");
  assert.deepEqual(
    [act?.principal, act?.facts["action"], act?.facts["by"]],
    ["spiffe://latticegate.local/agent/test", "cut", "playbook:link-downgrade"],
  );
  await assert.rejects(call(peer), "on a good link too, for a while");
  assert.equal((await call(other)).status, 200, "and nobody else is");
});

test("what is remembered outlives a restart, and is forgotten when it wasn't seen for as long as the config says", async (t) => {
  const clock = movable();
  const certificates = [webCertificate("ecdsa", "mcp.acme.test", 400 * day)];
  const first = await preferringScene(t, { clock, certificates });
  const { folder } = first.gateway;
  assert.equal((await callOver(t, first, hybrid)).status, 200);
  await first.gateway.stop();
  clock.pass(179 * day);
  const second = await preferringScene(t, { clock, folder, certificates });
  assert.equal((await callOver(t, second, "X25519")).status, 403);
  clock.pass(2 * day);
  const third = await callOver(t, second, "X25519");
  assert.equal(third.status, 200, third.text);
  assert.equal((await entriesOf(second.gateway, "link.regressed")).length, 1);
});

test("who is erased after a restart, before it has come again, isn't remembered by name any more", async (t) => {
  const certificates = [webCertificate("ecdsa", "mcp.acme.test", 400 * day)];
  const first = await preferringScene(t, { certificates });
  const { folder } = first.gateway;
  assert.equal((await callOver(t, first, hybrid)).status, 200);
  await first.gateway.stop();
  const second = await preferringScene(t, { folder, certificates });
  const { config } = second.gateway;
  assert.deepEqual(
    listPeers(config).map(({ peer }) => peer),
    [aliceByApp],
  );
  const { code, stderr } = await cli([
    "audit",
    "erase",
    "oauth:corp/user/alice",
    "--state",
    config.state,
    "--yes",
  ]);
  assert.equal(code, 0, stderr);
  assert.deepEqual(listPeers(config), []);
  // Of somebody new nothing is remembered that the link could be less than.
  await eventually("it is new", async () => (await callOver(t, second, "X25519")).status === 200);
});

test("with `memory: off` nothing is remembered and nothing judged", async (t) => {
  const scene = await preferringScene(t, { sections: `crypto: { memory: "off" }` });
  assert.equal((await callOver(t, scene, hybrid)).status, 200);
  assert.equal((await callOver(t, scene, "X25519")).status, 200);
  assert.deepEqual(listPeers(scene.gateway.config), []);
});

test("a change that the operator accepts counts in the running gateway, on record with before and after, until the peer is better again", async (t) => {
  const scene = await preferringScene(t);
  const { config } = scene.gateway;
  assert.equal((await callOver(t, scene, hybrid)).status, 200);
  await eventually("it is remembered", () => listPeers(config).length === 1);
  assert.equal(acceptPeerNow(config, aliceByApp), undefined, "there is nothing to accept");
  assert.equal((await callOver(t, scene, "X25519")).status, 403);
  const [refused] = listPeers(config);
  assert.deepEqual(
    refused?.regressions.map(({ kind, verdict }) => [kind, verdict]),
    [["group_lost", "refuse"]],
  );
  assert.match(acceptPeerNow(config, aliceByApp)?.best ?? "", /^X25519, TLS 1.3$/);
  await eventually("it is let in", async () => (await callOver(t, scene, "X25519")).status === 200);
  await eventually(
    "it is on record",
    async () => (await entriesOf(scene.gateway, "link.accept")).length === 1,
  );
  const [accepted] = await entriesOf(scene.gateway, "link.accept");
  assert.deepEqual(accepted?.facts, {
    peer: aliceByApp,
    direction: "incoming",
    before: "X25519MLKEM768, TLS 1.3, key share at once",
    after: "X25519, TLS 1.3",
    regressions: "group_lost:high",
  });
  assert.equal((await callOver(t, scene, hybrid)).status, 200);
  assert.equal((await callOver(t, scene, "X25519")).status, 403, "what was forgotten can be earned again");
});

function acceptPeerNow(config: TestGateway["config"], peer: string) {
  return acceptPeer(config, peer, undefined, systemClock);
}

test("a bearer token is compared with what is remembered, and adds nothing to it", async (t) => {
  const scene = await preferringScene(t);
  assert.equal((await callOver(t, scene, hybrid, "bearer")).status, 200);
  assert.equal((await callOver(t, scene, "X25519", "bearer")).status, 200, "nobody was proven");
  assert.equal((await callOver(t, scene, hybrid)).status, 200);
  await eventually("it is remembered", () => listPeers(scene.gateway.config).length === 1);
  const before = listPeers(scene.gateway.config);
  const stolen = await callOver(t, scene, "X25519", "bearer");
  assert.equal(stolen.status, 403);
  assert.doesNotMatch(stolen.text, /crypto peers accept PEER/);
  const [entry] = await entriesOf(scene.gateway, "link.regressed");
  assert.equal(entry?.facts["evidence"], "unproven");
  await scene.gateway.stop();
  assert.deepEqual(listPeers(scene.gateway.config), before);
});

test("a client that still offers the hybrid group but doesn't predict it any more is flagged, and goes on", async (t) => {
  const scene = await preferringScene(t);
  assert.equal((await callOver(t, scene, hybrid)).status, 200);
  const answer = await callOver(t, scene, "X25519:X25519MLKEM768");
  assert.equal(answer.status, 200, answer.text);
  const [entry] = await entriesOf(scene.gateway, "link.regressed");
  assert.equal(entry?.facts["regressions"], "key_share_missing:low");
  assert.equal(entry.outcome, "allowed");
  const decision = (await recorded(scene.gateway)).findLast(({ event }) => event === "call.decision");
  assert.deepEqual(
    [decision?.facts["link.group"], decision?.facts["link.regression"]],
    ["X25519MLKEM768", "key_share_missing:low"],
  );
});

for (const medium of ["flag", "refuse"] as const) {
  test(`a classical link just after a failed hybrid handshake from there is a fallback: ${medium} is what becomes of that one, and nothing is remembered of it`, async (t) => {
    const scene = await preferringScene(t, { sections: `crypto: { regression: { medium: ${medium} } }` });
    const failing = tls.connect({ ...webAddress(scene.gateway), servername: "mcp.acme.test", ca: [] });
    await assert.rejects(once(failing, "secureConnect"));
    failing.destroy();
    await eventually(
      "the failure was seen",
      async () => (await callOver(t, scene, "X25519")).status === (medium === "flag" ? 200 : 403),
    );
    const [entry] = await entriesOf(scene.gateway, "link.regressed");
    assert.equal(entry?.facts["regressions"], "fallback:medium");
    assert.match(entry.facts["says"] ?? "", /nobody proved that it is the same client/);
    await scene.gateway.stop();
    assert.deepEqual(
      listPeers(scene.gateway.config).map(({ regressions }) => regressions),
      [[]],
    );
  });
}

interface Sidecars {
  readonly gateway: TestGateway;
  readonly enrolment: Enrolment;
  /** A proven link with those groups alone. */
  readonly link: (ecdhCurve: string) => Promise<tls.TLSSocket>;
}

async function sidecars(t: TestContext, sections = ""): Promise<Sidecars> {
  const stub = await stubServer(t);
  const gateway = await testGateway(
    t,
    `servers: { stub: { url: "${stub.url}" } }\n${sections}\n${openPolicy}`,
  );
  const enrolment = await enrol(gateway);
  const [host = "", port = ""] = gateway.address.split(":");
  return {
    gateway,
    enrolment,
    link: async (ecdhCurve) => {
      const options = clientTlsOptions({
        profile: gateway.config.profile,
        serverRoots: enrolment.identity.server_roots,
        peerSpiffeId: enrolment.identity.gateway,
        credentials: enrolment.credentials,
      });
      const link = tls.connect({ ...options, ecdhCurve, host, port: Number(port) });
      atEnd(t, () => void link.destroy());
      await once(link, "secureConnect");
      return link.on("error", () => undefined);
    },
  };
}

test("a sidecar that comes with a lower category than before is cut before a byte of MCP, where the operator says so", async (t) => {
  const { gateway, link } = await sidecars(t, "crypto: { regression: { medium: refuse } }");
  assert.equal(await asked(await link("SecP384r1MLKEM1024")), "403");
  assert.equal(await asked(await link("X25519MLKEM768")), "cut");
  const [entry] = await entriesOf(gateway, "link.regressed");
  assert.equal(entry?.principal, "spiffe://latticegate.local/agent/test");
  assert.deepEqual(
    [entry.outcome, entry.facts["regressions"], entry.facts["from"], entry.facts["to"]],
    ["denied", "level_lowered:medium", "SecP384r1MLKEM1024", "X25519MLKEM768"],
  );
  const [line] = logged(gateway, "link.refused");
  assert.match(
    String(line?.["reason"]),
    /It used SecP384r1MLKEM1024 since .* and now at best X25519MLKEM768/,
  );
  assert.equal(
    await asked(await link("X25519MLKEM768:SecP384r1MLKEM1024")),
    "403",
    "offered again is enough",
  );
  assert.equal((await entriesOf(gateway, "identity.refuse")).length, 0, "its identity is in order");
});

test("a client that is refused at the door is named as a suspicion if a proven peer came like it, and nothing else follows", async (t) => {
  const { gateway, link } = await sidecars(t);
  await assert.rejects(link("X25519"));
  assert.equal(logged(gateway, "link.refused").at(-1)?.["suspicion"], undefined);
  assert.equal(await asked(await link(hybrid)), "403");
  await eventually("it is remembered", () => listPeers(gateway.config).length === 1);
  const before = listPeers(gateway.config);
  await assert.rejects(link("X25519"));
  assert.match(
    String(logged(gateway, "link.refused").at(-1)?.["suspicion"]),
    /^spiffe:\/\/latticegate\.local\/agent\/test came from this address with this fingerprint \(t13.* used X25519MLKEM768; nobody proved that this is the same client$/,
  );
  await gateway.stop();
  assert.deepEqual(listPeers(gateway.config), before);
  assert.equal((await entriesOf(gateway, "link.regressed")).length, 0);
});

/** An https server of somebody else's, whose groups the test sets. */
async function webServer(t: Cleanup) {
  const { certificate, key } = webCertificate("ecdsa", "localhost");
  const credentials = { cert: certificate, key };
  let requests = 0;
  const server = https.createServer(
    { ...credentials, ecdhCurve: "X25519MLKEM768:X25519" },
    (request, response) => {
      requests += 1;
      request.resume();
      response.setHeader("connection", "close");
      response.end(JSON.stringify({ jsonrpc: "2.0", id: 1, result: {} }));
    },
  );
  await once(server.listen(0, "127.0.0.1"), "listening");
  atEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  const trusted = tls.getCACertificates();
  tls.setDefaultCACertificates([...trusted, certificate]);
  atEnd(t, () => tls.setDefaultCACertificates(trusted));
  return {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    requests: () => requests,
    /** For new connections. */
    change: (options: tls.SecureContextOptions) => server.setSecureContext({ ...credentials, ...options }),
  };
}

const lenient = (url: string): string =>
  `profile: transition\nservers: { weather: { url: "${url}/mcp", link: { key_exchange: hybrid-preferred } } }`;

test("a server on the web that lost its hybrid group is sent nothing until the operator accepts it", async (t) => {
  const server = await webServer(t);
  const gateway = await testGateway(t, `${lenient(server.url)}\n${openPolicy}`);
  const client = clientOf(t, gateway, await enrol(gateway));
  const call = () => client.post("weather", toolCall("today"));
  assert.equal((await call()).status, 200);
  server.change({ ecdhCurve: "X25519" });
  const refused = await call();
  assert.equal(refused.status, 502);
  assert.match(refused.text, /nothing was sent\. It used X25519MLKEM768 since/);
  assert.equal(server.requests(), 1);
  const peer = `weather ${server.url}`;
  const [entry] = await entriesOf(gateway, "link.regressed");
  assert.deepEqual([entry?.principal, entry?.facts["direction"]], [peer, "outgoing"]);
  assert.match(entry?.facts["regressions"] ?? "", /^group_lost:high/);
  assert.notEqual(acceptPeerNow(gateway.config, peer), undefined);
  await eventually("it is used again", async () => (await call()).status === 200);
});

test("where it is only flagged, calls to a server that lost its hybrid group go on and say so", async (t) => {
  const server = await webServer(t);
  const sections = "crypto: { regression: flag }";
  const gateway = await testGateway(t, `${lenient(server.url)}\n${sections}\n${openPolicy}`);
  const client = clientOf(t, gateway, await enrol(gateway));
  const call = () => client.post("weather", toolCall("today"));
  assert.equal((await call()).status, 200);
  server.change({ ecdhCurve: "X25519" });
  assert.equal((await call()).status, 200);
  const outcomes = (await recorded(gateway)).filter(({ event }) => event === "call.outcome");
  assert.deepEqual(
    outcomes.map(({ facts }) => facts["upstream.regression"]),
    [undefined, "group_lost:high"],
  );
});

test("a server of ours that goes back to a lower category is sent nothing, and one that follows our own preference isn't one that goes back", async (t) => {
  const shown = webCertificate("ecdsa", "localhost");
  let requests = 0;
  const server = https.createServer({ cert: shown.certificate, key: shown.key }, (request, response) => {
    request.resume();
    response.setHeader("connection", "close");
    const isCall = request.url === "/mcp"; // Else it is asked for a classical identity, which it doesn't have.
    if (isCall) requests += 1;
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, result: {} });
    response.writeHead(isCall ? 200 : 404, { "content-length": body.length }).end(body);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  atEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  const peer = "spiffe://latticegate.local/server/behind";
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
  const gateway = await testGateway(
    t,
    `servers: { behind: { url: "${url}", peer: "${peer}", signatures: off } }
crypto: { regression: { medium: refuse } }
${openPolicy}`,
  );
  const { credentials } = await enrol(gateway, "server/behind");
  const show = (ecdhCurve: string): void =>
    server.setSecureContext({
      cert: credentials.certificate,
      key: credentials.privateKey,
      sigalgs: "mldsa65",
      minVersion: "TLSv1.3",
      ecdhCurve,
    });
  const client = clientOf(t, gateway, await enrol(gateway));
  const call = async () => (await client.post("behind", toolCall("today"))).status;
  // We prefer X25519MLKEM768: to take it is no step back, to refuse it after having had it is one.
  show("SecP384r1MLKEM1024");
  assert.equal(await call(), 200);
  show("X25519MLKEM768");
  assert.equal(await call(), 200);
  const servers = () => listPeers(gateway.config).filter(({ direction }) => direction === "outgoing");
  await eventually("it is remembered", () => servers().length === 1);
  const [known] = servers();
  assert.match(known?.best ?? "", /^SecP384r1MLKEM1024, ML-DSA-65, TLS 1.3$/);
  assert.equal(known?.peer, peer);
  show("SecP256r1MLKEM768");
  assert.equal(await call(), 502);
  assert.equal(requests, 2);
  const [entry, ...more] = await entriesOf(gateway, "link.regressed");
  assert.deepEqual(
    [entry?.principal, entry?.facts["direction"], entry?.facts["regressions"], more],
    [peer, "outgoing", "level_lowered:medium", []],
  );
});

test("what a link showed outlives a kill -9 a second later", async (t) => {
  const stub = await stubServer(t);
  const gateway = await gatewayProcess(t, `servers: { stub: { url: "${stub.url}" } }`);
  const pool = await directLink(t, gateway, "laptop");
  const ask = await pool.request({ path: "/mcp/none", method: "GET" });
  await ask.body.dump();
  const list = async () => (await cli(["crypto", "peers", "--config", gateway.configFile])).stdout;
  await eventually("it is written", async () => (await list()).includes("agent/laptop"));
  const before = await list();
  await gateway.stop("SIGKILL");
  assert.equal(await list(), before);
  await startCli(t, ["up", "--config", gateway.configFile], /^Latticegate is up at (\S+)$/);
  assert.equal(await list(), before);
});

test("crypto peers lists, accepts and says what can't be", async (t) => {
  const scene = await preferringScene(t);
  const { folder, config } = scene.gateway;
  const file = path.join(folder, "latticegate.yaml");
  const run = async (...args: readonly string[]) => await cli(["crypto", "peers", ...args, "--config", file]);
  await writeFile(file, "state: ./state\n");
  assert.match((await run()).stdout, /^no peer is remembered$/m);
  await callOver(t, scene, hybrid);
  await callOver(t, scene, "X25519");
  const listed = await run();
  assert.equal(listed.code, 0, listed.stderr);
  const time = String.raw`\d{4}-\d\d-\d\dT[\d:.]+Z`;
  assert.match(
    listed.stdout,
    new RegExp(
      [
        `incoming  ${aliceByApp}`,
        `  best         X25519MLKEM768, TLS 1\\.3, key share at once, since ${time}, until ${time}`,
        `  last         X25519, TLS 1\\.3, ${time}, 2 links since ${time}`,
        `  refused      group_lost \\(high\\): It used X25519MLKEM768 since .*`,
        "$",
      ].join("\n"),
    ),
  );
  const [json] = JSON.parse((await run("--json")).stdout) as {
    peer: string;
    regressions: { kind: string }[];
  }[];
  assert.deepEqual([json?.peer, json?.regressions.map(({ kind }) => kind)], [aliceByApp, ["group_lost"]]);
  const unknown = await run("accept", "nobody");
  assert.deepEqual([unknown.code, unknown.stdout], [1, ""]);
  assert.match(unknown.stderr, /No peer "nobody" is remembered/);
  assert.equal((await run("accept")).code, 2);
  assert.equal((await run("accept", "x", "--direction", "up")).code, 2);
  const accepted = await run("accept", ...aliceByApp.split(" "));
  assert.deepEqual([accepted.code, accepted.stdout], [0, `accepted ${aliceByApp}: X25519, TLS 1.3\n`]);
  const again = await run("accept", ...aliceByApp.split(" "));
  assert.equal(again.code, 1);
  assert.match(again.stdout, /^nothing to accept/);
  assert.equal(listPeers(config)[0]?.regressions.length, 0);
});
