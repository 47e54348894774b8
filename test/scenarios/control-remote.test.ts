/** The control room for other machines: who is let in over TLS, as whom, and what a browser is told. */
import assert from "node:assert/strict";
import { once } from "node:events";
import https from "node:https";
import { test, type TestContext } from "node:test";
import tls from "node:tls";

import { revokeCertificates } from "../../src/app/certificate-authority.ts";
import { controlAlpn } from "../../src/host/net/front-door.ts";
import { clientTlsOptions } from "../../src/host/net/tls.ts";
import { atEnd } from "../support/cleanup.ts";
import {
  type Enrolment,
  enrol,
  eventually,
  openPolicy,
  temporaryFolder,
  testGateway,
  type TestGateway,
} from "../support/gateway.ts";
import { logged } from "../support/records.ts";
import { webCertificate } from "../support/web-certificate.ts";
import { writeCertificate } from "../support/web-gateway.ts";

const host = "room.acme.test";
const origin = `https://${host}`;

interface Room {
  readonly gateway: TestGateway;
  readonly folder: string;
  readonly place: { readonly host: string; readonly port: number };
  /** Of the web certificate. */
  readonly ca: string;
}

async function roomOf(t: TestContext): Promise<Room> {
  const folder = await temporaryFolder(t);
  const { certificate: ca, key } = webCertificate("ecdsa", host);
  await writeCertificate(folder, 0, { certificate: ca, key });
  const yaml = `control:
  people: { vera: { roles: [viewer] }, olga: { roles: [operator] } }
  remote:
    address: 127.0.0.1:0
    url: ${origin}
    certificates: [{ certificate: web0.pem, key: web0.key }]
${openPolicy}`;
  const gateway = await testGateway(t, yaml, { folder });
  const [opened] = logged(gateway, "control.open");
  const [address = "", port] = String(opened?.["address"]).split(":");
  return { gateway, folder, place: { host: address, port: Number(port) }, ca };
}

interface Answer {
  readonly status: number;
  readonly headers: https.RequestOptions["headers"] & Record<string, unknown>;
  readonly body: Record<string, unknown>;
}

/** @param over options of the connection */
async function ask(
  t: TestContext,
  { place }: Room,
  over: tls.ConnectionOptions,
  asked: { readonly path: string; readonly body?: unknown; readonly headers?: Record<string, string> },
): Promise<Answer> {
  const agent = new https.Agent({ ...over, maxCachedSessions: 0 });
  atEnd(t, () => agent.destroy());
  const request = https.request({
    ...place,
    agent,
    servername: host,
    method: asked.body === undefined ? "GET" : "POST",
    path: asked.path,
    headers: { host, "content-type": "application/json", ...asked.headers },
  });
  request.end(asked.body === undefined ? undefined : JSON.stringify(asked.body));
  const [answer] = await once(request, "response");
  let text = "";
  for await (const chunk of answer.setEncoding("utf8")) text += String(chunk);
  const isJson = String(answer.headers["content-type"]).includes("json");
  const body = isJson ? (JSON.parse(text) as Record<string, unknown>) : {};
  return { status: answer.statusCode, headers: answer.headers, body };
}

function commandOf(
  { gateway: { config } }: Room,
  { identity, credentials }: Enrolment,
): tls.ConnectionOptions {
  const { profile } = config;
  const { server_roots: serverRoots, gateway: peerSpiffeId } = identity;
  return clientTlsOptions({ profile, serverRoots, peerSpiffeId, credentials, alpn: controlAlpn });
}

const status = { path: "/api/v1/status" };
const kill = { path: "/api/v1/kill", body: { on: false, because: "a test" } };

test("a person's commands come in by an identity, with the roles of the config", async (t) => {
  const room = await roomOf(t);
  const olga = commandOf(room, await enrol(room.gateway, "person/olga"));
  assert.equal((await ask(t, room, olga, status)).status, 200);
  const session = await ask(t, room, olga, { path: "/api/v1/session" });
  assert.deepEqual([session.body["name"], session.body["by"]], ["person:olga", "identity"]);
  const vera = commandOf(room, await enrol(room.gateway, "person/vera"));
  assert.equal((await ask(t, room, vera, status)).status, 200);
  assert.equal((await ask(t, room, vera, kill)).status, 403, "a viewer can't act");
});

test("whom the config doesn't name isn't let in, whatever authority's certificate it has", async (t) => {
  const room = await roomOf(t);
  for (const path of ["person/mallory", "agent/olga", "person/olga/more"]) {
    const stranger = commandOf(room, await enrol(room.gateway, path));
    const { status: code } = await ask(t, room, stranger, status);
    assert.equal(code, 403, path);
  }
});

test("a revoked identity is refused, and what it has open ends", async (t) => {
  const room = await roomOf(t);
  const enrolled = await enrol(room.gateway, "person/vera");
  const vera = commandOf(room, enrolled);
  const link = tls.connect({ ...vera, ...room.place, servername: host });
  atEnd(t, () => link.destroy());
  await once(link, "secureConnect");
  link.write(`GET /api/v1/stream HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
  const [first] = (await once(link, "data")) as [Buffer];
  assert.match(first.toString(), /^HTTP\/1.1 200/);
  const closed = once(link, "close");
  link.resume();
  revokeCertificates(room.gateway.config, "spiffe://latticegate.local/person/vera", room.gateway.clock);
  await closed;
  await eventually("its next link is refused", async () => {
    const answer = await ask(t, room, vera, status).catch(() => undefined);
    return answer === undefined || answer.status === 401;
  });
});

test("browsers come in over TLS with ML-KEM, by sessions whose cookies no plain page can set", async (t) => {
  const room = await roomOf(t);
  const { ca } = room;
  assert.equal((await ask(t, room, { ca }, status)).status, 401);
  const code = new URLSearchParams(new URL(room.gateway.dashboard ?? "").hash.slice(1)).get("code");
  assert.equal(new URL(room.gateway.dashboard ?? "").origin, origin, "the link leads there");
  const entered = await ask(t, room, { ca }, { path: "/api/v1/session/link", body: { code } });
  assert.equal(entered.status, 200);
  const [cookie = ""] = (entered.headers["set-cookie"] as string[] | undefined) ?? [];
  assert.match(cookie, /^__Host-latticegate-session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Secure$/);
  assert.equal(entered.headers["strict-transport-security"], "max-age=31536000");
  const shown = { cookie: cookie.split(";")[0] ?? "" };
  assert.equal((await ask(t, room, { ca }, { ...status, headers: shown })).status, 200);
  const plain = { cookie: shown.cookie.replace("__Host-", "") };
  assert.equal(
    (await ask(t, room, { ca }, { ...status, headers: plain })).status,
    401,
    "a plain cookie is none",
  );
});

test("another host's name, another site's page and weak cryptography are refused", async (t) => {
  const room = await roomOf(t);
  const { ca } = room;
  const rebound = await ask(t, room, { ca }, { ...status, headers: { host: "evil.example" } });
  assert.equal(rebound.status, 403);
  const page = await ask(t, room, { ca }, { ...status, headers: { origin: "https://evil.example" } });
  assert.equal(page.status, 403);
  await assert.rejects(ask(t, room, { ca, ecdhCurve: "X25519" }, status), /alert handshake failure/i);
  await assert.rejects(ask(t, room, { ca, maxVersion: "TLSv1.2" }, status), /alert handshake failure/i);
  const nobody = {
    ...commandOf(room, await enrol(room.gateway, "person/olga")),
    cert: undefined,
    key: undefined,
  };
  await assert.rejects(ask(t, room, nobody, status));
});

test("a certificate that is replaced is shown to the next browser", async (t) => {
  const room = await roomOf(t);
  const next = webCertificate("ecdsa", host);
  await writeCertificate(room.folder, 0, next);
  await eventually("it is shown", async () => {
    const answer = await ask(t, room, { ca: next.certificate }, status).catch(() => undefined);
    return answer?.status === 401;
  });
});
