/** Grants of callers at protected servers: asked for on the person's own machine, kept by the gateway, used for that caller alone. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import { makeJoinToken, revokeCertificates } from "../../src/app/certificate-authority.ts";
import { openTunnel } from "../../src/app/connect.ts";
import { listGrants, removeGrant } from "../../src/app/operator-grants.ts";
import {
  obtainGrant,
  type OwnGrant,
  ownGrants,
  revokeOwnGrant,
  type SidecarOptions,
} from "../../src/app/sidecar-grants.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import type { Clock } from "../../src/kernel/clock.ts";
import { type Person, person, type Visit } from "../support/browser-person.ts";
import type { Cleanup } from "../support/cleanup.ts";
import { cli, startCli } from "../support/cli.ts";
import {
  type Answering,
  type Client,
  clientOf,
  echoResult,
  enrol,
  eventually,
  openPolicy,
  rawLink,
  temporaryFolder,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { logged } from "../support/records.ts";
import {
  type AuthorizationServer,
  authorizationServer,
  protectedServer,
  type ProtectedServer,
} from "../support/upstream-authorization-server.ts";

interface Scene {
  readonly as: AuthorizationServer;
  readonly upstream: ProtectedServer;
  readonly house: TestGateway;
  readonly client: Client;
  /** Of the same identity as the client. */
  readonly sidecar: SidecarOptions;
}

interface SceneOptions {
  readonly auth?: string;
  readonly clients?: readonly object[];
  readonly clock?: Clock;
  readonly dpop?: boolean;
  readonly answer?: Answering;
}

async function scene(t: Cleanup, options: SceneOptions = {}): Promise<Scene> {
  const as = await authorizationServer(t, { clients: options.clients ?? [] });
  const upstream = await protectedServer(t, as, {
    dpop: options.dpop ?? false,
    ...(options.answer && { answer: options.answer }),
  });
  const auth = `{ kind: authorization_code, ${options.auth ?? ""} }`;
  const yaml = `servers: { s: { url: "${upstream.url}", auth: ${auth} } }\n${openPolicy}`;
  const house = await testGateway(t, yaml, options.clock === undefined ? {} : { clock: options.clock });
  const client = clientOf(t, house, await enrol(house, "agent/one"));
  return { as, upstream, house, client, sidecar: await sidecarOf(t, house, "agent/one") };
}

async function sidecarOf(t: Cleanup, house: TestGateway, name: string): Promise<SidecarOptions> {
  const joinToken = await makeJoinToken(house.config, { path: name, address: house.address }, house.clock);
  const log = systemLog({ level: "error", write: () => undefined });
  return { state: await temporaryFolder(t), joinToken, clock: systemClock, log };
}

interface Consented {
  readonly grant: Promise<OwnGrant>;
  readonly visit: Promise<Visit>;
}

/** `latticegate grant s`, with the person doing as `act` says. */
async function granting(
  sidecar: SidecarOptions,
  act: (url: string, who: Person) => Promise<Visit> = (url, who) => who.answer(url, "yes"),
): Promise<Consented> {
  const told = Promise.withResolvers<string>();
  const grant = obtainGrant("s", { ...sidecar, port: 0 }, told.resolve);
  grant.catch((error: unknown) => told.reject(error));
  const visit = act(await told.promise, person());
  visit.catch(() => undefined);
  grant.catch(() => undefined);
  return { grant, visit };
}

async function granted(sidecar: SidecarOptions): Promise<OwnGrant> {
  const { grant, visit } = await granting(sidecar);
  const shown = await visit;
  assert.match(shown.text, /may be used now/, shown.text);
  return await grant;
}

function refreshes(as: AuthorizationServer): number {
  return as.seen.filter(({ path, body }) => path === "/token" && body.includes("grant_type=refresh_token"))
    .length;
}

test("a call without a grant says what to run; after a person's consent it goes through, and a restart doesn't matter", async (t) => {
  const { client, sidecar, upstream, house, as } = await scene(t);
  const before = await client.post("s", toolCall("a"));
  assert.equal(before.status, 200);
  assert.match(before.text, /"isError":true/);
  assert.match(before.text, /latticegate grant s/);
  const list = await client.post("s", { jsonrpc: "2.0", id: 2, method: "tools/list" });
  assert.match(list.text, /"error":\{"code":-31403,"message":".*latticegate grant s/);
  assert.equal(upstream.admitted.length, 0);
  const grant = await granted(sidecar);
  assert.equal(grant.issuer, as.issuer);
  const after = await client.post("s", toolCall("a"));
  assert.equal(after.status, 200, after.text + house.log.join(""));
  assert.equal(upstream.admitted[0]?.sub, "alice");
  assert.deepEqual(await ownGrants(sidecar), [grant]);

  await house.stop();
  const again = await testGateway(t, yamlOf(upstream), { folder: house.folder });
  const later = clientOf(t, again, await enrol(again, "agent/one"));
  assert.equal((await later.post("s", toolCall("a"))).status, 200);
  assert.equal(upstream.admitted.length, 2);
  assert.equal(refreshes(as), 0, "the token that was kept still counts");
});

function yamlOf(upstream: ProtectedServer): string {
  return `servers: { s: { url: "${upstream.url}", auth: { kind: authorization_code } } }\n${openPolicy}`;
}

test("a grant of one caller is never used for another", async (t) => {
  const { sidecar, upstream, house } = await scene(t);
  await granted(sidecar);
  const other = clientOf(t, house, await enrol(house, "agent/two"));
  const answer = await other.post("s", toolCall("a"));
  assert.match(answer.text, /latticegate grant s/);
  assert.equal(upstream.admitted.length, 0);
  const two = await sidecarOf(t, house, "agent/two");
  assert.deepEqual(await ownGrants(two), []);
  assert.equal(await revokeOwnGrant("s", two), false);
  assert.equal((await ownGrants(sidecar)).length, 1);
});

test("nothing of a grant is readable at rest, in the log or in the audit log", async (t) => {
  const { sidecar, upstream, house, client, as } = await scene(t);
  await granted(sidecar);
  await client.post("s", toolCall("a"));
  const token = upstream.headers[0]?.authorization?.slice("Bearer ".length) ?? "";
  assert.ok(token.length > 100);
  await house.audit.journal.checkpoint();
  const state = path.join(house.folder, "state");
  const names = (await readdir(state, { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  );
  const texts = await Promise.all(
    names.map((name) => readFile(path.join(name.parentPath, name.name), "latin1")),
  );
  const all = texts.join("\n") + house.log.join("\n");
  assert.match(all, /upstream_grants/, "the database is in it");
  assert.match(all, /grant\.store/, "the audit log is in it");
  const secrets = [
    token,
    token.split(".")[2] ?? "",
    ...as.seen.flatMap(({ body }) => [
      new URLSearchParams(body).get("code") ?? token,
      new URLSearchParams(body).get("code_verifier") ?? token,
    ]),
  ];
  for (const secret of secrets) assert.ok(!all.includes(secret));
});

test("20 calls at once with a token that has ended make one refresh", async (t) => {
  let now = Date.now();
  const { sidecar, client, as, house } = await scene(t, { clock: { nowUnixMs: () => now } });
  await granted(sidecar);
  now += 601_000;
  const statuses = await Promise.all(
    Array.from({ length: 20 }, async (_, id) => (await client.post("s", toolCall("a", id))).text),
  );
  assert.ok(
    statuses.every((text) => text.includes('"result":{}')),
    statuses[0] + house.log.join(""),
  );
  assert.equal(refreshes(as), 1);
});

test("a grant the authorization server knows no more is dropped, and the next call asks again", async (t) => {
  let now = Date.now();
  const { sidecar, client, as } = await scene(t, { clock: { nowUnixMs: () => now } });
  await granted(sidecar);
  now += 601_000;
  as.intercept = (request, response) => {
    if (request.url !== "/token") return false;
    response.writeHead(400, { "content-type": "application/json" }).end('{"error":"invalid_grant"}');
    return true;
  };
  for (let tries = 0; tries < 2; tries++)
    assert.match((await client.post("s", toolCall("a"))).text, /latticegate grant s/);
  assert.equal(refreshes(as), 1);
  assert.deepEqual(await ownGrants(sidecar), []);
  as.intercept = () => false;
  await granted(sidecar);
  assert.match((await client.post("s", toolCall("a"))).text, /"result":\{\}/);
});

test("an authorization server that is down leaves the grant as it is", async (t) => {
  let now = Date.now();
  const { sidecar, client, as } = await scene(t, { clock: { nowUnixMs: () => now } });
  await granted(sidecar);
  now += 601_000;
  as.stop();
  assert.equal((await client.post("s", toolCall("a"))).status, 502);
  await as.start();
  now += 1001;
  assert.match((await client.post("s", toolCall("a"))).text, /"result":\{\}/);
});

test("a grant that is given back is gone here and at the authorization server, and is on record", async (t) => {
  const { sidecar, client, as, house } = await scene(t);
  await granted(sidecar);
  await client.post("s", toolCall("a"));
  assert.equal(await revokeOwnGrant("s", sidecar), true);
  assert.equal(as.seen.filter(({ path }) => path === "/token/revocation").length, 1);
  assert.match((await client.post("s", toolCall("a"))).text, /latticegate grant s/);
  assert.equal(await revokeOwnGrant("s", sidecar), false);
  await house.audit.journal.checkpoint();
  const log = await logText(house);
  assert.match(log, /"event_type":"grant\.store"/);
  assert.match(log, /"event_type":"grant\.remove"/);
});

async function logText(house: TestGateway): Promise<string> {
  const folder = path.join(house.folder, "state", "log");
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile());
  return (
    await Promise.all(files.map((file) => readFile(path.join(file.parentPath, file.name), "latin1")))
  ).join("");
}

test("a grant the operator removes is used no more from the next call on", async (t) => {
  const { sidecar, client, house } = await scene(t);
  await granted(sidecar);
  assert.match((await client.post("s", toolCall("a"))).text, /"result":\{\}/);
  assert.equal(await removeGrant(house.config, "s", "spiffe://latticegate.local/agent/one"), true);
  assert.match((await client.post("s", toolCall("a"))).text, /latticegate grant s/);
});

test("who gets the name of a revoked identity inherits none of its grants", async (t) => {
  const { sidecar, house } = await scene(t);
  await granted(sidecar);
  const other = await sidecarOf(t, house, "agent/two");
  await granted(other);
  revokeCertificates(house.config, "spiffe://latticegate.local/agent/one", house.clock);
  await eventually("the revocation is in force", () =>
    ownGrants(sidecar).then(
      () => false,
      () => true,
    ),
  );
  assert.deepEqual(await ownGrants(await sidecarOf(t, house, "agent/one")), []);
  assert.equal((await ownGrants(other)).length, 1);
});

test("a grant isn't kept for who was revoked while the authorization server was asked", async (t) => {
  const { sidecar, as, house } = await scene(t);
  const begun = await asked(sidecar, "begin", {
    server: "s",
    redirect_uri: "http://127.0.0.1:5555/callback",
  });
  const { authorize_url: url } = JSON.parse(begun.text) as { readonly authorize_url: string };
  const back = new URL(await person().until(url));
  as.intercept = ({ url: asks }) => {
    if (asks === "/token")
      revokeCertificates(house.config, "spiffe://latticegate.local/agent/one", house.clock);
    return false;
  };
  // Its link may be cut before the answer.
  await asked(sidecar, "finish", { server: "s", parameters: back.search.slice(1) }).catch(() => undefined);
  await eventually("the refusal", () => logged(house, "grant.refused").length === 1);
  assert.equal(logged(house, "grant.refused")[0]?.["code"], "no_identity");
  assert.deepEqual(await listGrants(house.config), []);
  assert.equal(as.seen.filter(({ path }) => path === "/token/revocation").length, 1, "nor kept there");
});

test("a question about grants with a header that comes twice is refused", async (t) => {
  const { house } = await scene(t);
  const link = await rawLink(house, await enrol(house, "agent/two"));
  link.write("GET /grants HTTP/1.1\r\nHost: x\r\nMcp-Name: a\r\nMcp-Name: b\r\n\r\n");
  const [answer] = (await once(link, "data")) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1\.1 400 /);
  link.destroy();
});

test("a person who says no grants nothing", async (t) => {
  const { sidecar, as } = await scene(t);
  const { grant, visit } = await granting(sidecar, (url, who) => who.answer(url, "no"));
  assert.match((await visit).text, /Nothing was granted/);
  await assert.rejects(grant, /You said no/);
  assert.equal(as.seen.filter(({ path }) => path === "/auth").length, 0);
  assert.deepEqual(await ownGrants(sidecar), []);
});

const forgeries: readonly (readonly [string, (back: URL) => void])[] = [
  ["of another issuer", (back) => back.searchParams.set("iss", "https://elsewhere.test")],
  ["without an issuer, where the server announces one", (back) => back.searchParams.delete("iss")],
];
for (const [what, change] of forgeries) {
  test(`an answer ${what} is refused, and no code is redeemed`, async (t) => {
    const { sidecar, as } = await scene(t);
    const { grant, visit } = await granting(sidecar, async (url, who) => {
      const back = new URL(await who.answerUntilBack(url));
      change(back);
      return await who.visit(back.href);
    });
    assert.doesNotMatch((await visit).text, /may be used now/);
    await assert.rejects(grant, /isn't the authorization server's/);
    assert.equal(as.seen.filter(({ path }) => path === "/token").length, 0);
  });
}

test("an answer with another state, from another browser, or a second one is refused by the page that waits", async (t) => {
  const { sidecar, as } = await scene(t);
  const { grant, visit } = await granting(sidecar, async (url, who) => {
    assert.equal(
      (await person().visit(new URL("/callback?state=x&code=y", url).href)).status,
      403,
      "nobody asked",
    );
    const back = new URL(await who.answerUntilBack(url));
    const wrong = new URL(back);
    wrong.searchParams.set("state", "another");
    assert.equal((await who.visit(wrong.href)).status, 403);
    assert.equal((await person().visit(back.href)).status, 403, "another browser");
    const right = await who.visit(back.href);
    return right;
  });
  assert.match((await visit).text, /may be used now/);
  await grant;
  assert.equal(as.seen.filter(({ path }) => path === "/token").length, 1);
});

test("a state is worth nothing to another caller, and a code is redeemed once", async (t) => {
  const { house, sidecar, as } = await scene(t);
  const other = await sidecarOf(t, house, "agent/two");
  const begun = await asked(sidecar, "begin", {
    server: "s",
    redirect_uri: "http://127.0.0.1:5555/callback",
  });
  assert.equal(begun.status, 200, begun.text);
  const { authorize_url: url } = JSON.parse(begun.text) as { readonly authorize_url: string };
  const back = new URL(await person().until(url));
  const finish = { server: "s", parameters: back.search.slice(1) };
  assert.equal((await asked(other, "finish", finish)).status, 403);
  assert.equal(as.seen.filter(({ path }) => path === "/token").length, 0);
  assert.equal((await asked(sidecar, "finish", finish)).status, 200);
  assert.equal((await asked(sidecar, "finish", finish)).status, 403, "a replay");
  assert.equal(as.seen.filter(({ path }) => path === "/token").length, 1);
});

interface Answered {
  readonly status: number;
  readonly text: string;
}

/** What the gateway says to a sidecar that asks as it pleases. */
async function asked(sidecar: SidecarOptions, what: string, body: object): Promise<Answered> {
  const tunnel = await openTunnel({ ...sidecar, target: "s" });
  try {
    const answer = await tunnel.send({
      path: `/grants/${what}`,
      method: "POST",
      headers: ["content-type", "application/json"],
      body: Buffer.from(JSON.stringify(body)),
    });
    return {
      status: answer.status,
      text: answer.kind === "whole" ? Buffer.from(answer.body).toString() : "",
    };
  } finally {
    await tunnel.close();
  }
}

test("a redirect to anywhere but the caller's own loopback port is refused", async (t) => {
  const { sidecar } = await scene(t);
  for (const redirect of [
    "https://elsewhere.test/callback",
    "http://127.0.0.1:1/other",
    "http://127.0.0.1.elsewhere.test:1/callback",
    "http://localhost:1/callback",
    "http://127.0.0.1/callback",
  ]) {
    const answer = await asked(sidecar, "begin", { server: "s", redirect_uri: redirect });
    assert.equal(answer.status, 400, redirect);
    assert.match(answer.text, /bad_message/);
  }
});

test("who may use nothing of a server can't ask for a grant there", async (t) => {
  const { house } = await scene(t);
  const stranger = await sidecarOf(t, house, "tool/other");
  const answer = await asked(stranger, "begin", { server: "s", redirect_uri: "http://127.0.0.1:1/callback" });
  assert.equal(answer.status, 403);
  assert.match(answer.text, /No rule/);
});

test("the gateway registers itself once, and takes a client id from the config instead where there is one", async (t) => {
  const { sidecar, as } = await scene(t);
  await granted(sidecar);
  await granted(sidecar);
  assert.equal(as.seen.filter(({ path }) => path === "/reg").length, 1);
  const configured = await scene(t, {
    auth: "client_id: known",
    clients: [
      {
        client_id: "known",
        token_endpoint_auth_method: "none",
        application_type: "native",
        redirect_uris: ["http://127.0.0.1/callback"],
        grant_types: ["authorization_code", "refresh_token"],
      },
    ],
  });
  await granted(configured.sidecar);
  await configured.client.post("s", toolCall("a"));
  assert.equal(configured.upstream.admitted[0]?.["client_id"], "known");
  assert.equal(configured.as.seen.filter(({ path }) => path === "/reg").length, 0);
});

test("a grant's tokens are bound to a key where the server takes that, and stay so when renewed", async (t) => {
  let now = Date.now();
  const { sidecar, client, upstream, house } = await scene(t, {
    dpop: true,
    clock: { nowUnixMs: () => now },
  });
  await granted(sidecar);
  for (const waited of [0, 601_000]) {
    now += waited;
    const answer = await client.post("s", toolCall("a"));
    assert.match(answer.text, /"result":\{\}/, house.log.join(""));
  }
  const keys = upstream.admitted.map(
    (claims) => (claims["cnf"] as { readonly jkt?: string } | undefined)?.jkt,
  );
  assert.equal(keys.length, 2);
  assert.ok(keys[0] !== undefined && keys[0] === keys[1]);
});

test("a server at another address under the same name gets nothing of a grant", async (t) => {
  const { sidecar, house, as, upstream } = await scene(t);
  await granted(sidecar);
  await house.stop();
  const other = await protectedServer(t, as);
  const moved = await testGateway(t, yamlOf(other), { folder: house.folder });
  const client = clientOf(t, moved, await enrol(moved, "agent/one"));
  assert.match((await client.post("s", toolCall("a"))).text, /latticegate grant s/);
  assert.equal(upstream.admitted.length + other.admitted.length, 0);
});

test("a server that wants more than was consented to has more asked for the next time", async (t) => {
  let wants = "";
  const { sidecar, client, as, upstream } = await scene(t, {
    answer: (request, response, body) => {
      if (wants === "") return echoResult(request, response, body);
      const challenge = `Bearer error="insufficient_scope", scope="${wants}"`;
      response.writeHead(403, { "www-authenticate": challenge }).end();
    },
  });
  await granted(sidecar);
  wants = "tools:read tools:write";
  const refused = await client.post("s", toolCall("a"));
  assert.match(refused.text, /wants more than was consented to.*latticegate grant s/);
  assert.equal(refused.headers["www-authenticate"], undefined);
  wants = "";
  assert.match((await granted(sidecar)).scope, /tools:write/);
  await client.post("s", toolCall("a"));
  assert.equal(upstream.admitted.at(-1)?.["scope"], "tools:read tools:write");
  assert.equal(as.seen.filter(({ path }) => path === "/reg").length, 1);
});

test("a client id metadata document is the client id where the authorization server takes such", async (t) => {
  const url = "https://gateway.test/client.json";
  const { sidecar, as } = await scene(t, { auth: `client_metadata: "${url}"` });
  as.intercept = (request, response) => {
    if (request.url?.startsWith("/.well-known/") !== true) return false;
    const metadata = {
      issuer: as.issuer,
      authorization_endpoint: `${as.issuer}/auth`,
      token_endpoint: `${as.issuer}/token`,
      registration_endpoint: `${as.issuer}/reg`,
      code_challenge_methods_supported: ["S256"],
      client_id_metadata_document_supported: true,
    };
    response.setHeader("content-type", "application/json").end(JSON.stringify(metadata));
    return true;
  };
  const begun = await asked(sidecar, "begin", {
    server: "s",
    redirect_uri: "http://127.0.0.1:5555/callback",
  });
  const { authorize_url: authorize } = JSON.parse(begun.text) as { readonly authorize_url: string };
  const query = new URL(authorize).searchParams;
  assert.equal(query.get("client_id"), url);
  assert.equal(query.get("code_challenge_method"), "S256");
  assert.match(query.get("resource") ?? "", /\/mcp$/);
  assert.equal(as.seen.filter(({ path }) => path === "/reg").length, 0);
});

for (const endpoint of ["http://login.test/auth", "javascript:alert(1)", "data:text/html,x"]) {
  test(`nobody is sent to ${endpoint} to consent`, async (t) => {
    const { sidecar, as } = await scene(t);
    as.intercept = (request, response) => {
      if (request.url?.startsWith("/.well-known/") !== true) return false;
      const metadata = {
        issuer: as.issuer,
        authorization_endpoint: endpoint,
        token_endpoint: `${as.issuer}/token`,
        code_challenge_methods_supported: ["S256"],
      };
      response.setHeader("content-type", "application/json").end(JSON.stringify(metadata));
      return true;
    };
    const begun = await asked(sidecar, "begin", {
      server: "s",
      redirect_uri: "http://127.0.0.1:5555/callback",
    });
    assert.equal(begun.status, 502);
    assert.match(begun.text, /no page for people/);
  });
}

test("an authorization server that doesn't say that it knows PKCE is asked for nothing", async (t) => {
  const { sidecar, as } = await scene(t);
  as.intercept = (request, response) => {
    if (request.url?.startsWith("/.well-known/") !== true) return false;
    const metadata = {
      issuer: as.issuer,
      authorization_endpoint: `${as.issuer}/auth`,
      token_endpoint: `${as.issuer}/token`,
    };
    response.setHeader("content-type", "application/json").end(JSON.stringify(metadata));
    return true;
  };
  const begun = await asked(sidecar, "begin", {
    server: "s",
    redirect_uri: "http://127.0.0.1:5555/callback",
  });
  assert.equal(begun.status, 502);
  assert.match(begun.text, /PKCE/);
});

test("latticegate grant, grants and grants revoke, as a person types them", async (t) => {
  const { sidecar, as, upstream, house } = await scene(t);
  const opened = await openTunnel({ ...sidecar, target: "s" });
  await opened.close(); // Joins; the commands find the identity.
  const state = ["--state", sidecar.state];
  const config = path.join(house.folder, "latticegate.yaml");
  await writeFile(config, `state: ./state\n${yamlOf(upstream)}`);
  const started = await startCli(t, ["grant", "s", ...state, "--print"], /^Open (http:\S+)$/);
  const ended = once(started.process, "exit");
  assert.match((await person().answer(started.groups[0] ?? "", "yes")).text, /may be used now/);
  assert.deepEqual((await ended)[0], 0, started.stderr());
  const holder = "spiffe://latticegate.local/agent/one";
  assert.match((await cli(["grants", ...state])).stdout, new RegExp(`  s  ${as.issuer}  tools:read`));
  assert.match(
    (await cli(["grants", "--config", config])).stdout,
    new RegExp(`  s  ${holder}  ${as.issuer}  `),
  );
  assert.equal((await cli(["grant", "revoke", "s", ...state])).stdout, "revoked: s\n");
  const again = await cli(["grant", "revoke", "s", "--config", config, "--holder", holder]);
  assert.deepEqual([again.code, again.stdout], [1, 'nothing to revoke: there is no grant for "s"\n']);
  const unknown = await cli(["grant", "nobody", ...state]);
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /No rule lets this caller use "nobody"/);
});
