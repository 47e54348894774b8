/** The listener for clients with access tokens: what its doors take, what strangers learn, and which pages may call. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import tls from "node:tls";

import { parseConfig } from "../../src/app/config.ts";
import { startGateway } from "../../src/app/gateway.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import { atEnd } from "../support/cleanup.ts";
import { eventually, temporaryFolder } from "../support/gateway.ts";
import { logged, recorded } from "../support/records.ts";
import { webCertificate } from "../support/web-certificate.ts";
import {
  clientsMayAll,
  filesResource,
  origin,
  proofKey,
  webAddress,
  webClient,
  webScene,
  type WebScene,
  writeCertificate,
} from "../support/web-gateway.ts";

/** A connection, once it is proven to the client; or the error that ended it. */
async function connected(
  t: TestContext,
  scene: WebScene,
  options: tls.ConnectionOptions = {},
): Promise<tls.TLSSocket> {
  const socket = tls.connect({
    ...webAddress(scene.gateway),
    servername: "mcp.acme.test",
    ca: scene.certificate.certificate,
    ...options,
  });
  atEnd(t, () => void socket.destroy());
  await once(socket, "secureConnect");
  return socket.on("error", () => undefined);
}

function groupOf(socket: tls.TLSSocket): string | undefined {
  const info = socket.getEphemeralKeyInfo();
  return info !== null && "name" in info ? info.name : undefined;
}

test("a client without ML-KEM gets no link where hybrid is required, TLS 1.2 none at all", async (t) => {
  const scene = await webScene(t);
  await assert.rejects(connected(t, scene, { ecdhCurve: "X25519" }), /alert handshake failure/i);
  await assert.rejects(connected(t, scene, { maxVersion: "TLSv1.2" }), /alert handshake failure/i);
  const reasons = logged(scene.gateway, "link.refused").map(({ reason }) => String(reason));
  assert.match(reasons[0] ?? "", /no post-quantum group/);
  assert.match(reasons[1] ?? "", /no TLS 1.3/);
});

const preferred = `key_exchange: hybrid-preferred
classical_servers: [other]
dpop_nonce: false
`;

test("where hybrid is preferred, who can do it gets it, even if it predicts a classical group", async (t) => {
  const scene = await webScene(t, { top: "profile: transition", listener: preferred });
  for (const ecdhCurve of ["X25519:X25519MLKEM768", "auto", "P-256:SecP256r1MLKEM768"]) {
    assert.match(groupOf(await connected(t, scene, { ecdhCurve })) ?? "", /MLKEM/, ecdhCurve);
  }
  await assert.rejects(connected(t, scene, { maxVersion: "TLSv1.2" }), /alert handshake failure/i);
  await assert.rejects(connected(t, scene, { ecdhCurve: "P-521" }), /alert handshake failure/i);
});

for (const [ecdhCurve, group] of [
  ["X25519", "X25519"],
  ["P-256", "P-256"],
] as const) {
  test(`a classical link over ${group} reaches the servers it may, is so recorded, and reaches no other`, async (t) => {
    const scene = await webScene(t, {
      top: "profile: transition",
      listener: preferred,
      policies: clientsMayAll.replaceAll('["files/*"]', '["files/*", "other/*"]'),
    });
    const key = await proofKey();
    const client = webClient(t, scene, { ecdhCurve });
    const call = async (server: string) => {
      const htu = `${origin}/mcp/${server}`;
      const token = await scene.token({ aud: htu, cnf: { jkt: key.thumbprint } });
      return await client({ path: `/mcp/${server}`, headers: await key.headers(token, { htu }) });
    };
    assert.equal((await call("other")).status, 200);
    const [decision] = await recorded(scene.gateway);
    assert.deepEqual([decision?.facts["link.group"], decision?.facts["link.kind"]], [group, "classical"]);
    const refused = await call("files");
    assert.equal(refused.status, 403);
    assert.match(refused.text, /post-quantum key exchange/);
    const entries = await recorded(scene.gateway);
    assert.equal(entries.at(-1)?.facts["reason"], "classical_link");
    assert.equal(entries.at(-1)?.outcome, "denied");
    assert.equal(scene.files.seen.length, 1);
  });
}

test("of two certificates, who can verify ML-DSA is shown that one, and others the other", async (t) => {
  const certificates = [webCertificate("ecdsa"), webCertificate("ml-dsa")] as const;
  const scene = await webScene(t, { certificates });
  const ca = certificates.map(({ certificate }) => certificate);
  const shown = async (sigalgs?: string): Promise<string | undefined> =>
    (await connected(t, scene, { ca, ...(sigalgs !== undefined && { sigalgs }) })).getPeerX509Certificate()
      ?.fingerprint256;
  assert.equal(await shown(), certificates[1].fingerprint);
  assert.equal(await shown("ecdsa_secp256r1_sha256"), certificates[0].fingerprint);
  assert.equal(await shown("ecdsa_secp256r1_sha256:mldsa65"), certificates[1].fingerprint);
});

test("a certificate that was replaced is shown to new connections, and half of a replacement isn't", async (t) => {
  const scene = await webScene(t);
  const { folder } = scene.gateway;
  const next = webCertificate("ecdsa");
  const shown = async (): Promise<string | undefined> =>
    (await connected(t, scene, { rejectUnauthorized: false })).getPeerX509Certificate()?.fingerprint256;
  const open = await connected(t, scene);
  await writeFile(path.join(folder, "web0.pem"), next.certificate);
  await eventually(
    "the half is seen",
    () => logged(scene.gateway, "listener.certificate_refused").length > 0,
  );
  assert.equal(await shown(), scene.certificate.fingerprint);
  await writeCertificate(folder, 0, next);
  await eventually("the whole is shown", async () => (await shown()) === next.fingerprint);
  assert.ok(!open.destroyed, "open links go on");
});

test("a listener whose certificate can't be right isn't opened", async (t) => {
  const folder = await temporaryFolder(t);
  const start = async (): Promise<unknown> => {
    const text = `
dashboard: "off"
issuers: { corp: { issuer: "https://as.acme.test" } }
listen:
  - 127.0.0.1:0
  - { address: "127.0.0.1:0", authentication: web-certificate, url: "${origin}", issuers: [corp], certificates: [{ certificate: web0.pem, key: web0.key }] }
`;
    const config = parseConfig(text, path.join(folder, "latticegate.yaml"));
    const log = systemLog({ write: () => undefined });
    const gateway = await startGateway(config, { clock: systemClock, log });
    await gateway.stop();
    return "started";
  };
  const refused = (text: RegExp) => (error: unknown) =>
    error instanceof Refusal && error.code === "bad_config" && text.test(error.message);
  const good = webCertificate("ecdsa");
  await assert.rejects(start(), refused(/web0\.pem can't be read/));
  await writeCertificate(folder, 0, webCertificate("ecdsa", "www.acme.test"));
  await assert.rejects(start(), refused(/isn't for mcp\.acme\.test.*www\.acme\.test/));
  await writeCertificate(folder, 0, webCertificate("ecdsa", "mcp.acme.test", -1000));
  await assert.rejects(start(), refused(/ended at/));
  await writeCertificate(folder, 0, { certificate: good.certificate, key: webCertificate("ecdsa").key });
  await assert.rejects(start(), refused(/certificate and key/));
  await writeCertificate(folder, 0, { certificate: "none", key: good.key });
  await assert.rejects(start(), refused(/PEM/));
  await writeCertificate(folder, 0, good);
  assert.equal(await start(), "started");
});

test("each server has metadata of its own, and so has a name that is no server's", async (t) => {
  const scene = await webScene(t, {
    listener: `scopes: { "files:read": ["files/read_*"], "all": ["*"], "other": ["other/*"] }`,
  });
  const client = webClient(t, scene);
  const answer = await client({ method: "GET", path: "/.well-known/oauth-protected-resource/mcp/files" });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers["access-control-allow-origin"], "*");
  assert.deepEqual(JSON.parse(answer.text), {
    resource: filesResource,
    authorization_servers: [scene.issuer.url],
    scopes_supported: ["files:read", "all"],
    bearer_methods_supported: ["header"],
    dpop_signing_alg_values_supported: [
      "ML-DSA-44",
      "ML-DSA-65",
      "ML-DSA-87",
      "Ed25519",
      "EdDSA",
      "ES256",
      "ES384",
      "ES512",
    ],
    dpop_bound_access_tokens_required: false,
    tls_client_certificate_bound_access_tokens: true,
  });
  const unknown = await client({ method: "GET", path: "/.well-known/oauth-protected-resource/mcp/nowhere" });
  assert.equal(unknown.status, 200);
  for (const at of [
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/",
    "/.well-known/oauth-protected-resource/mcp/",
    "/.well-known/oauth-protected-resource/mcp/files/more",
    "/.well-known/oauth-authorization-server",
    "/mcp/files/more",
    "/mcp/",
    "/",
  ]) {
    assert.deepEqual([at, (await client({ method: "GET", path: at })).status], [at, 404]);
  }
});

test("a listener whose url is an audience is one resource, with metadata at the root", async (t) => {
  const scene = await webScene(t, {
    listener: `client_certificates: false\ndpop_nonce: false\naudiences: ["${origin}"]`,
  });
  const client = webClient(t, scene);
  const answer = await client({ method: "GET", path: "/.well-known/oauth-protected-resource" });
  const metadata = JSON.parse(answer.text) as Record<string, unknown>;
  assert.equal(metadata["resource"], origin);
  assert.equal(metadata["dpop_bound_access_tokens_required"], true);
  assert.equal(metadata["tls_client_certificate_bound_access_tokens"], false);
  const key = await proofKey();
  const token = await scene.token({ aud: origin, cnf: { jkt: key.thumbprint } });
  assert.equal((await client({ headers: await key.headers(token) })).status, 200);
});

test("a page may call from an origin that is listed, and from no other", async (t) => {
  const page = "https://app.acme.test";
  const scene = await webScene(t, { listener: `dpop_nonce: false\norigins: ["${page}"]` });
  scene.files.server.prependListener("request", (_request, response) => {
    response.setHeader("access-control-allow-origin", "*");
  });
  const client = webClient(t, scene);
  const key = await proofKey();
  const token = await scene.token({ cnf: { jkt: key.thumbprint } });
  const asked = "authorization,dpop,content-type,mcp-param-region,x-evil";
  const preflight = await client({
    method: "OPTIONS",
    headers: {
      origin: page,
      "access-control-request-method": "POST",
      "access-control-request-headers": asked,
    },
  });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers["access-control-allow-origin"], page);
  assert.equal(
    preflight.headers["access-control-allow-headers"],
    "authorization, dpop, content-type, mcp-param-region",
  );
  const answer = await client({ headers: { origin: page, ...(await key.headers(token)) } });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers["access-control-allow-origin"], page, "the server's own word doesn't count");
  assert.match(String(answer.headers["access-control-expose-headers"]), /WWW-Authenticate.*Mcp-Session-Id/);
  const challenge = await client({ headers: { origin: page } });
  assert.deepEqual([challenge.status, challenge.headers["access-control-allow-origin"]], [401, page]);
  for (const other of ["https://evil.test", "null", `${page}.evil.test`, "https://APP.acme.test", origin]) {
    const refused = await client({ headers: { origin: other, ...(await key.headers(token)) } });
    assert.deepEqual(
      [refused.status, refused.headers["access-control-allow-origin"]],
      [403, undefined],
      other,
    );
    assert.equal((await client({ method: "OPTIONS", headers: { origin: other } })).status, 403);
  }
  assert.equal(scene.files.seen.length, 1);
});

test("a request under another name than the listener's is refused before its token is looked at", async (t) => {
  const scene = await webScene(t, { listener: "dpop_nonce: false" });
  const client = webClient(t, scene);
  const key = await proofKey();
  for (const host of ["evil.test", "mcp.acme.test:8443", "127.0.0.1"]) {
    const token = await scene.token({ cnf: { jkt: key.thumbprint } });
    assert.equal((await client({ headers: { host, ...(await key.headers(token)) } })).status, 403, host);
  }
  assert.equal(
    (
      await client({
        method: "GET",
        path: "/.well-known/oauth-protected-resource/mcp/files",
        headers: { host: "evil.test" },
      })
    ).status,
    403,
  );
  assert.equal(scene.files.seen.length, 0);
});

test("a server's own challenge reaches no client with a token", async (t) => {
  const scene = await webScene(t, { listener: "dpop_nonce: false" });
  const client = webClient(t, scene);
  const key = await proofKey();
  const answers = { 401: 502, 403: 403 } as const;
  for (const [status, told] of Object.entries(answers)) {
    scene.files.server.removeAllListeners("request").on("request", (request, response) => {
      request.resume();
      response.writeHead(Number(status), {
        "www-authenticate": 'Bearer resource_metadata="https://evil.test/"',
      });
      response.end();
    });
    const token = await scene.token({ cnf: { jkt: key.thumbprint } });
    const answer = await client({ headers: await key.headers(token) });
    assert.deepEqual([answer.status, answer.challenges], [told, []]);
  }
});

test("a client with a token can't have a forward server take it along", async (t) => {
  const scene = await webScene(t, {
    listener: "dpop_nonce: false",
    policies: clientsMayAll.replaceAll('["files/*"]', '["*"]'),
    servers: `anywhere: { forward: ["http://127.0.0.1:*"] }`,
  });
  const client = webClient(t, scene);
  const key = await proofKey();
  const htu = `${origin}/mcp/anywhere`;
  const token = await scene.token({ aud: htu, cnf: { jkt: key.thumbprint } });
  const answer = await client({
    path: "/mcp/anywhere",
    headers: { "latticegate-target": scene.files.url, ...(await key.headers(token, { htu })) },
  });
  assert.equal(answer.status, 403);
  assert.equal(logged(scene.gateway, "call.refused").at(-1)?.["code"], "target_refused");
  assert.equal(scene.files.seen.length, 0);
});

test("the body of a stranger isn't waited for", async (t) => {
  const scene = await webScene(t);
  const link = await connected(t, scene);
  let text = "";
  link.setEncoding("utf8").on("data", (piece: string) => (text += piece));
  link.write(
    "POST /mcp/files HTTP/1.1\r\nHost: mcp.acme.test\r\nContent-Type: application/json\r\nContent-Length: 8000000\r\n\r\n{",
  );
  await once(link, "close");
  assert.match(text, /^HTTP\/1\.1 401 /);
  assert.match(text, /connection: close/i);
});

test("a connection is a stranger's until a good token came in on it", async (t) => {
  const scene = await webScene(t, { listener: "dpop_nonce: false" });
  const client = webClient(t, scene);
  const key = await proofKey();
  const token = await scene.token({ cnf: { jkt: key.thumbprint } });
  assert.equal((await client({ headers: await key.headers(token) })).status, 200);
  const strangers: tls.TLSSocket[] = [];
  const limit = 256;
  await Promise.all(
    Array.from({ length: limit }, async () => void strangers.push(await connected(t, scene))),
  );
  await assert.rejects(connected(t, scene), /ECONNRESET|disconnected/);
  assert.equal((await client({ headers: await key.headers(token) })).status, 200, "who is known goes on");
  strangers[0]?.destroy();
  await eventually("there is room again", () =>
    connected(t, scene).then(
      () => true,
      () => false,
    ),
  );
});
