/** `crypto status` says of doors, links and servers what their sockets negotiated, and of the state what stands there. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import https from "node:https";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { test } from "node:test";
import type tls from "node:tls";
import { fileURLToPath } from "node:url";

import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { cryptoFacts } from "../../src/app/crypto/crypto-facts.ts";
import { type StatusDocument, statusDocument } from "../../src/app/crypto/status-document.ts";
import { startExpose } from "../../src/app/expose.ts";
import { statePaths } from "../../src/app/state-folder.ts";
import { readLogKey } from "../../src/crypto/log-key.ts";
import { signatureSuite } from "../../src/crypto/suites/signatures.ts";
import { readIfThere } from "../../src/host/store/files.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { outsideAuthority } from "../support/certificates.ts";
import { atEnd, type Cleanup } from "../support/cleanup.ts";
import {
  asked,
  clientOf,
  echoResult,
  enrol,
  eventually,
  openPolicy,
  rawLink,
  stubServer,
  freshState,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { origin, proofKey, webAddress, webClient, webScene } from "../support/web-gateway.ts";

const stdioServer = fileURLToPath(new URL("../support/stdio-server.ts", import.meta.url));
const silent = systemLog({ level: "error", form: "json", write: () => undefined });

async function statusOf({ config, clock }: TestGateway): Promise<StatusDocument> {
  return statusDocument(await cryptoFacts(config, clock));
}

function localAddress(link: tls.TLSSocket): string {
  return `${link.localAddress}:${link.localPort}`;
}

function groupOf(link: tls.TLSSocket): string | undefined {
  const info = link.getEphemeralKeyInfo();
  return info !== null && "name" in info ? info.name : undefined;
}

/** An https server that has no ML-KEM, under a root of its own. @returns its URL, and the lines of its entry */
async function classicalServer(
  t: Cleanup,
  folder: string,
): Promise<{ readonly url: string; readonly auth: string; readonly links: readonly tls.TLSSocket[] }> {
  const authority = outsideAuthority("right");
  const { certificate: cert, key } = authority.issue("127.0.0.1");
  const links: tls.TLSSocket[] = [];
  const server = https.createServer({ cert, key, ecdhCurve: "X25519" }, (request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => echoResult(request, response, body));
  });
  server.on("secureConnection", (link: tls.TLSSocket) => void links.push(link));
  await once(server.listen(0, "127.0.0.1"), "listening");
  atEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  const own = authority.issue("gateway");
  await writeFile(path.join(folder, "own.pem"), own.certificate);
  await writeFile(path.join(folder, "own.key"), own.key);
  await writeFile(path.join(folder, "ca.pem"), authority.certificate);
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    auth: "{ kind: mtls, certificate: { file: own.pem }, key: { file: own.key }, ca: { file: ca.pem } }",
    links,
  };
}

test("status names links, servers and certificates as the sockets and the state have them", async (t) => {
  const stub = await stubServer(t);
  const first = await testGateway(t, `profile: transition\n${openPolicy}`);
  const token = await makeJoinToken(
    first.config,
    { path: "server/stub", address: first.address },
    systemClock,
  );
  const exposed = await startExpose({
    state: await freshState(t),
    joinToken: token,
    clock: systemClock,
    log: silent,
    server: { url: stub.url },
    listen: "127.0.0.1:0",
    allow: [],
  });
  atEnd(t, exposed.stop);
  await first.stop();
  const classical = await classicalServer(t, first.folder);
  const gateway = await testGateway(
    t,
    `profile: transition
servers:
  behind: { url: "${exposed.url}", peer: "${exposed.spiffeId}" }
  pipe: { command: ["${process.execPath}", "${stdioServer}"] }
  old: { url: "${classical.url}", auth: ${classical.auth}, link: { key_exchange: hybrid-preferred } }
  near: { url: "${stub.url}" }
  far: { url: "http://192.0.2.1/mcp" }
${openPolicy}`,
    { folder: first.folder, listen: first.address },
  );

  const before = await statusOf(gateway);
  assert.equal(before.gateway.state, "running");
  assert.deepEqual(
    before.servers?.map(({ name, negotiated }) => [name, negotiated]),
    ["behind", "pipe", "old", "near", "far"].map((name) => [name, null]),
    "nothing is claimed of what wasn't reached",
  );

  const enrolment = await enrol(gateway, "agent/raw");
  const link = await rawLink(gateway, enrolment);
  atEnd(t, () => void link.destroy());
  await asked(link);
  const client = clientOf(t, gateway, await enrol(gateway, "agent/b"));
  for (const server of ["old", "near", "behind"]) {
    assert.equal((await client.post(server, toolCall("echo"))).status, 200, server);
  }
  await makeJoinToken(gateway.config, { path: "agent/later", address: gateway.address }, systemClock);
  await eventually(
    "the exposed server asks what is revoked",
    async () => (await statusOf(gateway)).links?.some((each) => each.for === "revocations") === true,
  );
  const status = await statusOf(gateway);

  const [listener, ...more] = status.listeners ?? [];
  assert.equal(more.length, 0);
  assert.equal(listener?.name, gateway.address);
  assert.equal(listener?.authentication, "ml-dsa-mtls");
  const shown = link.getPeerX509Certificate()?.publicKey.asymmetricKeyType;
  assert.deepEqual(
    listener?.certificates.map((id) => signatureSuite(id as "ML-DSA-65").keyType),
    [shown],
  );

  const mine = status.links?.find(({ remote }) => remote === localAddress(link));
  assert.equal(mine?.group, groupOf(link));
  assert.equal(mine?.key_exchange, "hybrid");
  assert.deepEqual(mine?.callers, [enrolment.identity.spiffe_id]);
  assert.equal(mine?.certificate, enrolment.key.suite.id);
  const asks = status.links?.find((each) => each.for === "revocations");
  assert.deepEqual(asks?.callers, [exposed.spiffeId]);

  const server = (name: string) => status.servers?.find((each) => each.name === name);
  const [old] = classical.links;
  assert.ok(old !== undefined);
  const { at, ...negotiated } = server("old")?.negotiated ?? { at: "" };
  assert.ok(Date.parse(at) <= Date.now());
  assert.deepEqual(negotiated, {
    version: old.getProtocol(),
    group: "X25519",
    cipher: old.getCipher().name,
    server_key: "ECDSA-P-256",
  });
  assert.equal(server("behind")?.negotiated?.group, "X25519MLKEM768");
  assert.equal(server("behind")?.negotiated?.server_key, "ML-DSA-65");
  assert.equal(server("near")?.how, "http");
  assert.equal(server("near")?.negotiated, null);
  assert.equal(server("pipe")?.how, "stdio");
  assert.deepEqual(
    status.weak_spots.map(({ level, where }) => [level, where]),
    [
      ["high", "server old"],
      ["high", "server far"],
    ],
  );

  const holders = status.certificates.map(({ holder, purpose, algorithm }) => [
    holder.replace("spiffe://latticegate.local/", ""),
    purpose,
    algorithm,
  ]);
  assert.deepEqual(holders, [
    ["agent/b", "client", "ML-DSA-65"],
    ["agent/raw", "client", "ML-DSA-65"],
    ["server/stub", "classical server", "Ed25519"],
    ["server/stub", "server", "ML-DSA-65"],
  ]);
  assert.deepEqual(
    status.join_tokens.map((each) => each.for),
    ["spiffe://latticegate.local/agent/later"],
  );
  assert.deepEqual(
    status.own_certificates?.map(({ used, algorithm, classical: beside }) => [used, algorithm, beside]),
    [
      ["at the door", "ML-DSA-65", "Ed25519"],
      ["towards servers", "ML-DSA-65", "Ed25519"],
    ],
  );
  const keys = readLogKey((await readIfThere(statePaths(gateway.config.state).logKey)) ?? "");
  assert.equal(status.log_keys.length, keys.at(-1)?.keys.length);
  assert.deepEqual(
    status.roots.map(({ purpose, kind, algorithm, state }) => [purpose, kind, algorithm, state]),
    [
      ["client", "main", "ML-DSA-65", "issuing"],
      ["server", "main", "ML-DSA-65", "issuing"],
      ["server", "classical", "Ed25519", "issuing"],
      ["client", "classical", "Ed25519", "issuing"],
    ],
  );
  assert.ok(status.delegation_keys.includes("ML-DSA-65"));
  assert.deepEqual(status.manifests, []);

  link.destroy();
  await eventually(
    "the link is gone from the status",
    async () => (await statusOf(gateway)).links?.every(({ remote }) => remote !== mine?.remote) === true,
  );
});

test("after a change status has both profiles, what is taken of each, and both kinds of certificates", async (t) => {
  const first = await testGateway(t, openPolicy);
  await first.stop();
  const options = { folder: first.folder, listen: first.address };
  const gateway = await testGateway(t, `profile: cnsa-2.0\n${openPolicy}`, options);
  const status = await statusOf(gateway);
  const { profile, outgoing, since } = status.profile;
  assert.equal(profile.name, "cnsa-2.0");
  assert.ok(Date.parse(since ?? "") <= Date.now());
  assert.deepEqual(
    outgoing.map((each) => each.profile.name),
    ["hybrid"],
  );
  const until = outgoing[0]?.until ?? "";
  assert.ok(Date.parse(until) > Date.now());
  const [listener] = status.listeners ?? [];
  assert.deepEqual(listener?.groups, ["SecP384r1MLKEM1024", "X25519MLKEM768", "SecP256r1MLKEM768"]);
  assert.deepEqual(listener?.certificates.toSorted(), ["ML-DSA-65", "ML-DSA-87"]);
  assert.deepEqual(listener?.classical, ["Ed25519"], "which stays");
  const algorithms = (used: string): readonly string[] =>
    (status.own_certificates ?? []).flatMap((each) => (each.used === used ? [each.algorithm] : []));
  assert.deepEqual(algorithms("towards servers").toSorted(), ["ML-DSA-65", "ML-DSA-87"]);
  assert.deepEqual(
    status.roots.filter(({ kind }) => kind === "main").map(({ purpose, algorithm }) => [purpose, algorithm]),
    ["client", "server"].flatMap((purpose) => [
      [purpose, "ML-DSA-65"],
      [purpose, "ML-DSA-87"],
    ]),
  );
  assert.deepEqual(status.weak_spots, [
    { level: "low", where: "profile hybrid", why: `what it had is still taken, until ${until}` },
  ]);

  await gateway.stop();
  const clock = { nowUnixMs: () => Date.now() + 3 * 3_600_000 };
  const later = await statusOf(
    await testGateway(t, `profile: cnsa-2.0\n${openPolicy}`, { ...options, clock }),
  );
  assert.deepEqual(later.profile.outgoing, []);
  assert.deepEqual(later.listeners?.[0]?.groups, ["SecP384r1MLKEM1024"]);
  assert.deepEqual(
    later.listeners?.[0]?.newcomers,
    ["X25519MLKEM768", "SecP256r1MLKEM768"],
    "who was away comes back with what it had",
  );
});

test("status tells clients with tokens apart by their groups, and names the weak ones first", async (t) => {
  const scene = await webScene(t, {
    top: "profile: transition",
    listener: "key_exchange: hybrid-preferred\nclassical_servers: [files]\ndpop_nonce: false\n",
  });
  const { gateway } = scene;
  const key = await proofKey();
  const call = async (app: string, ecdhCurve: string) => {
    const client = webClient(t, scene, { ecdhCurve });
    const token = await scene.token({ client_id: app, cnf: { jkt: key.thumbprint } });
    const answer = await client({ headers: await key.headers(token) });
    assert.equal(answer.status, 200, answer.text);
  };
  await call("old", "X25519");
  await call("new", "X25519MLKEM768");
  const status = await statusOf(gateway);
  const web = status.listeners?.find(({ name }) => name === origin);
  const { host, port } = webAddress(gateway);
  assert.equal(web?.address, `${host}:${port}`);
  assert.deepEqual(web?.groups, [
    "X25519MLKEM768",
    "SecP384r1MLKEM1024",
    "SecP256r1MLKEM768",
    "X25519",
    "P-256",
  ]);
  assert.deepEqual(web?.certificates, ["ECDSA-P-256"]);
  const links = status.links?.map(({ callers, group, key_exchange: exchange, certificate }) => [
    callers[0]?.split("/")[2],
    group,
    exchange,
    certificate,
  ]);
  assert.deepEqual(links?.toSorted(), [
    ["new", "X25519MLKEM768", "hybrid", null],
    ["old", "X25519", "classical", null],
  ]);
  assert.deepEqual(
    status.issuers?.map(({ name, last_token: last }) => [name, last?.algorithm]),
    [["corp", "ES256"]],
  );
  assert.deepEqual(
    Object.fromEntries(status.callers.map(({ caller, group }) => [caller.split("/")[2], group])),
    { new: "X25519MLKEM768", old: "X25519" },
  );
  assert.deepEqual(
    status.weak_spots.map(({ level, where }) => [level, where.split(" ")[0]]),
    [
      ["high", "caller"],
      ["high", "link"],
      ["medium", "listener"],
      ["low", "listener"],
      ["low", "issuer"],
    ],
  );
});
