/** Rules that are changed while the gateway runs: taken up whole, on record, or not at all. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import {
  clientOf,
  enrol,
  eventually,
  stubServer,
  temporaryFolder,
  testGateway,
  toolCall,
} from "../support/gateway.ts";
import { entriesOf, logged } from "../support/records.ts";

const allow = (name: string, tools: string): string =>
  `  - { name: ${name}, callers: ["*"], tools: ["${tools}"], effect: allow, because: Open. }\n`;

test("rules in a file of their own are taken up when it is replaced, and a file with a mistake changes nothing", async (t) => {
  const stub = await stubServer(t);
  const yaml = `servers: { lab: { url: "${stub.url}" } }\npolicies: rules.yaml\n`;
  const folder = await temporaryFolder(t);
  const rules = path.join(folder, "rules.yaml");
  await writeFile(rules, `policies:\n${allow("reading", "lab/read")}`);
  await writeFile(path.join(folder, "latticegate.yaml"), `state: ./state\n${yaml}`);
  const gateway = await testGateway(t, yaml, { folder });
  const client = clientOf(t, gateway, await enrol(gateway));
  const isAllowed = async (tool: string): Promise<boolean> =>
    (await client.post("lab", toolCall(tool))).text.includes('"result":{}');
  assert.deepEqual([await isAllowed("read"), await isAllowed("write")], [true, false]);

  await writeFile(rules, `policies:\n${allow("reading", "lab/read")}${allow("writing", "lab/write")}`);
  await eventually("the new rule counts", () => isAllowed("write"));
  const [change] = await entriesOf(gateway, "policy.change");
  assert.deepEqual([change?.facts["added"], change?.facts["rules"]], ["writing", "2"]);

  const good = await readFile(rules, "utf8");
  await writeFile(
    rules,
    good.replace("effect: allow, because: Open. }", "effect: allow, when: link.lvl > 1, because: Open. }"),
  );
  await eventually("the mistake is told", () => logged(gateway, "policy.refused").length > 0);
  assert.match(String(logged(gateway, "policy.refused")[0]?.["reason"]), /"reading" \(line 1, column 6\)/);
  assert.deepEqual([await isAllowed("read"), await isAllowed("write")], [true, true]);

  await writeFile(rules, `policies:\n${allow("writing", "lab/write")}`);
  await eventually("the removed rule is gone", async () => !(await isAllowed("read")));
  assert.equal((await entriesOf(gateway, "policy.change")).at(-1)?.facts["removed"], "reading");
});

test("a config that names another file of rules is followed there, also when that file comes later", async (t) => {
  const stub = await stubServer(t);
  const yaml = (file: string): string => `servers: { lab: { url: "${stub.url}" } }\npolicies: ${file}\n`;
  const folder = await temporaryFolder(t);
  const [config, other] = ["latticegate.yaml", "other.yaml"].map((name) => path.join(folder, name)) as [
    string,
    string,
  ];
  await writeFile(path.join(folder, "rules.yaml"), `policies:\n${allow("reading", "lab/read")}`);
  await writeFile(config, `state: ./state\n${yaml("rules.yaml")}`);
  const gateway = await testGateway(t, yaml("rules.yaml"), { folder });
  const client = clientOf(t, gateway, await enrol(gateway));
  const isAllowed = async (tool: string): Promise<boolean> =>
    (await client.post("lab", toolCall(tool))).text.includes('"result":{}');

  await writeFile(config, `state: ./state\n${yaml("other.yaml")}`);
  await eventually(
    "it is told that the file isn't there",
    () => logged(gateway, "policy.refused").length > 0,
  );
  assert.match(String(logged(gateway, "policy.refused")[0]?.["reason"]), /other\.yaml can't be read/);
  assert.equal(await isAllowed("read"), true, "the rules from before stay");
  await writeFile(other, `policies:\n${allow("writing", "lab/write")}`);
  await eventually("the other file counts", () => isAllowed("write"));
  assert.equal(await isAllowed("read"), false);

  await writeFile(other, `policies:\n${allow("reading", "lab/read")}`);
  await eventually("and is followed", () => isAllowed("read"));
});
