/** Who reaches what by a config alone: over which listener somebody comes, and on which links. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";

import { systemClock } from "../../host/system.ts";
import { type ReachFound, reachInConfig } from "./reach-of-config.ts";

const folder = await mkdtemp(path.join(tmpdir(), "latticegate-"));
after(() => rm(folder, { recursive: true, force: true }));
const file = path.join(folder, "latticegate.yaml");

const rest = `
profile: transition
trust_domain: acme.test
issuers: { corp: { issuer: "https://id.acme.test" }, other: { issuer: "https://id.other.test" } }
servers:
  web: { url: "http://127.0.0.1:9/mcp" }
  crm: { url: "http://127.0.0.1:9/mcp" }
policies:
  - { name: all, callers: ["*"], tools: ["*/get"], effect: allow, because: A test says so. }
  - { name: old-links, callers: ["*"], tools: ["*"], when: "!link.pq && call.server == 'crm'", effect: deny, because: A test says so. }
  - { name: hybrid, callers: ["*"], tools: ["web/put"], link: { pq: true }, effect: allow, because: A test says so. }
`;
const web = `{ address: "127.0.0.1:0", authentication: web-certificate, url: "https://mcp.acme.test", issuers: [corp], certificates: [{ certificate: c.pem, key: k.pem }], key_exchange: hybrid-preferred, classical_servers: [web] }`;

async function reach(listen: string, caller: string, link?: string): Promise<ReachFound> {
  await writeFile(file, `state: ./state\nlisten: ${listen}${rest}`);
  return reachInConfig(file, caller, { clock: systemClock, ...(link !== undefined && { link }) });
}
const told = ({ targets }: ReachFound): readonly string[] =>
  targets.map(({ server, name, ways: [way] }) => `${server}/${name}${way?.link ? ` on ${way.link}` : ""}`);

test("a client reaches what its issuer's listeners take it to, on the links they take", async () => {
  const listen = `["127.0.0.1:0", ${web}]`;
  const client = await reach(listen, "oauth:corp/client/app");
  // What is open to classical links is, and what such links are kept from isn't conditional where none leads.
  assert.deepEqual(told(client), ["web/get", "web/put on a post-quantum link", "crm/get"]);
  assert.deepEqual(
    [client.caller.isWorkload, client.lending.lends, client.standing],
    [false, false, undefined],
  );
  assert.deepEqual(told(await reach(listen, "oauth:corp/client/app", "X25519")), ["web/get"]);
  assert.deepEqual(told(await reach(listen, "spiffe://acme.test/agent/a")), [
    "web/get",
    "web/put",
    "crm/get",
  ]);
  const [stranger, early] = [
    await reach(listen, "oauth:other/client/app"),
    await reach('"127.0.0.1:0"', "oauth:corp/client/app"),
  ];
  assert.deepEqual([stranger.targets, early.targets], [[], []]);
});

test("a user of a client is no caller of its own", async () => {
  await assert.rejects(
    reach('"127.0.0.1:0"', "oauth:corp/user/alice"),
    /asks through clients and never alone/,
  );
});

test("sidecars whose links are let in without ML-KEM reach what is open to them", async () => {
  const listen = `{ address: "127.0.0.1:0", key_exchange: hybrid-preferred, classical_servers: [crm] }`;
  assert.deepEqual(told(await reach(listen, "spiffe://acme.test/agent/a")), [
    "web/get",
    "web/put",
    "crm/get on a post-quantum link",
  ]);
  assert.deepEqual(told(await reach(listen, "spiffe://acme.test/agent/a", "X25519")), []);
});

test("where nobody may act for others, rules about that give nothing", async () => {
  const forOthers = `  - { name: for-others, callers: ["*"], on_behalf_of: ["*"], tools: ["crm/put"], effect: allow, because: A test says so. }\n`;
  const withDepth = async (depth: number): Promise<ReachFound> => {
    const delegation = `delegation: { max_depth: ${depth} }`;
    await writeFile(file, `state: ./state\nlisten: "127.0.0.1:0"\n${delegation}${rest}${forOthers}`);
    return reachInConfig(file, "spiffe://acme.test/agent/a", { clock: systemClock });
  };
  const [none, some] = [await withDepth(0), await withDepth(1)];
  assert.deepEqual([told(none).includes("crm/put"), none.lending.lendable], [false, []]);
  assert.deepEqual(
    [told(some).includes("crm/put"), some.lending.lendable.includes("tools web/get")],
    [true, true],
  );
});
