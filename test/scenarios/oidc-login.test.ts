/** People who log in to the control room at their organisation's provider. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { after, test } from "node:test";

import { authorizationServer, pageClient } from "../support/authorization-server.ts";
import { controlOf } from "../support/control.ts";
import { openPolicy, stubServer, temporaryFolder, testGateway } from "../support/gateway.ts";

const stub = await stubServer({ after });
const provider = await authorizationServer({ after }, { resource: "urn:none", scopes: "none" });
const folder = await temporaryFolder({ after });
const secretFile = path.join(folder, "secret");
await writeFile(secretFile, pageClient.secret);

function yaml(alice: string): string {
  return `servers: { stub: { url: "${stub.url}" } }
control:
  oidc: { issuer: "${provider.url}", client_id: ${pageClient.id}, client_secret: { file: "${secretFile}" }, name: Acme }
  people: { alice: { roles: [operator], oidc: { ${alice} } } }
${openPolicy}`;
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
