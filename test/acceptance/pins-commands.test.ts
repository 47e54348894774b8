/** `latticegate pins` as a person types it, beside a gateway that runs and for a sidecar that was never started. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import { signatureFindings } from "../../src/app/signatures/doctor-signatures.ts";
import { statePaths } from "../../src/app/state-folder.ts";
import { openPins } from "../../src/host/store/state-pins.ts";
import { openRoutes } from "../../src/host/store/state-routes.ts";
import { cli } from "../support/cli.ts";
import {
  clientOf,
  enrol,
  eventually,
  freshState,
  openPolicy,
  stubServer,
  testGateway,
  toolCall,
} from "../support/gateway.ts";
import { entriesOf } from "../support/records.ts";
import { freshKeys, signingCaller } from "../support/signing-caller.ts";

const agent = "spiffe://latticegate.local/agent/test";

test("what a running gateway pinned is listed, approved and forgotten, and it follows", async (t) => {
  const stub = await stubServer(t);
  const servers = `servers: { stub: { url: "${stub.url}" } }\nsignatures: { pins: approved }\n${openPolicy}`;
  const gateway = await testGateway(t, servers);
  const file = path.join(gateway.folder, "latticegate.yaml");
  await writeFile(file, `state: ./state\n${servers}`);
  const run = (...args: string[]) => cli(["pins", ...args, "--config", file]);
  const keys = freshKeys();
  const client = clientOf(t, gateway, await enrol(gateway));
  const own = signingCaller({ client, server: "stub", id: agent }, keys);
  await own.introduce();
  const { fingerprint } = keys.keySet;
  const listed = await run("list");
  assert.match(listed.stdout, new RegExp(`^first-use +${agent}\\n +${fingerprint} +since \\S+$`, "m"));
  const approved = await run("approve", agent, fingerprint);
  assert.deepEqual([approved.code, approved.stdout], [0, `approved: ${fingerprint} of ${agent}\n`]);
  await eventually("it counts", async () => (await own.call(toolCall("write"), "direct")).mode === "direct");
  const printed = await run("fingerprint");
  assert.equal(printed.stdout, `${own.servedBy().fingerprint}\n`);
  const [finding] = await signatureFindings(gateway.config.state);
  assert.match(
    finding?.text ?? "",
    new RegExp(`^fingerprint ${own.servedBy().fingerprint}; 1 ends pinned, 0 of`),
  );
  const forgotten = await run("forget", agent);
  assert.deepEqual([forgotten.code, forgotten.stdout], [0, `forgotten: ${agent}\n`]);
  assert.equal((await run("forget", agent)).code, 1);
  const whats = async () => (await entriesOf(gateway, "pin.change")).map(({ facts }) => facts["what"]);
  await eventually("it is recorded", async () => (await whats()).length === 3);
  assert.deepEqual(await whats(), ["first-use", "approved", "forgotten"]);
});

test("an end is approved before it was ever met, and nothing is made of what isn't a name or a fingerprint", async (t) => {
  const state = await freshState(t);
  const run = (...args: string[]) => cli(["pins", ...args, "--state", state]);
  const fingerprint = `-${"b".repeat(41)}A`;
  const server = "spiffe://acme.test/server/files";
  assert.equal((await run("list")).stdout, "no message keys are pinned\n");
  const approved = await run("approve", server, fingerprint);
  assert.match(approved.stdout, /they count when they are seen/, approved.stderr);
  assert.equal((await run("approve", server, fingerprint, "--for", "files")).code, 0);
  const routes = openRoutes(statePaths(state).database);
  assert.equal(routes.issuerOf("files"), server);
  routes.close();
  const wrong = await Promise.all([
    run("approve", "files", fingerprint),
    run("approve", server, "x"),
    run("forget"),
  ]);
  for (const { code, stderr } of wrong) assert.equal(code, 2, stderr);
  const listed = JSON.parse((await run("list", "--json")).stdout) as {
    pins: { state: string; seen: boolean }[];
  };
  assert.deepEqual(
    listed.pins.map(({ state: pinned, seen }) => [pinned, seen]),
    [["approved", false]],
  );
});

test("the doctor says whose keys were cut off, or have changed, and what to do", async (t) => {
  const state = await freshState(t);
  await writeFile(path.join(state, "message-keys.json"), JSON.stringify({ fingerprint: "own", keys: [] }));
  const pins = openPins(path.join(state, "state.sqlite"));
  t.after(pins.close);
  pins.meet("spiffe://a.test/agent/x", { fingerprint: "one", keys: "[]" }, 1);
  pins.cut("spiffe://a.test/agent/x", "wrong_batch", 2);
  pins.meet("spiffe://a.test/agent/y", { fingerprint: "two", keys: "[]" }, 1);
  pins.meet("spiffe://a.test/agent/y", { fingerprint: "three", keys: "[]" }, 2);
  const findings = await signatureFindings(state);
  assert.deepEqual(
    findings.map(({ level }) => level),
    ["ok", "wrong", "warn"],
  );
  assert.match(findings[1]?.remedy ?? "", /pins approve spiffe:\/\/a\.test\/agent\/x one/);
  assert.match(findings[2]?.remedy ?? "", /pins approve spiffe:\/\/a\.test\/agent\/y three/);
});
