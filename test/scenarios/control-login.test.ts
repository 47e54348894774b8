/** Who gets into the control room, what they may do there, and what is kept out. */
import assert from "node:assert/strict";
import { stat, writeFile } from "node:fs/promises";
import { after, test } from "node:test";

import { freshToken } from "../../src/app/approvals/approvers.ts";
import { type Entry, readEntry } from "../../src/audit/entry.ts";
import { statePaths } from "../../src/app/state-folder.ts";
import { openLogReader } from "../../src/host/store/log-reader.ts";
import { cli } from "../support/cli.ts";
import { controlOf, loggedIn } from "../support/control.ts";
import { openPolicy, stubServer, type TestGateway, testGateway } from "../support/gateway.ts";

const alice = freshToken();
const stub = await stubServer({ after });
const yaml = `servers: { stub: { url: "${stub.url}" } }
approvals: { people: { alice: { token_hash: "${alice.hash}" } } }
control:
  people: { vera: { roles: [viewer] }, olga: { roles: [operator] } }
${openPolicy}`;

interface Described {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly "x-latticegate-roles": readonly string[] }>>>
  >;
}

async function routesOf(gateway: TestGateway): Promise<readonly (readonly [string, readonly string[]])[]> {
  const { body } = await controlOf(gateway).ask("GET /openapi.json");
  return Object.entries((body as unknown as Described).paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, { "x-latticegate-roles": roles }]) =>
        [`${method.toUpperCase()} ${path.replaceAll(/\{\w+\}/g, "x")}`, roles] as const,
    ),
  );
}

async function entriesOf({ config, audit }: TestGateway, event: string): Promise<readonly Entry[]> {
  await audit.journal.checkpoint();
  const found: Entry[] = [];
  for await (const { bytes } of openLogReader(statePaths(config.state).log).forwards()) {
    const reading = readEntry(bytes);
    if (reading.kind === "entry" && reading.entry.event === event) found.push(reading.entry);
  }
  return found;
}

test("without a session no route answers but those of logging in; a viewer reads and changes nothing", async (t) => {
  const gateway = await testGateway(t, yaml, { dashboard: "127.0.0.1:0" });
  const { ask, origin } = controlOf(gateway);
  const routes = await routesOf(gateway);
  assert.ok(routes.length > 30, `${routes.length} routes`);
  const vera = await loggedIn(gateway, "vera");
  for (const [name, roles] of routes) {
    const body = name.startsWith("GET") ? undefined : {};
    if (!roles.includes("public")) assert.equal((await ask(name, body, null)).status, 401, name);
    if (roles.includes("public") || roles.includes("viewer")) continue;
    assert.equal((await vera.ask(name, body)).status, 403, name);
  }
  assert.equal((await fetch(`${origin}/api/v1/stream`)).status, 401);
  assert.equal((await vera.ask("GET /status")).status, 200);
  assert.equal((await vera.ask("POST /kill", { on: true, because: "x" })).status, 403);
  const refused = await entriesOf(gateway, "control.action");
  assert.deepEqual(
    [refused.at(-1)?.outcome, refused.at(-1)?.facts["by"], refused.at(-1)?.facts["route"]],
    ["denied", "person:vera", "POST /kill"],
  );
});

test("a link logs one browser in, once; its session is bound to it, and ends", async (t) => {
  const gateway = await testGateway(t, yaml, { dashboard: "127.0.0.1:0" });
  const { ask, origin } = controlOf(gateway);
  const code = new URLSearchParams(new URL(gateway.dashboard ?? "").hash.slice(1)).get("code");
  const enter = () => ask("POST /session/link", { code }, null);
  const entered = await enter();
  assert.equal(entered.status, 200);
  assert.deepEqual(entered.body["roles"], ["admin"]);
  const cookie = entered.headers.get("set-cookie") ?? "";
  assert.match(cookie, /^latticegate-session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
  const again = await enter();
  assert.deepEqual([again.status, again.body["code"]], [401, "no_identity"]);

  const olga = await loggedIn(gateway, "olga");
  assert.equal((await olga.ask("GET /session")).body["name"], "person:olga");
  const elsewhere = await olga.ask("GET /session", undefined, { "user-agent": "another" });
  assert.equal(elsewhere.status, 401, "another browser with her cookie");
  const { body } = await ask("GET /sessions");
  const [hers] = body["sessions"] as readonly { readonly id: string; readonly name: string }[];
  assert.equal(hers?.name, "person:olga");
  assert.equal((await ask(`DELETE /sessions/${hers.id}`, {})).status, 200);
  assert.equal((await olga.ask("GET /session")).status, 401);
  const third = await loggedIn(gateway, "olga");
  assert.equal((await third.ask("DELETE /session", {})).status, 200);
  assert.equal((await third.ask("GET /status")).status, 401);
  assert.equal((await ask("POST /session/codes", { person: "nobody" })).status, 409);
  assert.equal((await ask("POST /session/token", { token: alice.token }, null)).body["name"], "person:alice");
  assert.deepEqual(
    (await entriesOf(gateway, "control.login")).map(({ outcome, facts }) => [
      outcome,
      facts["by"],
      facts["login"],
    ]),
    [
      ["allowed", "operator:local", "link"],
      ["denied", "nobody", "link"],
      ["allowed", "person:olga", "link"],
      ["allowed", "person:olga", "link"],
      ["allowed", "person:alice", "token"],
    ],
  );
  assert.equal((await fetch(`${origin}/health`)).status, 200, "a call works");
});

test("changes come from the session's own page; frames, other sites and guessing get nowhere", async (t) => {
  const gateway = await testGateway(t, yaml, { dashboard: "127.0.0.1:0" });
  const { ask, origin } = controlOf(gateway);
  const olga = await loggedIn(gateway, "olga");
  const order = { action: "quarantine", caller: "agent/a", because: "Odd." };
  const csrf = { "x-latticegate-csrf": olga.csrf };
  const wrong: readonly Readonly<Record<string, string>>[] = [
    {},
    { "x-latticegate-csrf": `${olga.csrf}x` },
    { ...csrf, "sec-fetch-site": "cross-site" },
    { ...csrf, "sec-fetch-site": "same-site" },
    { ...csrf, origin: "https://evil.example" },
  ];
  for (const headers of wrong)
    assert.equal((await olga.ask("POST /responses", order, headers)).status, 403, JSON.stringify(headers));
  assert.equal((await olga.ask("POST /responses", order)).status, 200);
  const page = await fetch(`${origin}/incidents/x`);
  assert.equal(page.status, 200, "places within the page are the page");
  assert.match(
    page.headers.get("content-security-policy") ?? "",
    /default-src 'self'; frame-ancestors 'none'/,
  );
  assert.equal(page.headers.get("x-frame-options"), "DENY");
  const statuses: number[] = [];
  for (let i = 0; i < 12; i++)
    statuses.push((await ask("POST /session/link", { code: `guess${i}` }, null)).status);
  assert.deepEqual([statuses[0], statuses.at(-1)], [401, 429]);
  const slowed = await ask("POST /session/link", { code: "guess" }, null);
  assert.match(slowed.headers.get("retry-after") ?? "", /^\d+$/);
});

test("commands ask by the socket, which is the user's alone; `latticegate login` prints a link that works", async (t) => {
  const gateway = await testGateway(t, yaml, { dashboard: "127.0.0.1:0" });
  assert.equal((await stat(gateway.controlSocket)).mode & 0o777, 0o600);
  const file = `${gateway.folder}/latticegate.yaml`;
  await writeFile(file, `state: ./state\n${yaml}`);
  const { code, stdout, stderr } = await cli(["login", "--person", "vera", "--config", file, "--json"]);
  assert.equal(code, 0, stderr);
  const { link } = JSON.parse(stdout) as { readonly link: string };
  const { ask } = controlOf(gateway);
  const secret = new URLSearchParams(new URL(link).hash.slice(1)).get("code");
  assert.deepEqual((await ask("POST /session/link", { code: secret }, null)).body["roles"], ["viewer"]);
  const unknown = await cli(["login", "--person", "nobody", "--config", file]);
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /There is no "nobody" among `control\.people`/);
});
