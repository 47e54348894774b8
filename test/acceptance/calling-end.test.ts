/** Sidecars and the gateway as calling ends: calls leave signed, and only what the serving end signed comes back. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { connectHttp, type ConnectOptions } from "../../src/app/connect.ts";
import { startExpose } from "../../src/app/expose.ts";
import { approvePin, forgetPin, listPins } from "../../src/app/signatures/pin-operations.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { atEnd } from "../support/cleanup.ts";
import { latticegate } from "../support/cli.ts";
import {
  clientOf,
  enrol,
  eventually,
  freshState,
  openPolicy,
  type StubServer,
  stubServer,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { entriesOf, type Recorded } from "../support/records.ts";
import { stdioClient } from "../support/pipes.ts";
import { json, legacyCall, sidecarOf } from "../support/ways.ts";

const scriptedProgram = fileURLToPath(new URL("../support/scripted-server.ts", import.meta.url));
const silent = systemLog({ level: "error", form: "json", write: () => undefined });
const list = JSON.stringify({ jsonrpc: "2.0", id: 2, method: "tools/list" });

interface House {
  readonly gateway: TestGateway;
  readonly stub: StubServer;
  readonly exposedId: string;
}

/** A gateway with the stub itself, the same behind `expose`, and both joined in one. */
async function house(t: TestContext, policy = openPolicy): Promise<House> {
  const stub = await stubServer(t);
  const first = await testGateway(t, policy);
  const address = { path: "server/stub", address: first.address };
  const exposed = await startExpose({
    joinToken: await makeJoinToken(first.config, address, systemClock),
    state: await freshState(t),
    server: { url: stub.url },
    listen: "127.0.0.1:0",
    allow: [],
    clock: systemClock,
    log: silent,
  });
  atEnd(t, exposed.stop);
  await first.stop();
  const servers = `servers: { plain: { url: "${stub.url}" }, exposed: { url: "${exposed.url}", peer: "${exposed.spiffeId}" } }`;
  const gateway = await testGateway(t, `${servers}\n${policy}`, { folder: first.folder });
  return { gateway, stub, exposedId: exposed.spiffeId };
}

interface Sidecar {
  readonly options: ConnectOptions;
  readonly post: (body: string) => Promise<string>;
  readonly close: () => Promise<void>;
}

async function sidecar(t: TestContext, options: ConnectOptions): Promise<Sidecar> {
  const connection = await connectHttp(options, 0);
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= connection.close());
  atEnd(t, close);
  const post = async (body: string): Promise<string> => {
    const answer = await fetch(connection.url, { method: "POST", headers: json, body });
    return await answer.text();
  };
  return { options, post, close };
}

async function outcomes(gateway: TestGateway, server: string): Promise<readonly Recorded["facts"][]> {
  const all = await entriesOf(gateway);
  const ofServer = new Set(all.filter(({ facts }) => facts["server"] === server).map(({ callId }) => callId));
  return all
    .filter(({ event, callId }) => event === "call.outcome" && ofServer.has(callId))
    .map(({ facts }) => facts);
}

for (const server of ["plain", "exposed"] as const) {
  test(`from a sidecar to a server ${server === "plain" ? "of the gateway's" : "behind expose"}, calls and answers are signed, and neither end sees it`, async (t) => {
    const { gateway, stub, exposedId } = await house(t);
    const { post, close, options } = await sidecar(t, await sidecarOf(t, gateway, server));
    assert.equal(await post(legacyCall()), '{"jsonrpc":"2.0","id":1,"result":{}}');
    assert.equal(await post(list), '{"jsonrpc":"2.0","id":2,"result":{}}');
    assert.deepEqual(
      stub.seen.map(({ body }) => body),
      [legacyCall(), list],
    );
    await close();
    const signer = server === "plain" ? "spiffe://latticegate.local/gateway" : exposedId;
    const [pin] = listPins(options.state).pins;
    assert.deepEqual([pin?.name, pin?.state], [signer, "first-use"]);
    await gateway.audit.journal.checkpoint();
    const facts = await outcomes(gateway, server);
    const signed = facts.filter((each) => each["answer_signed"] === signer);
    assert.deepEqual(
      signed.map((each) => each["answer_signature"]),
      ["direct", "batched"],
    );
    assert.ok(
      facts.some((each) => Number(each["leaves"]) > 0),
      "the promise was kept",
    );
  });
}

test("for a caller that doesn't sign the gateway does, in its own name and on the caller's behalf", async (t) => {
  const { gateway, stub, exposedId } = await house(t);
  const client = clientOf(t, gateway, await enrol(gateway));
  const answer = await client.request("exposed", { headers: json, body: legacyCall() });
  assert.equal(answer.text, '{"jsonrpc":"2.0","id":1,"result":{}}');
  assert.equal(stub.seen[0]?.body, legacyCall());
  await gateway.audit.journal.checkpoint();
  const [facts] = await outcomes(gateway, "exposed");
  assert.deepEqual([facts?.["answer_signed"], facts?.["answer_signature"]], [exposedId, "direct"]);
});

test("several sidecars share a state folder, each with its own batches", async (t) => {
  const { gateway } = await house(t);
  const first = await sidecar(t, await sidecarOf(t, gateway, "plain"));
  const { joinToken: _, ...joined } = first.options;
  const second = await sidecar(t, joined);
  const texts = await Promise.all([first, second, first, second].map(({ post }) => post(list)));
  assert.equal(new Set(texts).size, 1);
  await Promise.all([first.close(), second.close()]);
});

test("a gateway that begins anew is taken up again, whatever it had promised before", async (t) => {
  const stub = await stubServer(t);
  const yaml = `servers: { plain: { url: "${stub.url}" } }\n${openPolicy}`;
  const gateway = await testGateway(t, yaml);
  const lines: string[] = [];
  const log = systemLog({ level: "debug", form: "json", write: (line) => void lines.push(line) });
  const one = await sidecar(t, { ...(await sidecarOf(t, gateway, "plain")), log });
  await one.post(list);
  await gateway.stop();
  await testGateway(t, yaml, { folder: gateway.folder, listen: gateway.address });
  assert.equal(await one.post(list), '{"jsonrpc":"2.0","id":2,"result":{}}');
  await eventually("it was said that the promise is lost", async () => {
    assert.equal(await one.post(list), '{"jsonrpc":"2.0","id":2,"result":{}}');
    return lines.some((line) => line.includes("answers.unattested"));
  });
});

test("a client's sidecar that is told to end by a signal keeps what it promised first", async (t) => {
  const { gateway } = await house(t);
  const joinToken = await makeJoinToken(
    gateway.config,
    { path: "agent/probe", address: gateway.address },
    systemClock,
  );
  const command = ["connect", "plain", "--join", joinToken, "--state", await freshState(t)];
  const child = spawn(process.execPath, [...latticegate(command)], { stdio: ["pipe", "pipe", "inherit"] });
  atEnd(t, () => child.kill("SIGKILL"));
  child.stdin.write(`${list}\n`);
  await once(child.stdout, "data");
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "exit"), [0, null], "its stdin is still open");
  const methods = (await entriesOf(gateway, "call.decision")).map(({ facts }) => facts["method"]);
  assert.deepEqual(methods, ["dev.latticegate/message-keys", "tools/list", "dev.latticegate/attest"]);
});

test("an answer of a pipe that is too long to be signed arrives, whether it came at once or on a stream", async (t) => {
  const command = JSON.stringify([process.execPath, scriptedProgram]);
  const gateway = await testGateway(t, `servers: { pipe: { command: ${command} } }\n${openPolicy}`);
  const client = await stdioClient(t, gateway, "pipe");
  await client.initialize();
  for (const bytes of [1024 * 1024 + 1, 12 * 1024 * 1024]) {
    const line = await client.ask(JSON.stringify(toolCall("fill", 5, { bytes })));
    assert.ok(line.length === bytes, line.slice(0, 400));
  }
});

test("a key set that isn't the pinned one is refused until it is approved, or forgotten", async (t) => {
  const { gateway } = await house(t);
  const one = await sidecar(t, await sidecarOf(t, gateway, "plain"));
  await one.post(list);
  const name = "spiffe://latticegate.local/gateway";
  const { pins } = listPins(one.options.state);
  const right = pins[0]?.fingerprint ?? "";
  await approvePin(one.options.state, { name, fingerprint: "A".repeat(43) }, systemClock);
  await eventually("the other keys count no more", async () => /unknown_key/.test(await one.post(list)));
  await approvePin(one.options.state, { name, fingerprint: right }, systemClock);
  await eventually("they count again", async () => /"result":\{\}/.test(await one.post(list)));
  assert.equal(forgetPin(one.options.state, name, systemClock), true);
  await eventually(
    "they are met anew",
    () => listPins(one.options.state).pins.length === 1 || one.post(list).then(() => false),
  );
});
