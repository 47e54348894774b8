/** Rules and cryptography in the control room of a running gateway: drafts that change nothing, changes that were shown. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, test, type TestContext } from "node:test";

import { loggedIn } from "../support/control.ts";
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
import { entriesOf } from "../support/records.ts";

const stub = await stubServer({ after });
const rules = `# Rules of the shop.${openPolicy}`;
const denying = `${rules}  - name: no-wipes
    callers: ["*"]
    tools: ["stub/wipe"]
    effect: deny
    because: Nobody wipes.
`;
const cases = `trust_domain: latticegate.local
cases:
  - { name: wipes are denied, caller: "spiffe://latticegate.local/agent/a", call: stub/wipe, expect: deny }
`;

/** A gateway whose rules stand in a file of their own, with cases beside them. */
async function ruled(t: TestContext): Promise<TestGateway> {
  const folder = await temporaryFolder(t);
  const yaml = `servers: { stub: { url: "${stub.url}" } }
control: { people: { vera: { roles: [viewer] }, olga: { roles: [operator] } } }
policies: ./rules.yaml
`;
  await writeFile(path.join(folder, "rules.yaml"), rules);
  await writeFile(path.join(folder, "rules.policy-test.yaml"), cases);
  await writeFile(path.join(folder, "latticegate.yaml"), `state: ./state\nlisten: 127.0.0.1:0\n${yaml}`);
  return await testGateway(t, yaml, { folder, dashboard: "127.0.0.1:0" });
}

test("a draft of the rules is checked, tried and replayed, and leaves as a patch; nothing is written", async (t) => {
  const gateway = await ruled(t);
  const { ask } = await loggedIn(gateway, "vera");
  const file = path.join(gateway.folder, "rules.yaml");

  await t.test("the rules in force are told in words, with the text they are written in", async () => {
    const { body } = await ask("GET /policy");
    const [rule] = body["rules"] as readonly { name: string; inWords: string }[];
    assert.equal(rule?.name, "test-agents");
    assert.match(rule.inWords, /^Allows all tools and all resources and all prompts by spiffe:/);
    assert.deepEqual(body["source"], { kind: "file", file: "rules.yaml", text: rules, isInForce: true });
  });

  await t.test("a mistake has its line, its column and what to do", async () => {
    const wrong = denying.replace("effect: deny", "when: call.nmae == 'x'\n    effect: deny");
    const { body } = await ask("POST /policy/check", { text: wrong });
    const [finding] = body["findings"] as readonly Readonly<Record<string, unknown>>[];
    assert.deepEqual([finding?.["line"], finding?.["rule"]], [13, "no-wipes"]);
    assert.notEqual(finding?.["mend"], "");
    const cut = await ask("POST /policy/check", { text: "policies: [" });
    assert.equal((cut.body["findings"] as readonly { kind: string }[])[0]?.kind, "bad-file");
    assert.equal((await ask("POST /policy/patch", { text: wrong })).status, 409);
  });

  await t.test("the cases beside the rules judge the draft, and typed ones", async () => {
    const now = await ask("POST /policy/test", { text: rules });
    assert.deepEqual([now.body["passed"], now.body["failed"]], [0, 1]);
    const then = await ask("POST /policy/test", { text: denying });
    assert.deepEqual([then.body["passed"], then.body["failed"]], [1, 0]);
    const typed = await ask("POST /policy/test", { text: rules, cases });
    assert.deepEqual([typed.body["failed"], typed.body["files"]], [1, ["typed"]]);
  });

  await t.test("recorded calls are held against it", async () => {
    const client = clientOf(t, gateway, await enrol(gateway));
    for (const tool of ["wipe", "wipe", "read"]) await client.post("stub", toolCall(tool));
    await gateway.audit.journal.checkpoint();
    const { body } = await ask("POST /policy/diff", { text: denying });
    const [group] = body["groups"] as readonly Readonly<Record<string, unknown>>[];
    assert.deepEqual([body["calls"], body["changes"], body["stays"]], [3, 2, 1]);
    assert.deepEqual(group?.["before"], { verdict: "allow", rule: "test-agents" });
    assert.deepEqual(group?.["after"], { verdict: "deny", rule: "no-wipes" });
    assert.deepEqual([group?.["target"], group?.["count"]], ["stub/wipe", 2]);
    const told = await ask("POST /policy/explain", { callId: group?.["callId"], text: denying });
    const about = told.body["rules"] as readonly { rule: string; counts: string }[];
    assert.ok(about.some(({ rule, counts }) => rule === "no-wipes" && counts === "yes"));
  });

  await t.test("a described call is explained", async () => {
    const call = { caller: "spiffe://latticegate.local/agent/a", call: "stub/wipe" };
    const { body } = await ask("POST /policy/explain", { call, text: denying });
    assert.deepEqual(body["decision"], { verdict: "deny", rule: "no-wipes", because: "Nobody wipes." });
    assert.equal((await ask("POST /policy/explain", { call: { caller: "x" } })).status, 409);
  });

  await t.test("the patch applies with git, and the file stays as it was until somebody does", async () => {
    const { body } = await ask("POST /policy/patch", { text: denying });
    assert.equal(body["file"], "rules.yaml");
    assert.equal(await readFile(file, "utf8"), rules);
    const applied = spawnSync("git", ["apply", "-"], {
      cwd: gateway.folder,
      input: String(body["patch"]),
      encoding: "utf8",
    });
    assert.equal(applied.stderr, "");
    assert.equal(await readFile(file, "utf8"), denying);
  });
});

test("a change of profile is applied as it was shown: another plan's digest is refused, a viewer too", async (t) => {
  const gateway = await ruled(t);
  const vera = await loggedIn(gateway, "vera");
  const { ask } = await loggedIn(gateway, "olga");
  const plan = await vera.ask("POST /crypto/plan", { profile: "cnsa-2.0" });
  const { planDigest, doesBreak } = plan.body;
  assert.equal(plan.body["from"], "hybrid");
  const order = { profile: "cnsa-2.0", planDigest, because: "the directive says so" };

  assert.equal((await vera.ask("POST /crypto/apply", order)).status, 403);
  const other = await ask("POST /crypto/apply", { ...order, overlap: "1h", breaks: true });
  assert.equal(other.status, 409);
  assert.match(String(other.body["detail"]), /isn't the plan any more/);
  if (doesBreak === true) {
    const unasked = await ask("POST /crypto/apply", order);
    assert.match(String(unasked.body["detail"]), /Something breaks/);
  }
  const done = await ask("POST /crypto/apply", { ...order, breaks: doesBreak });
  assert.deepEqual([done.status, done.body["before"], done.body["after"]], [200, "hybrid", "cnsa-2.0"]);
  const { body } = await ask("GET /crypto/profiles");
  assert.equal(body["inForce"], "cnsa-2.0");

  const clocks = (await vera.ask("GET /crypto/certificates")).body["items"] as readonly { kind: string }[];
  assert.ok(["own", "root"].every((kind) => clocks.some((clock) => clock.kind === kind)));
  assert.deepEqual((await vera.ask("GET /crypto/peers")).body["items"], []);
  const none = await vera.ask("GET /crypto/migration");
  assert.match(String(none.body["detail"]), /latticegate scan --keep/);
  const applied = (await entriesOf(gateway)).find(({ facts }) => facts["after"] === "cnsa-2.0");
  assert.equal(applied?.facts["because"], "the directive says so");
  assert.equal(applied.facts["by"], "person:olga");
});
