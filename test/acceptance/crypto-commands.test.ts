/** `latticegate crypto profiles | suites | status | plan` as an operator types them, beside a gateway and without one. */
import assert from "node:assert/strict";
import { readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, test } from "node:test";

import type { StatusDocument } from "../../src/app/crypto/status-document.ts";
import { cli, type Ended } from "../support/cli.ts";
import { controlOf } from "../support/control.ts";
import { eventually, stubServer, temporaryFolder, testGateway } from "../support/gateway.ts";
import { type GatewayProcess, gatewayProcess, loopbackSidecar } from "../support/gateway-process.ts";
import { origin, proofKey, webClient, webScene } from "../support/web-gateway.ts";

const json = { "content-type": "application/json", accept: "application/json, text/event-stream" };
const toolCall = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "x" } };

describe("beside a gateway", () => {
  const undo: (() => unknown)[] = [];
  const t = { after: (step: () => unknown) => void undo.push(step) };
  let gateway: GatewayProcess;
  const run = (...args: string[]): Promise<Ended> => cli([...args, "--config", gateway.configFile]);

  before(async () => {
    // A call that isn't answered keeps its link.
    const stub = await stubServer(t, () => undefined);
    gateway = await gatewayProcess(
      t,
      `limits: { drain: 100ms }
servers: { stub: { url: "${stub.url}" } }
crypto: { profiles: { strict: { based_on: hybrid, allowed_algos: [SecP384r1MLKEM1024, ML-DSA-65] } } }`,
    );
    const { url } = await loopbackSidecar(t, gateway, "stub", "cli");
    fetch(url, { method: "POST", headers: json, body: JSON.stringify(toolCall) }).catch(() => undefined);
    await eventually("the call is under way", () => stub.seen.length > 0);
  });
  after(async () => {
    for (const step of undo.reverse()) await step();
  });

  test("status shows the sidecar's link, in short, by name and as JSON", async () => {
    const short = await run("crypto", "status");
    assert.equal(short.code, 0, short.stderr);
    assert.match(short.stdout, /^Profile {3}hybrid since \S+; the config names hybrid$/m);
    assert.match(short.stdout, new RegExp(`^Gateway {3}runs at ${gateway.address} since `, "m"));
    assert.match(short.stdout, /^ {2}1 {2}X25519MLKEM768 {2}ML-DSA-65 \+ Ed25519 {2}calls /m);
    assert.match(short.stdout, /^Weak spots\n {2}none found$/m);
    const verbose = await run("crypto", "status", "--verbose");
    assert.match(verbose.stdout, /^ {2}127\.0\.0\.1:\d+ .* spiffe:\/\/latticegate\.local\/agent\/cli$/m);
    const status = JSON.parse((await run("crypto", "status", "--json")).stdout) as StatusDocument;
    assert.equal(status.format, 1);
    assert.deepEqual(
      status.links?.map(({ callers, group }) => [callers, group]),
      [[["spiffe://latticegate.local/agent/cli"], "X25519MLKEM768"]],
    );
  });

  test("profiles marks the one in force, suites lists what there is, both as JSON too", async () => {
    const profiles = await run("crypto", "profiles");
    assert.match(profiles.stdout, /^hybrid: in force, configured$/m);
    assert.match(profiles.stdout, /^strict$/m);
    const listed = JSON.parse((await run("crypto", "profiles", "--json")).stdout) as {
      readonly in_force: string;
      readonly profiles: readonly { readonly profile: { readonly name: string } }[];
    };
    assert.equal(listed.in_force, "hybrid");
    assert.deepEqual(
      listed.profiles.map(({ profile: { name } }) => name),
      ["transition", "hybrid", "cnsa-2.0", "strict"],
    );
    assert.match((await cli(["crypto", "suites"])).stdout, /^ML-DSA-87 +signature +pq +5 /m);
    const rows = JSON.parse((await cli(["crypto", "suites", "--json"])).stdout) as readonly {
      readonly id: string;
      readonly status: string;
    }[];
    assert.equal(rows.find(({ id }) => id === "X25519")?.status, "deprecated");
  });

  test("a plan under which sidecars follow breaks nothing and ends with 0", async () => {
    const plan = await run("crypto", "plan", "strict");
    assert.equal(plan.code, 0, plan.stdout + plan.stderr);
    assert.match(plan.stdout, /^From hybrid to strict$/m);
    assert.match(plan.stdout, /^ {2}link +spiffe:\/\/latticegate\.local\/agent\/cli +X25519MLKEM768 ends: /m);
    assert.match(plan.stdout, /^Nothing breaks\.$/m);
    assert.doesNotMatch(plan.stdout, /^ {2}log /m);
    const same = await run("crypto", "plan", "hybrid", "--json");
    assert.equal(same.code, 0);
    assert.deepEqual((JSON.parse(same.stdout) as { readonly changes: unknown }).changes, []);
  });

  const mistakes: readonly (readonly [string, readonly string[], RegExp])[] = [
    ["a profile that isn't there", ["crypto", "plan", "fly"], /no profile "fly"; there are .*, strict\./],
    ["a plan for nothing", ["crypto", "plan"], /Name one profile/],
    ["a plan for two", ["crypto", "plan", "hybrid", "strict"], /Name one profile/],
  ];
  for (const [what, args, expected] of mistakes) {
    test(`${what} ends with 2 and says what was expected`, async () => {
      const ended = await run(...args);
      assert.equal(ended.code, 2, ended.stdout);
      assert.match(ended.stderr, expected);
    });
  }

  test("a gateway of before it could be asked is named as such, and what the folder knows is shown", async () => {
    const file = path.join(gateway.folder, "state", "run.json");
    const whole = await readFile(file, "utf8");
    const { control, ...older } = JSON.parse(whole) as { readonly control: string };
    assert.match(control, /control\.sock$/);
    await writeFile(file, JSON.stringify(older));
    const status = await run("crypto", "status");
    assert.equal(status.code, 0, status.stderr);
    assert.match(
      status.stdout,
      /^Gateway {3}runs, but it is of a version that can't be asked; start it anew/m,
    );
    assert.match(status.stdout, /^ {2}1 holder {2}client +ML-DSA-65$/m);
    const apply = await run("crypto", "apply", "strict");
    assert.equal(apply.code, 3, apply.stdout + apply.stderr);
    assert.match(apply.stdout, /^May break\n {2}gateway {2}the one that runs +it is of a version that/m);
    assert.match(apply.stdout, /^Nothing was applied\./m);
    await writeFile(file, JSON.stringify({ ...older, control: `${control}.gone` }));
    assert.match((await run("crypto", "status")).stdout, /^Gateway {3}runs, but it doesn't answer: /m);
    await writeFile(file, whole);
  });

  test("without its gateway, status and plan say that it doesn't run", async () => {
    assert.equal(await gateway.stop(), 0);
    const status = await run("crypto", "status");
    assert.equal(status.code, 0, status.stderr);
    assert.match(
      status.stdout,
      /^Gateway {3}doesn't run; listeners, links, servers and issuers aren't known$/m,
    );
    assert.match(status.stdout, /^Log\n( {2}\S+ +key [0-9a-f]{8}\n)+/m);
    const asJson = JSON.parse((await run("crypto", "status", "--json")).stdout) as StatusDocument;
    assert.equal(asJson.links, null);
    assert.deepEqual(asJson.gateway, { state: "not running" });
    const plan = await run("crypto", "plan", "strict");
    assert.match(plan.stdout, /^No running gateway was asked/m);
  });
});

test("before the first start there is nothing to say, but which profiles there are", async (t) => {
  const file = path.join(await temporaryFolder(t), "latticegate.yaml");
  await writeFile(file, "state: ./state\n");
  for (const args of [["status"], ["plan", "hybrid"]]) {
    const ended = await cli(["crypto", ...args, "--config", file]);
    assert.equal(ended.code, 1, ended.stdout);
    assert.match(ended.stderr, /There is no authority in .*; run "latticegate up" once/);
  }
  const profiles = await cli(["crypto", "profiles", "--config", file]);
  assert.match(profiles.stdout, /^hybrid: configured, in force from the first start on$/m);
});

test("a plan that may break a client with tokens names it, says what to do, and ends with 3", async (t) => {
  const scene = await webScene(t, { listener: "dpop_nonce: false\n" });
  const key = await proofKey();
  const token = await scene.token({ cnf: { jkt: key.thumbprint } });
  const answer = await webClient(t, scene)({ headers: await key.headers(token) });
  assert.equal(answer.status, 200, answer.text);
  const file = path.join(await temporaryFolder(t), "latticegate.yaml");
  await writeFile(file, `state: ${scene.gateway.config.state}\n`);
  const plan = await cli(["crypto", "plan", "cnsa-2.0", "--config", file]);
  assert.equal(plan.code, 3, plan.stdout + plan.stderr);
  assert.match(
    plan.stdout,
    /^May break\n {2}link {2}oauth:corp\/client\/app\S* +it came over X25519MLKEM768;/m,
  );
  assert.match(plan.stdout, /^ {6}→ try it first/m);
  assert.match(
    plan.stdout,
    new RegExp(`^ {2}listener +${origin} +takes SecP384r1MLKEM1024; no longer `, "m"),
  );
  assert.match(plan.stdout, /^1 may break\.$/m);
});

test("a gateway without a page answers commands by its socket, which is its user's alone", async (t) => {
  const gateway = await testGateway(t, "", { dashboard: "off" });
  const run = JSON.parse(await readFile(path.join(gateway.config.state, "run.json"), "utf8")) as {
    readonly control: string;
    readonly dashboard?: string;
  };
  assert.deepEqual([run.dashboard, run.control], [undefined, gateway.controlSocket]);
  assert.equal((await stat(run.control)).mode & 0o777, 0o600);
  assert.equal((await controlOf(gateway).ask("GET /crypto")).status, 200);
});
