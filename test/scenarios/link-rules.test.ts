/** Rules about connections, before TLS, and links, behind it: who is refused, with what, and what the audit log has. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { hostAndPort } from "../../src/host/net/listen.ts";
import { helloOf } from "../support/hello.ts";
import {
  asked,
  clientOf,
  enrol,
  eventually,
  rawLink,
  stubServer,
  temporaryFolder,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { knock, knockWithHello } from "../support/knock.ts";
import { entriesOf, logged, recorded } from "../support/records.ts";
import { clientsMayAll, proofKey, webAddress, webClient, webScene } from "../support/web-gateway.ts";

const everything = `{ name: all, callers: ["*"], tools: ["*"], resources: ["*"], prompts: ["*"], effect: allow, because: Open. }`;

function house(t: TestContext, rules: string, sections = ""): Promise<TestGateway> {
  return stubServer(t).then(({ url }) =>
    testGateway(
      t,
      `servers: { lab: { url: "${url}" } }\n${sections}\npolicies:\n  - ${everything}\n${rules}`,
    ),
  );
}

const hybridHello = { ecdhCurve: "X25519MLKEM768", minVersion: "TLSv1.3" } as const;
const accessDenied = { kind: "alert", alert: 49 };

function connectionRule(when: string, mode = "enforce"): string {
  return `  - { name: known-clients-only, on: connection, mode: ${mode}, when: '${when}', effect: deny, because: Nobody else has business here. }`;
}

for (const [what, when, hello] of [
  ["a server that isn't ours", 'hello.server_name == "evil.test"', { servername: "evil.test" }],
  ["a protocol nobody speaks here", '"h2" in hello.alpn', { ALPNProtocols: ["h2"] }],
  ["an address outside of its networks", '!("home" in place.networks)', {}],
  ["a group with a key share", 'hello.pq && "X25519MLKEM768" in hello.key_shares', {}],
  ["a fingerprint", 'hello.ja4.startsWith("t13")', {}],
] as const) {
  test(`a connection that is denied for ${what} gets an alert before any key operation`, async (t) => {
    const gateway = await house(t, connectionRule(when), 'networks: { home: ["10.0.0.0/8"] }');
    const denied = await helloOf({ ...hybridHello, ...hello });
    assert.deepEqual(await knockWithHello(hostAndPort(gateway.address), denied), accessDenied);
    await eventually(
      "it is in the audit log",
      async () => (await entriesOf(gateway, "link.denied")).length > 0,
    );
    const [entry] = await entriesOf(gateway, "link.denied");
    assert.deepEqual([entry?.outcome, entry?.principal], ["denied", "anonymous"]);
    assert.deepEqual(
      [entry?.facts["rule"], entry?.facts["what"], entry?.facts["times"]],
      ["known-clients-only", "connection", "1"],
    );
    assert.match(String(logged(gateway, "link.refused")[0]?.["reason"]), /policy "known-clients-only"/);
  });
}

test("who a rule about connections isn't about comes in, and what admission refuses stays its own refusal", async (t) => {
  const gateway = await house(t, connectionRule('"smtp" in hello.alpn'));
  const client = clientOf(t, gateway, await enrol(gateway));
  assert.match((await client.post("lab", toolCall("read"))).text, /"result":\{\}/);
  const classical = await helloOf({ ecdhCurve: "X25519", minVersion: "TLSv1.3", ALPNProtocols: ["smtp"] });
  const refused = await knockWithHello(hostAndPort(gateway.address), classical);
  assert.deepEqual(refused, { kind: "alert", alert: 40 }, "no group: before any rule");
  assert.deepEqual(await entriesOf(gateway, "link.denied"), []);
});

test("a watched rule about connections lets them on and says what it would have done", async (t) => {
  const gateway = await house(t, connectionRule("hello.pq", "shadow"));
  const client = clientOf(t, gateway, await enrol(gateway));
  assert.match((await client.post("lab", toolCall("read"))).text, /"result":\{\}/);
  await eventually("it is on record", async () => (await entriesOf(gateway, "link.denied")).length > 0);
  const [entry] = await entriesOf(gateway, "link.denied");
  assert.deepEqual([entry?.outcome, entry?.facts["mode"]], ["allowed", "shadow"]);
});

test("whoever knocks a hundred times stands in the audit log twice: the first time, and with how often", async (t) => {
  const gateway = await house(t, connectionRule('"h2" in hello.alpn'));
  const denied = await helloOf({ ...hybridHello, ALPNProtocols: ["h2"] });
  for (let i = 0; i < 100; i++)
    assert.deepEqual(await knockWithHello(hostAndPort(gateway.address), denied), accessDenied);
  await gateway.stop();
  const entries = await entriesOf(gateway, "link.denied");
  assert.deepEqual(
    entries.map(({ facts }) => facts["times"]),
    ["1", "99"],
  );
});

test("a link is denied by who is at its other end, and another's isn't", async (t) => {
  const gateway = await house(
    t,
    `  - { name: interns-from-home, on: link, callers: ["spiffe://latticegate.local/agent/intern-*"], when: '!("office" in place.networks) && link.pq', effect: deny, because: Interns come from the office. }`,
    'networks: { office: ["10.0.0.0/8"] }',
  );
  const other = await rawLink(gateway, await enrol(gateway, "agent/senior"));
  assert.notEqual(await asked(other), "cut");
  const intern = await rawLink(gateway, await enrol(gateway, "agent/intern-1"));
  assert.equal(await asked(intern), "cut");
  const [entry] = await entriesOf(gateway, "link.denied");
  assert.deepEqual(
    [entry?.principal, entry?.facts["rule"], entry?.facts["what"]],
    ["spiffe://latticegate.local/agent/intern-1", "interns-from-home", "link"],
  );
  assert.deepEqual(
    await recorded(gateway, "identity").then((all) => all.filter(({ event }) => event === "identity.refuse")),
    [],
  );
});

test("a rule about links whose condition can't be told denies", async (t) => {
  const gateway = await house(
    t,
    `  - { name: odd, on: link, callers: ["*"], when: 'caller.claims.department == "x"', effect: deny, because: It errs. }`,
  );
  const link = await rawLink(gateway, await enrol(gateway));
  assert.equal(await asked(link), "cut");
  const [entry] = await entriesOf(gateway, "link.denied");
  assert.match(entry?.facts["rule.error"] ?? "", /caller\.claims\.department/);
});

test("an open link that a new rule denies is ended, with the call under way on it", async (t) => {
  const { url, seen } = await stubServer(t, () => undefined);
  const yaml = `servers: { lab: { url: "${url}" } }\npolicies: rules.yaml\n`;
  const folder = await temporaryFolder(t);
  const rules = path.join(folder, "rules.yaml");
  const open = `policies:\n  - ${everything}\n`;
  await writeFile(rules, open);
  await writeFile(path.join(folder, "latticegate.yaml"), `state: ./state\n${yaml}`);
  const gateway = await testGateway(t, yaml, { folder });
  const [bot, person] = [
    await rawLink(gateway, await enrol(gateway, "agent/bot")),
    await rawLink(gateway, await enrol(gateway, "agent/person")),
  ];
  const body = JSON.stringify(toolCall("wait"));
  bot.write(
    `POST /mcp/lab HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await eventually("the call is under way", () => seen.length === 1);
  const closed = once(bot, "close");
  await writeFile(
    rules,
    `${open}  - { name: no-bots-today, on: link, callers: ["spiffe://latticegate.local/agent/bot"], effect: deny, because: They are being mended. }\n`,
  );
  await closed;
  assert.notEqual(await asked(person), "cut");
  const [entry] = await entriesOf(gateway, "link.denied");
  assert.deepEqual([entry?.facts["rule"], entry?.facts["what"]], ["no-bots-today", "open link"]);
  await eventually("the call's end is on record", async () =>
    (await recorded(gateway)).some(({ facts }) => facts["reason"] === "link_denied"),
  );
});

const webRules = (rule: string): string => `${clientsMayAll}${rule}`;

test("the web listener asks rules about connections before TLS too", async (t) => {
  const scene = await webScene(t, {
    policies: webRules(
      `  - { name: no-h2, on: connection, when: '"h2" in hello.alpn', effect: deny, because: Nobody speaks it. }`,
    ),
  });
  const { ca } = { ca: scene.certificate.certificate };
  const to = webAddress(scene.gateway);
  const options = { ...to, ca, servername: "mcp.acme.test", minVersion: "TLSv1.3" as const };
  assert.deepEqual(await knock({ ...options, ALPNProtocols: ["h2"] }, "/mcp/files"), accessDenied);
  assert.equal((await knock(options, "/mcp/files")).kind, "answered");
});

test("a client with a token is judged by rules about links when it comes with it", async (t) => {
  const scene = await webScene(t, {
    listener: "dpop_nonce: false",
    policies: webRules(
      `  - { name: no-app, on: link, callers: ["oauth:corp/client/app"], when: 'caller.claims.sub != "bob"', effect: deny, because: Only Bob uses the app. }`,
    ),
  });
  const client = webClient(t, scene);
  const key = await proofKey();
  const as = async (sub: string): Promise<string> => {
    const token = await scene.token({ cnf: { jkt: key.thumbprint }, sub });
    return (await client({ headers: await key.headers(token) })).text;
  };
  assert.match(await as("bob"), /"result"/);
  assert.match(await as("alice"), /Only Bob uses the app/);
  assert.equal(scene.files.seen.length, 1);
  const [entry] = await entriesOf(scene.gateway, "link.denied");
  assert.deepEqual([entry?.principal, entry?.facts["rule"]], ["oauth:corp/client/app", "no-app"]);
});
