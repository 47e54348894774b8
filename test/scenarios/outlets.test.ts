/** A gateway that tells a SIEM and a webhook what happens; and `latticegate outlets …` beside it. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import { outsideAuthority } from "../support/certificates.ts";
import { cli, type Ended } from "../support/cli.ts";
import {
  clientOf,
  enrol,
  eventually,
  openPolicy,
  stubServer,
  temporaryFolder,
  testGateway,
  toolCall,
} from "../support/gateway.ts";
import { syslogReceiver } from "../support/outlets.ts";

const secret = "payload-canary-51cb";
const agent = "spiffe://latticegate.local/agent/test";

interface Told {
  readonly metadata: { readonly uid: string; readonly event_code: string };
  readonly actor?: { readonly user: { readonly name: string } };
}

function eventIn(message: string): Told {
  return JSON.parse(message.slice(message.indexOf(" {") + 1)) as Told;
}

test("what happens is told over TLS and by webhook, without a word of payload, and again when an operator wants it", async (t) => {
  const folder = await temporaryFolder(t);
  const authority = outsideAuthority("Acme SIEM");
  const { certificate: cert, key } = authority.issue("siem");
  const siem = await syslogReceiver(t, { cert, key });
  const hook = await stubServer(t, (_request, response) => void response.writeHead(204).end());
  const stub = await stubServer(t);
  await writeFile(path.join(folder, "siem-ca.pem"), authority.certificate);
  await writeFile(path.join(folder, "hook-secret"), `${"s".repeat(32)}\n`, { mode: 0o600 });
  const yaml = `
servers: { stub: { url: "${stub.url}" } }
outlets:
  siem:
    type: syslog
    address: 127.0.0.1:${siem.port}
    ca: siem-ca.pem
    from: start
    events: [decisions, outcomes, life_cycle]
  hook:
    type: webhook
    url: ${hook.url}
    format: json
    secret: { file: hook-secret }
    events: [denials]
    callers: pseudonyms
policies:
  - name: no-refunds
    callers: ["*"]
    tools: ["stub/refund"]
    effect: deny
    because: Nobody refunds here.
${openPolicy.replace("policies:", "")}`;
  await writeFile(path.join(folder, "latticegate.yaml"), `state: ./state\n${yaml}`);
  const gateway = await testGateway(t, yaml, { folder });
  const client = clientOf(t, gateway, await enrol(gateway));
  assert.equal((await client.post("stub", toolCall("pay", 1, { to: secret }))).status, 200);
  await client.post("stub", toolCall("refund", 2, { to: secret }));
  const calls = (): readonly Told[] =>
    siem.messages.map(eventIn).filter(({ metadata }) => metadata.event_code.startsWith("call."));
  await eventually("the SIEM has the call", () => calls().length >= 2);
  const [first] = siem.messages.map(eventIn);
  assert.deepEqual(first?.metadata.event_code, "gateway.start");
  assert.equal(calls()[0]?.actor?.user.name, agent);
  await eventually("the webhook has the denial", () => hook.seen.length > 0);
  const denial = JSON.parse(hook.seen[0]?.body ?? "") as Record<string, string>;
  assert.deepEqual([denial["event"], denial["mcp_name"]], ["call.decision", "refund"]);
  assert.match(denial["caller"] ?? "", /^pseudonym:/);
  assert.match(String(hook.seen[0]?.headers["webhook-signature"]), /^v1,/);

  const run = (...args: readonly string[]): Promise<Ended> =>
    cli([...args, "--config", path.join(folder, "latticegate.yaml")]);
  const listed = await run("outlets");
  assert.equal(listed.code, 0, listed.stdout);
  assert.match(listed.stdout, /^siem +syslog +\d+ +\d+ +\d+ +0 +2\S+Z +TLSv1\.3 X25519MLKEM768$/m);
  const tested = await run("outlets", "test", "siem");
  assert.deepEqual(tested.code, 0);
  assert.match(tested.stdout, /^siem took \S+#test-\S+\.\nThe link was TLSv1\.3 X25519MLKEM768\.\n$/);
  assert.equal(eventIn(siem.messages.at(-1) ?? "").metadata.event_code, "outlet.test");

  const before = siem.messages.length;
  assert.equal((await run("outlets", "replay", "siem", "--from", "0")).code, 0);
  await eventually("it is told again", () => siem.messages.length >= before + before - 1);
  const again = eventIn(siem.messages[before] ?? "");
  assert.equal(again.metadata.uid, first?.metadata.uid);

  await siem.close();
  await client.post("stub", toolCall("pay", 3, { to: secret }));
  await eventually("it is told that nothing gets through", () =>
    gateway.log.some((line) => line.includes("outlet.unreachable")),
  );
  const failing = await run("outlets", "test", "siem");
  assert.equal(failing.code, 1);
  assert.match(failing.stdout, /^siem didn't take it: ECONNREFUSED/);
  assert.match((await run("status")).stdout, /^Outlet +siem gets nothing through since /m);

  const everything = [...siem.messages, ...hook.seen.map(({ body }) => body), ...gateway.log].join("\n");
  assert.doesNotMatch(everything, new RegExp(`${secret}|${"s".repeat(32)}`));
});

test("an outlet without its secret, or over plain TCP to another machine, keeps the gateway from starting", async (t) => {
  const start = (outlet: string): Promise<unknown> => testGateway(t, `outlets: { a: ${outlet} }`);
  await assert.rejects(
    start('{ type: webhook, url: "https://hook.test/", secret: { file: nowhere } }'),
    /outlets\.a\.secret: .*can't be read/,
  );
  await assert.rejects(
    start("{ type: slack, url: { env: LATTICEGATE_NOT_THERE } }"),
    /outlets\.a\.url: nothing/,
  );
  await assert.rejects(start('{ type: syslog, address: "siem.test:514", plain: true }'), /danger_plain/);
});
