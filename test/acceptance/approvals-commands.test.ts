/** `latticegate approvals …` as people type it, beside a gateway or without one. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { approvalsKey, sealedName } from "../../src/app/approvals/approval-operations.ts";
import { freshToken } from "../../src/app/approvals/approvers.ts";
import { loadConfig } from "../../src/app/config.ts";
import { openConfigKeys } from "../../src/app/signer/gateway-signer.ts";
import { statePaths } from "../../src/app/state-folder.ts";
import { sha256Base64url } from "../../src/crypto/hash.ts";
import { sealSecret } from "../../src/crypto/sealed.ts";
import { openApprovals } from "../../src/host/store/state-approvals.ts";
import { systemClock } from "../../src/host/system.ts";
import { utf8 } from "../../src/kernel/bytes.ts";
import { cli, type Ended } from "../support/cli.ts";
import { quicklyUnlocked, temporaryFolder } from "../support/gateway.ts";

const alice = freshToken();

interface Desk {
  readonly run: (...args: readonly string[]) => Promise<Ended>;
  readonly request: string;
  readonly folder: string;
}

/** A state folder in which one call waits for two people. */
async function desk(t: TestContext): Promise<Desk> {
  const folder = await temporaryFolder(t);
  await quicklyUnlocked(path.join(folder, "state"));
  const file = path.join(folder, "latticegate.yaml");
  await writeFile(
    file,
    `state: ./state\napprovals: { people: { alice: { token_hash: "${alice.hash}" } } }\n`,
  );
  const config = loadConfig(file);
  const { keys, close } = await openConfigKeys(config);
  const key = await keys.secret(approvalsKey);
  close();
  const said = [
    { name: "to", value: '"bob⟨U+200B⟩"' },
    { name: "note", value: '"xx', isCut: true },
  ];
  const store = openApprovals(statePaths(config.state).database);
  const settled = store.settle(
    {
      digest: "digest",
      caller: "spiffe://a.test/agent/x",
      chain: ["oauth:corp/user/u"],
      server: "bank",
      method: "tools/call",
      name: "pay\u001b[2J",
      terms: [
        { rule: "payments", because: "Looked at first.", approvers: 2, from: ["operator", "person:*"] },
      ],
      expiresMs: 900_000,
      seal: (id) => sealSecret(key, sealedName(id), utf8(JSON.stringify(said))),
    },
    systemClock.nowUnixMs(),
  );
  store.close();
  const request = settled.kind === "waiting" ? settled.request.id : assert.fail();
  return { run: (...args) => cli(["approvals", ...args, "--config", file]), request, folder };
}

const time = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g;

function golden({ code, stdout, stderr }: Ended, request: string): readonly string[] {
  assert.equal(code, 0, stderr);
  return stdout
    .trimEnd()
    .replaceAll(request, "ID")
    .replace(/uid \d+/g, "uid N")
    .replaceAll(time, "TIME")
    .split("\n");
}

test("list and show say who asks for what, in lines that move no cursor; approving takes two who prove to be two", async (t) => {
  const { run, request, folder } = await desk(t);
  const listed = golden(await run("list"), request);
  assert.deepEqual(listed, [
    "ID  waiting   0 of 2  tools/call bank/pay⟨ANSI escape \\u001b[2J⟩",
    "                  by spiffe://a.test/agent/x for oauth:corp/user/u, until TIME",
  ]);
  assert.deepEqual(golden(await run("approve", request, "--reason", "Seen."), request), [
    "waiting: ID has 1 of 2 approvals",
  ]);
  const shown = golden(await run("show", request), request);
  assert.deepEqual(shown, [
    "request    ID",
    "state      waiting, 1 of 2 approvals",
    "call       tools/call bank/pay⟨ANSI escape \\u001b[2J⟩",
    "caller     spiffe://a.test/agent/x for oauth:corp/user/u",
    "asked      TIME",
    "expires    TIME",
    "rule       payments: Looked at first. (2 to approve from operator, person:*)",
    "approve    operator (uid N) TIME: Seen.",
    'argument   to = "bob⟨U+200B⟩"',
    'argument   note = "xx [cut]',
  ]);
  const again = await run("approve", request);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /operator has approved request [0-9a-f]+ already/);
  const tokenFile = path.join(folder, "token");
  await writeFile(tokenFile, `${freshToken().token}\n`);
  const forged = await run("approve", request, "--token-file", tokenFile);
  assert.match(forged.stderr, /is nobody's under approvals\.people/);
  await writeFile(tokenFile, `${alice.token}\n`);
  assert.deepEqual(golden(await run("approve", request, "--token-file", tokenFile), request), [
    "approved: ID; the call may be made once",
  ]);
});

test("what is denied is over, stands in the list of all, and shows no arguments any more", async (t) => {
  const { run, request } = await desk(t);
  assert.deepEqual(golden(await run("deny", request, "--reason", "Not today."), request), ["denied: ID"]);
  assert.deepEqual(golden(await run("list"), request), ["nothing waits for approval"]);
  const all = JSON.parse((await run("list", "--all", "--json")).stdout) as readonly {
    readonly state: string;
  }[];
  assert.deepEqual(
    all.map(({ state }) => state),
    ["denied"],
  );
  assert.deepEqual(golden(await run("show", request), request).slice(-2), [
    "deny       operator (uid N) TIME: Not today.",
    "arguments  no longer kept: the request is over",
  ]);
  const late = await run("approve", request);
  assert.match(late.stderr, /it is denied/);
});

test("a person's token is printed once, with the hash that the config takes", async () => {
  const { stdout } = await cli(["approvals", "token", "--json"]);
  const { token, token_hash: hash } = JSON.parse(stdout) as { token: string; token_hash: string };
  assert.equal(sha256Base64url(token), hash);
  assert.equal(Buffer.from(token, "base64url").length, 32);
});

test("who approves can't be said, only proven", async () => {
  const ended = await cli(["approvals", "approve", "0123456789abcdef", "--as", "alice"]);
  assert.equal(ended.code, 2);
  assert.match(ended.stderr, /Unknown option '--as'/);
});
