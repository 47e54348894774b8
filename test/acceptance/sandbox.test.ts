/** `expose --sandbox` with bubblewrap as it is: a server that works through the gateway, and can't get out otherwise. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import net from "node:net";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { connectHttp } from "../../src/app/connect.ts";
import { type Exposed, startExpose } from "../../src/app/expose.ts";
import { systemCallFilter } from "../../src/host/sandbox/system-calls.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { outsideAuthority } from "../support/certificates.ts";
import { cli } from "../support/cli.ts";
import { installed } from "../support/debian.ts";
import { sink } from "../support/egress-scene.ts";
import {
  eventually,
  freshState,
  openPolicy,
  temporaryFolder,
  testGateway,
  toolCall,
} from "../support/gateway.ts";
import { httpsServer } from "../support/https-server.ts";
import { entriesOf, type Recorded } from "../support/records.ts";

const server = fileURLToPath(new URL("../support/egress-stdio-server.ts", import.meta.url));

const missing = installed("bwrap", "bubblewrap") ?? whyForbidden();

/** Asked of bubblewrap itself: what the product makes of it is for the tests to say. */
function whyForbidden(): string | undefined {
  const namespaces = ["--unshare-user", "--unshare-net", "--unshare-pid"];
  const { status, stderr } = spawnSync("bwrap", [...namespaces, "--ro-bind", "/", "/", "true"], {
    encoding: "utf8",
  });
  return status === 0 ? undefined : `bubblewrap can't make namespaces here: ${stderr.trim()}`;
}

interface Told {
  readonly value?: unknown;
  readonly error?: string;
}

describe("a sandboxed server", { skip: missing ?? false }, () => {
  const undo: (() => unknown)[] = [];
  const t = { after: (step: () => unknown) => void undo.push(step) };
  const log: string[] = [];
  let state: string;
  let work: string;
  let rules: string;
  let exposed: Exposed;
  let call: (tool: string, args?: object) => Promise<Told>;
  let partner: { readonly url: string };
  let partnerPort: string;
  let drop: Awaited<ReturnType<typeof sink>>;
  let hostPort: number;

  before(async () => {
    process.env["LATTICEGATE_SECRET_OF_THE_SIDECAR"] = "s3cret";
    process.env["NOTES_API_KEY"] = "for the server";
    const { key, certificate: cert } = outsideAuthority("somebody").issue("partner.example");
    partner = await httpsServer(t, { key, cert }, (_request, response) => response.end("partner's answer"));
    partnerPort = new URL(partner.url).port;
    drop = await sink(t, "127.0.0.3");
    hostPort = (await sink(t, "127.0.0.1")).port;
    state = await freshState(t);
    work = await temporaryFolder(t);
    rules = path.join(await temporaryFolder(t), "egress.yaml");
    await writeFile(
      rules,
      `
rules:
  - { name: partner, hosts: ["partner.example:${partnerPort}"], addresses: [127.0.0.1], effect: allow, because: It is our partner. }
  - { name: others, hosts: ["*.attacker.example"], addresses: [127.0.0.3], effect: learn, because: It may look around. }
  - { name: nights, hosts: ["closed.example"], effect: deny, because: It is closed. }
`,
    );
    const first = await testGateway(t, openPolicy);
    const joinToken = await makeJoinToken(
      first.config,
      { path: "server/notes", address: first.address },
      systemClock,
    );
    exposed = await startExpose({
      state,
      joinToken,
      server: {
        command: [process.execPath, server],
        passEnv: ["NOTES_API_KEY"],
        sandbox: {
          // The folder above its state, too: what is in the state stays hidden.
          readable: [path.dirname(server), path.dirname(state)],
          writable: [work],
          egress: { file: rules, allow: [] },
          resolve: (host) =>
            Promise.resolve(
              host === "partner.example"
                ? ["127.0.0.1"]
                : host.endsWith("attacker.example")
                  ? ["127.0.0.3"]
                  : [],
            ),
        },
      },
      listen: "127.0.0.1:0",
      allow: [],
      clock: systemClock,
      log: systemLog({ level: "debug", form: "json", write: (line) => void log.push(line) }),
    });
    t.after(exposed.stop);
    await first.stop();
    const servers = `servers: { notes: { url: "${exposed.url}", peer: "${exposed.spiffeId}" } }`;
    const gateway = await testGateway(t, `${servers}\n${openPolicy}`, { folder: first.folder });
    const token = await makeJoinToken(
      gateway.config,
      { path: "agent/a", address: gateway.address },
      systemClock,
    );
    const agent = {
      target: "notes",
      state: await freshState(t),
      joinToken: token,
      clock: systemClock,
      log: quiet,
    };
    const connection = await connectHttp(agent, 0);
    t.after(connection.close);
    call = await session(connection.url);
  });

  after(async () => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  });

  const entries = async (event: string): Promise<readonly Recorded[]> =>
    await entriesOf({ config: { state } }, event);

  test("works honestly, end to end through the gateway, and reaches what its rules allow", async () => {
    const { value, error } = await call("fetch", { url: `https://partner.example:${partnerPort}/` });
    assert.equal(error, undefined);
    assert.deepEqual(value, { status: 200, text: "partner's answer" });
    await eventually("it is on record", () => log.some((line) => line.includes("egress.opened")));
    const [opened] = await entries("egress.open");
    assert.equal(opened?.facts["destination"], `partner.example:${partnerPort}`);
    assert.equal(opened?.facts["rule"], "partner");
    assert.equal(opened?.principal, "spiffe://latticegate.local/server/notes");
  });

  test("is refused every other place, and told why", async () => {
    for (const url of [
      "https://elsewhere.example/",
      "http://closed.example/",
      `https://127.0.0.2:${partnerPort}/`,
    ]) {
      const { error = "", value } = await call("fetch", { url });
      const told = JSON.stringify(value ?? error);
      assert.match(told, /403|No egress rule|It is closed/, url);
    }
    assert.ok(log.some((line) => line.includes("egress.refused") && line.includes("elsewhere.example:443")));
  });

  test("that bursts to an unknown address is cut in the middle, with the explanation, until a person lifts it", async () => {
    const url = `http://drop.attacker.example:${drop.port}/`;
    const told = await call("fetch", { url, bytes: 3 * 1024 * 1024 });
    assert.match(JSON.stringify(told), /"status":403,.*It had never been there/);
    assert.ok(drop.connections() === 1 && drop.received() < 80 * 1024, `${drop.received()} bytes got out`);
    await eventually("it is on record", async () => (await entries("egress.cut")).length === 1);
    const [cut] = await entries("egress.cut");
    assert.match(
      cut?.facts["says"] ?? "",
      /^The server "notes" was sending [\d.]+ KiB of late to drop\.attacker\.example:\d+ \(127\.0\.0\.3\), and had got 0 bytes back, on \w+ at \d\d:\d\d \(UTC\)\. It had never been there\. .* at most 64\.0 KiB may go there at once\. The connection was cut after [\d.]+ KiB, and drop\.attacker\.example:\d+ is refused until/,
    );
    assert.ok(log.some((line) => line.includes('"egress.cut"') && line.includes("It had never been there")));

    const again = await call("fetch", { url });
    assert.match(JSON.stringify(again), /403|until an operator lifts/);
    assert.equal(drop.connections(), 1);

    const listed = await cli(["egress", "list", "--state", state]);
    assert.match(listed.stdout, /blocked {2}drop\.attacker\.example:\d+ {2}since/);
    const lifted = await cli(["egress", "lift", "--state", state, `drop.attacker.example:${drop.port}`]);
    assert.deepEqual([lifted.code, lifted.stdout.startsWith("lifted: drop")], [0, true]);
    const third = call("fetch", { url });
    await eventually("it is let in again", () => drop.connections() === 2);
    drop.hangUp();
    await third;
    await eventually("the lift is on record", async () => (await entries("egress.lift")).length === 1);
  });

  test("can't read the sidecar's keys, nor its log, where the folder above is shown", async () => {
    assert.ok(readdirSync(path.join(state, "keys")).length > 0, "there are keys");
    assert.deepEqual(await call("list", { path: state }), { value: [] });
    for (const name of ["keys", "log", "state.sqlite", "unlock.key"])
      assert.match((await call("list", { path: path.join(state, name) })).error ?? "", /ENOENT/, name);
    assert.match((await call("write", { path: path.join(state, "x") })).error ?? "", /EROFS|EACCES|ENOENT/);
  });

  test("can't reach the host's loopback, its network or its sockets by itself", async () => {
    const own = Object.values(networkInterfaces())
      .flatMap((each) => each ?? [])
      .filter(({ family, internal }) => family === "IPv4" && !internal)
      .map(({ address }) => address);
    for (const host of ["127.0.0.1", "127.0.0.3", "169.254.169.254", "1.1.1.1", ...own]) {
      const { error = "connected" } = await call("connect", { host, port: hostPort });
      assert.match(error, /ECONNREFUSED|ENETUNREACH/, host);
    }
    assert.match(
      (await call("connect", { host: "partner.example", port: 443 })).error ?? "",
      /EAI_AGAIN|ENOTFOUND/,
    );
    const abstract = `\0latticegate-test-${process.pid}`;
    const listener = net.createServer().listen({ path: abstract });
    undo.push(() => void listener.close());
    assert.match((await call("connect", { path: abstract })).error ?? "", /ECONNREFUSED/);
    assert.match((await call("connect", { path: "/var/run/docker.sock" })).error ?? "", /ENOENT/);
  });

  const filtered = systemCallFilter(process.arch) === undefined && "no filter for this machine";
  test("can't ask the kernel for what no namespace holds", { skip: filtered }, async () => {
    const vsock = 'socket(S, 40, 1, 0) ? print "made" : print 0 + $!';
    assert.deepEqual(await call("perl", { text: vsock }), { value: "97" });
    const usual = 'socket(S, 2, 1, 0) ? print "made" : print 0 + $!';
    assert.deepEqual(await call("perl", { text: usual }), { value: "made" });
    const ioUring = "print syscall(425, 8, 0), ' ', 0 + $!";
    assert.deepEqual(await call("perl", { text: ioUring }), { value: "-1 38" });
    const namespaces = "print syscall(272, 0x10000000) == -1 ? 'refused' : 'made'";
    assert.deepEqual(await call("perl", { text: namespaces }), { value: "refused" });
  });

  test("sees its own processes alone, and of the environment what it is passed", async () => {
    const { value: processes } = await call("processes");
    assert.ok(Number(processes) <= 5, String(processes));
    const { value: env } = await call("env");
    const seen = env as Record<string, string>;
    assert.equal(seen["NOTES_API_KEY"], "for the server");
    assert.equal(seen["HTTPS_PROXY"], "http://127.0.0.1:3128");
    assert.deepEqual([seen["HOME"], seen["NODE_USE_ENV_PROXY"]], ["/home/server", "1"]);
    assert.deepEqual(
      Object.keys(seen).filter((name) => name.startsWith("LATTICEGATE")),
      [],
    );
  });

  test("writes where it may, and nowhere else", async () => {
    const note = path.join(work, "note.txt");
    assert.deepEqual(await call("write", { path: note }), {});
    assert.equal(await readFile(note, "utf8"), "written in the sandbox");
    const own = `/tmp/latticegate-sandbox-${process.pid}`;
    assert.deepEqual(await call("write", { path: own }), {});
    assert.ok(!existsSync(own), "its /tmp is its own");
    for (const file of [path.join(path.dirname(server), "x"), "/usr/x", "/etc/x", "/x"])
      assert.match((await call("write", { path: file })).error ?? "", /EROFS|ENOENT|EACCES/, file);
    for (const folder of ["/root", "/var", "/sys", "/etc/shadow", "/boot"])
      assert.match((await call("list", { path: folder })).error ?? "", /ENOENT/, folder);
  });

  test("is held to its rules as they are now: a file that is replaced counts whole, or not at all", async () => {
    const url = `https://partner.example:${partnerPort}/`;
    await writeFile(rules, "rules: [{ name: partner, hosts: [");
    await eventually("it is told", () => log.some((line) => line.includes("egress.rules_refused")));
    assert.deepEqual((await call("fetch", { url })).error, undefined);
    await writeFile(rules, "rules: [{ name: none, hosts: ['*'], effect: deny, because: It is over. }]\n");
    await eventually("it counts", () => log.some((line) => line.includes("egress.rules_changed")));
    assert.notEqual((await call("fetch", { url })).error, undefined, "what was open is ended");
    assert.match((await call("fetch", { url })).error ?? "", /403|[Pp]roxy/);
    assert.ok(log.some((line) => line.includes("egress.refused") && line.includes("It is over.")));
  });

  test("ends with its sidecar, and leaves nothing behind", async () => {
    const own = (): readonly string[] =>
      readdirSync("/proc").filter((pid) => {
        try {
          return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(server);
        } catch {
          return false;
        }
      });
    assert.ok(own().length > 0);
    await exposed.stop();
    await eventually("its processes are gone", () => own().length === 0);
  });
});

const quiet = systemLog({ level: "error", form: "json", write: () => undefined });

/** Opens a session over a loopback URL. @returns what calls a tool in it */
async function session(url: string): Promise<(tool: string, args?: object) => Promise<Told>> {
  const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
  const initialize = { jsonrpc: "2.0", id: 0, method: "initialize", params: {} };
  const opened = await fetch(url, { method: "POST", headers, body: JSON.stringify(initialize) });
  assert.equal(opened.status, 200, await opened.text());
  const id = { "mcp-session-id": opened.headers.get("mcp-session-id") ?? "" };
  let calls = 0;
  return async (tool, args = {}) => {
    calls += 1;
    const body = JSON.stringify(toolCall(tool, calls, args));
    const answer = await fetch(url, { method: "POST", headers: { ...headers, ...id }, body });
    const text = await answer.text();
    const message = JSON.parse(/^data: (\{.*\})$/m.exec(text)?.[1] ?? text) as {
      result?: { content: readonly [{ text: string }] };
    };
    assert.ok(message.result, text);
    return JSON.parse(message.result.content[0].text) as Told;
  };
}
