/** People who log in to the control room at their organisation's provider. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { after, test } from "node:test";

import { authorizationServer, pageClient } from "../support/authorization-server.ts";
import { freshToken } from "../../src/app/approvals/approvers.ts";
import { type Answered, asked, controlOf } from "../support/control.ts";
import {
  clientOf,
  enrol,
  openPolicy,
  stubServer,
  temporaryFolder,
  type TestGateway,
  testGateway,
  toolCall,
} from "../support/gateway.ts";

const stub = await stubServer({ after });
let claims: object = {};
const provider = await authorizationServer(
  { after },
  { resource: "urn:none", scopes: "none", claims: () => claims },
);
const folder = await temporaryFolder({ after });
const secretFile = path.join(folder, "secret");
await writeFile(secretFile, pageClient.secret);

function yaml(alice: string, more = ""): string {
  return `servers: { stub: { url: "${stub.url}" } }
control:
  oidc: { issuer: "${provider.url}", client_id: ${pageClient.id}, client_secret: { file: "${secretFile}" }, name: Acme${more} }
  people: { alice: { roles: [operator], oidc: { ${alice} } } }
${openPolicy}`;
}

/** Alice comes back from the provider. */
async function entered(gateway: TestGateway): Promise<Answered> {
  const { ask } = controlOf(gateway);
  const { body } = await ask("POST /session/oidc/start", {}, null);
  const query = (await provider.browse(new URL(String(body["url"])))).toString();
  return await ask("POST /session/oidc", { flow: body["flow"], query }, null);
}

test("a person logs in at the provider, once for each login; another's answer, a changed one or none counts nothing", async (t) => {
  const gateway = await testGateway(t, yaml("sub: alice"), { dashboard: "127.0.0.1:0" });
  const { ask } = controlOf(gateway);
  const start = async (): Promise<{ readonly url: URL; readonly flow: string }> => {
    const { status, body } = await ask("POST /session/oidc/start", {}, null);
    assert.equal(status, 200, JSON.stringify(body));
    return { url: new URL(String(body["url"])), flow: String(body["flow"]) };
  };
  const enter = (flow: string, query: string) => ask("POST /session/oidc", { flow, query }, null);

  assert.deepEqual((await ask("GET /login-methods", undefined, null)).body["oidc"], { name: "Acme" });
  const { url, flow } = await start();
  assert.equal(url.searchParams.get("code_challenge_method"), "S256");
  const query = (await provider.browse(url)).toString();
  const entered = await enter(flow, query);
  assert.equal(entered.status, 200, JSON.stringify(entered.body));
  assert.deepEqual([entered.body["name"], entered.body["roles"]], ["person:alice", ["operator"]]);
  assert.match(entered.headers.get("set-cookie") ?? "", /HttpOnly; SameSite=Strict$/);
  assert.equal((await enter(flow, query)).status, 403, "the same again");

  const mine = await start();
  const theirs = (await provider.browse((await start()).url)).toString();
  assert.equal((await enter(mine.flow, theirs)).status, 403, "an answer to a login that another began");
  const changed = await start();
  const answer = await provider.browse(changed.url);
  answer.set("iss", "https://evil.example");
  assert.equal((await enter(changed.flow, answer.toString())).status, 403, "another provider's answer");
  assert.equal((await enter("made-up", query)).status, 403);
});

test("whom the config doesn't name stays out, whatever the provider says; an address counts if it is verified", async (t) => {
  const enterAs = async (alice: string): Promise<readonly unknown[]> => {
    const { ask } = controlOf(await testGateway(t, yaml(alice), { dashboard: "127.0.0.1:0" }));
    const { body } = await ask("POST /session/oidc/start", {}, null);
    const query = (await provider.browse(new URL(String(body["url"])))).toString();
    const entered = await ask("POST /session/oidc", { flow: body["flow"], query }, null);
    return [entered.status, entered.body["name"]];
  };
  assert.deepEqual(await enterAs("email: alice@acme.test"), [200, "person:alice"]);
  assert.deepEqual(await enterAs("sub: alice2"), [403, undefined]);
});

const byGroup = ", groups: { scope: groups, roles: { sec-ops: [operator], all: [viewer], bosses: [admin] } }";
const bob = "sub: bob";
const on = { dashboard: "127.0.0.1:0" } as const;

test("who isn't named has the roles of its groups, under the name that the provider says", async (t) => {
  const gateway = await testGateway(t, yaml(bob, byGroup), on);
  for (const [groups, roles] of [
    [
      ["sec-ops", "elsewhere", "all"],
      ["operator", "viewer"],
    ],
    ["sec-ops", ["operator"]],
    [["all"], ["viewer"]],
  ]) {
    claims = { groups };
    const { status, body } = await entered(gateway);
    assert.deepEqual([status, body["name"], body["roles"]], [200, "person:alice@acme.test", roles]);
  }
});

test("groups that the provider doesn't tell, tells otherwise than as names, or without end give nobody a role", async (t) => {
  const many = Array.from({ length: 500 }, (_, n) => `g${n}`);
  const refused: readonly (readonly [groups: unknown, RegExp])[] = [
    [undefined, /"groups" says nothing/],
    [null, /"groups" says nothing/],
    [[], /none of your groups/],
    [["elsewhere", "constructor", "__proto__"], /none of your groups/],
    [["sec-ops", 7], /doesn't list groups as names/],
    [{ "sec-ops": true }, /doesn't list groups as names/],
  ];
  for (const [groups, text] of refused) {
    claims = { groups };
    const { status, body } = await entered(await testGateway(t, yaml(bob, byGroup), on));
    assert.equal(status, 403, JSON.stringify(groups));
    assert.match(String(body["detail"]), text);
  }
  const another = await testGateway(t, yaml(bob, byGroup), on);
  claims = { groups: [...many, "sec-ops"] };
  assert.match(String((await entered(another)).body["detail"]), /or more than are read/);
  claims = { groups: [...many.slice(1), "sec-ops"] };
  assert.equal((await entered(another)).status, 200, "500 are");
  const unasked = await testGateway(t, yaml(bob, byGroup.replace("scope: groups, ", "")), on);
  assert.match(String((await entered(unasked)).body["detail"]), /"groups" says nothing/, "without the scope");
});

test("who is named has the roles that stand there, whatever the groups are, and nobody else takes that name", async (t) => {
  claims = { groups: ["bosses"] };
  const named = await testGateway(t, yaml("sub: alice", byGroup), on);
  const { body } = await entered(named);
  assert.deepEqual([body["name"], body["roles"]], ["person:alice", ["operator"]]);
  const { hash } = freshToken();
  const taken = `approvals: { people: { alice: { token_hash: "${hash}" } } }\n${yaml(bob, byGroup)}`;
  const gateway = await testGateway(
    t,
    taken.replace("people: { alice: { roles", "people: { bob: { roles"),
    on,
  );
  claims = { groups: ["bosses"], email_verified: false };
  const refused = await entered(gateway);
  assert.equal(refused.status, 403);
  assert.match(String(refused.body["detail"]), /"alice", and here that is somebody else's name/);
});

test("of a group's member nobody knows which calls are its own: it decides none, an admin neither", async (t) => {
  const rule = `  - { name: wait, callers: ["*"], tools: ["stub/*"], effect: hold, because: Somebody looks at it. }\n`;
  const gateway = await testGateway(t, yaml(bob, byGroup) + rule, on);
  const caller = clientOf(t, gateway, await enrol(gateway, "agent/a"));
  const held = (await caller.post("stub", toolCall("pay"))).text;
  const id = /"request":"([0-9a-f]{16})"/.exec(held)?.[1] ?? "";
  claims = { groups: ["bosses"] };
  const boss = browserOf(gateway, await entered(gateway));
  assert.equal((await boss(`GET /approvals/${id}`)).status, 200);
  const refused = await boss(`POST /approvals/${id}/approve`, {});
  assert.deepEqual([refused.status, refused.body["code"]], [403, "denied"]);
  assert.match(String(refused.body["detail"]), /person:alice@acme\.test decides nothing here/);
  claims = { groups: ["all"] };
  const viewer = browserOf(gateway, await entered(gateway));
  const { status, body } = await viewer("GET /approvals");
  assert.deepEqual(
    [status, body["items"]],
    [200, []],
    "who decides nothing is shown none, and stays logged in",
  );
  assert.equal((await viewer("POST /passkeys/start", {})).status, 403, "no way in that outlives the group");
});

function browserOf(
  gateway: TestGateway,
  { headers, body }: Answered,
): (name: string, sent?: unknown) => Promise<Answered> {
  const cookie = (headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  const own = { cookie, "x-latticegate-csrf": String(body["csrf"]) };
  return (name, sent) => asked(controlOf(gateway).origin, name, { body: sent, headers: own });
}
