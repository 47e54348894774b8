/** A real gateway's log, exported by command and verified by command, with nothing of the gateway left but a fingerprint. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cp, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, test } from "node:test";

import { cli, type Ended } from "../support/cli.ts";
import { eventually, stubServer } from "../support/gateway.ts";
import { type GatewayProcess, gatewayProcess, loopbackSidecar } from "../support/gateway-process.ts";

interface Document {
  readonly first: number;
  readonly entries: readonly string[];
  readonly crossings: Readonly<Record<string, string>>;
}

describe("audit export", () => {
  const undo: (() => unknown)[] = [];
  const t = { after: (step: () => unknown) => void undo.push(step) };
  let gateway: GatewayProcess;
  let fingerprint: string;

  const run = (...args: string[]): Promise<Ended> => cli([...args, "--config", gateway.configFile]);
  const inFolder = (name: string): string => path.join(gateway.folder, name);
  const read = async (name: string): Promise<Document> =>
    JSON.parse(await readFile(inFolder(name), "utf8")) as Document;
  const verify = (name: string, ...more: string[]): Promise<Ended> =>
    cli([
      "audit",
      "verify-bundle",
      inFolder(name),
      ...(more.length > 0 ? more : ["--fingerprint", fingerprint]),
    ]);

  before(async () => {
    const stub = await stubServer(t);
    gateway = await gatewayProcess(t, `servers: { stub: { url: "${stub.url}" } }`);
    const { url } = await loopbackSidecar(t, gateway, "stub", "export");
    const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
    for (let id = 1; id <= 3; id++) {
      const body = JSON.stringify({
        jsonrpc: "2.0",
        id,
        method: "tools/call",
        params: { name: `tool${id}` },
      });
      assert.equal((await fetch(url, { method: "POST", headers, body })).status, 200);
    }
    const keys = await run("audit", "keys");
    fingerprint = /fingerprint ([0-9a-f]{64})/.exec(keys.stdout)?.[1] ?? "";
    assert.notEqual(fingerprint, "", keys.stdout + keys.stderr);
  });
  after(async () => {
    for (const step of undo.reverse()) await step();
  });

  test("the whole log of a gateway that runs is exported and verified with the fingerprint alone", async () => {
    const exported = await run("audit", "export", "--from", "0", "--wait", "-o", inFolder("all.json"));
    assert.equal(exported.code, 0, exported.stderr);
    assert.match(exported.stdout, /^entries 0 to \d+, under the head of \d+ entries$/m);
    const verified = await verify("all.json");
    assert.equal(verified.code, 0, verified.stdout);
    assert.match(
      verified.stdout,
      /^intact: entries 0 to \d+ of \S+\/log\/\S+, under the head of \d+ entries of 20/,
    );
    assert.match(verified.stdout, /^signed by ed25519, ml-dsa-65, ml-dsa-44/m);
  });

  test("to stdout goes the bundle and nothing else", async () => {
    const { stdout, stderr, code } = await run("audit", "export", "--from", "1", "--to", "2");
    assert.equal(code, 0, stderr);
    const { first, entries } = JSON.parse(stdout) as Document;
    assert.deepEqual([first, entries.length], [1, 2]);
    assert.match(stderr, /fingerprint of the keys .*: [0-9a-f]{64}/);
    await writeFile(inFolder("piped.json"), stdout);
    assert.equal((await verify("piped.json")).code, 0);
  });

  test("a call is exported from its first entry to its last, a time from its first to its last", async () => {
    const { entries } = await read("all.json");
    const records = entries.map(
      (text) => JSON.parse(text) as { event_id: string; tool_name: string | null; occurred_at: string },
    );
    const decision = records.findIndex(({ tool_name: tool }) => tool === "stub/tool2");
    const callId = records[decision]?.event_id.split("/")[0] ?? "";
    assert.equal((await run("audit", "export", "--call", callId, "-o", inFolder("call.json"))).code, 0);
    const call = await read("call.json");
    assert.equal(call.first, decision);
    assert.ok(call.entries.at(-1)?.includes(`${callId}/call.outcome`));
    assert.equal((await verify("call.json")).code, 0);
    const at = records[decision]?.occurred_at ?? "";
    const after = new Date(Date.parse(at) + 1).toISOString();
    const ofTime = (since: string, until: string): Promise<Ended> =>
      run("audit", "export", "--since", since, "--until", until, "-o", inFolder("time.json"));
    assert.equal((await ofTime(at.slice(0, 10), at.slice(0, 10))).code, 0, "the day counts whole");
    assert.ok((await read("time.json")).entries.some((text) => text.includes(at)));
    assert.match((await ofTime(at, at)).stderr, /no entry of that time/);
    assert.equal((await ofTime(at, after)).code, 0);
    const time = await read("time.json");
    assert.ok(time.first <= decision && time.entries.every((text) => text.includes(at)));
  });

  test("a bundle that was tampered with is refused, and the entry named", async () => {
    const text = await readFile(inFolder("all.json"), "utf8");
    const { entries } = JSON.parse(text) as Document;
    const index = entries.findIndex((entry) => entry.includes("stub/tool2"));
    await writeFile(inFolder("bad.json"), text.replace("stub/tool2", "stub/tool3"));
    const verified = await verify("bad.json");
    assert.equal(verified.code, 1);
    assert.match(verified.stdout, new RegExp(`^changed: entry ${index} was changed`));
  });

  test("an export of a log that was tampered with hands out nothing, and says why", async () => {
    await eventually("a copy", async () => (await run("audit", "verify")).code === 0);
    const copy = inFolder("copy");
    await cp(path.join(gateway.folder, "state", "log"), copy, { recursive: true });
    for (const name of ["open/0", "tile/entries/000"]) {
      const bytes = await readFile(path.join(copy, name)).catch(() => undefined);
      if (bytes !== undefined)
        await writeFile(
          path.join(copy, name),
          bytes.toString("latin1").replace("stub/tool1", "stub/tool9"),
          "latin1",
        );
    }
    const refused = await run("audit", "export", "--from", "0", "--log", copy);
    assert.deepEqual([refused.code, refused.stdout], [1, ""]);
    assert.match(
      refused.stderr,
      /Nothing was exported, since the log isn't as it was signed: entry \d+ was changed/,
    );
  });

  test("what is asked wrongly is told", async () => {
    for (const [args, why] of [
      [[], /Say which entries/],
      [["--from", "1", "--call", "x"], /Say which entries/],
      [["--from", "x"], /--from takes the index/],
      [["--from", "3", "--to", "2"], /aren't in it/],
      [["--from", "999999"], /aren't in it/],
      [["--since", "yesterday"], /--since takes a time/],
      [["--since", "2001-01-01", "--until", "2001-01-02"], /no entry of that time/],
      [["--call", "no-such-call"], /no entry about no-such-call/],
    ] as const) {
      const { code, stderr } = await run("audit", "export", ...args);
      assert.deepEqual([code, why.test(stderr)], [2, true], stderr);
    }
    assert.match((await cli(["audit", "verify-bundle"])).stderr, /Name one bundle's file/);
    assert.match((await cli(["audit", "verify-bundle", "x"])).stderr, /--fingerprint HEX or --key FILE/);
    assert.match((await verify("nothing.json")).stderr, /can't be read/);
    assert.equal((await verify("all.json", "--fingerprint", "00")).code, 1);
  });

  test("after a rotation of the keys, the first generation's fingerprint and the newest key file both verify", async () => {
    const key = path.join(gateway.folder, "state", "log-key.txt");
    await cp(key, inFolder("old-key.txt"));
    const seen = inFolder("seen");
    await cp(path.join(gateway.folder, "state", "log", "checkpoint"), seen);
    const rotated = await run("crypto", "rotate", "log");
    assert.equal(rotated.code, 0, rotated.stderr);
    const exported = await run("audit", "export", "--from", "0", "--wait", "-o", inFolder("rotated.json"));
    assert.equal(exported.code, 0, exported.stderr);
    assert.deepEqual(Object.keys((await read("rotated.json")).crossings), ["2"]);
    const verified = await verify("rotated.json");
    assert.match(verified.stdout, /generation 2 of the log's keys; the fingerprint is of 1/);
    assert.equal((await verify("rotated.json", "--key", key)).code, 0);
    assert.equal((await verify("rotated.json", "--key", inFolder("old-key.txt"), "--seen", seen)).code, 0);
    const older = await verify("all.json", "--key", key);
    assert.match(older.stdout, /^fingerprint: no keys in the bundle have the fingerprint that you gave/);
    const rolledBack = await verify(
      "all.json",
      "--key",
      inFolder("old-key.txt"),
      "--seen",
      path.join(gateway.folder, "state", "log", "checkpoint"),
    );
    assert.equal(rolledBack.code, 1);
  });

  test("entries that no head covers yet are left out, and that is told", async () => {
    assert.equal(await gateway.stop("SIGKILL"), -1);
    const log = path.join(gateway.folder, "state", "log");
    const copy = inFolder("older");
    await cp(log, copy, { recursive: true });
    const { checkpoint } = JSON.parse(await readFile(inFolder("all.json"), "utf8")) as { checkpoint: string };
    await writeFile(path.join(copy, "checkpoint"), checkpoint);
    const key = inFolder("old-key.txt");
    const covered = Number(checkpoint.split("\n")[1]);
    const args = ["audit", "export", "--log", copy, "--key", key] as const;
    const behind = await cli([...args, "--from", "0", "-o", inFolder("covered.json")]);
    assert.equal(behind.code, 0, behind.stderr);
    assert.match(behind.stdout, /^\d+ more aren't under a head yet and were left out/m);
    assert.equal((await read("covered.json")).entries.length, covered);
    const none = await cli([...args, "--from", String(covered)]);
    assert.deepEqual([none.code, /isn't under a head yet/.test(none.stderr)], [1, true]);
  });

  test("the verifier is written out with its SHA-256", async () => {
    const file = inFolder("verify.html");
    const { code, stdout, stderr } = await cli(["audit", "verifier", "-o", file]);
    assert.equal(code, 0, stderr);
    const bytes = await readFile(file);
    assert.equal(stdout, `${file}: SHA-256 ${createHash("sha256").update(bytes).digest("hex")}\n`);
    assert.match(
      bytes.toString(),
      /Content-Security-Policy" content="default-src 'none'; script-src 'sha256-/,
    );
    assert.doesNotMatch(bytes.toString(), /(src|href)="(?!data:,")/, "it needs no other file");
  });
});
