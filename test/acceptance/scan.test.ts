/** A machine prepared with clients and servers of all ages: `latticegate scan` finds each, misjudges none, and tells no secret. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { Spec, Validation } from "@cyclonedx/cyclonedx-library";

import type { Inventory, InventoryServer } from "../../src/inventory/inventory.ts";
import type { MigrationPlan } from "../../src/inventory/plan.ts";
import { atEnd, type Cleanup } from "../support/cleanup.ts";
import { classicalFront, frontPrograms, whyNoFront } from "../support/classical-fronts.ts";
import { mcpListener } from "../support/mcp-listener.ts";
import { type PostureServer, postureServers } from "../support/posture-servers.ts";
import { plantedSecrets, preparedHome } from "../support/prepared-home.ts";
import { repositoryRoot } from "../support/repository.ts";

const everything = path.join(
  repositoryRoot,
  "node_modules/@modelcontextprotocol/server-everything/dist/index.js",
);

test("every client, server and listener of a prepared machine is found and judged rightly, and no secret is told", async (t) => {
  const servers = await postureServers(t, (name) => mcpListener(name, [{ name: "get_time" }]));
  const shadow = await listening(t, mcpListener("nobody's", [{ name: "delete_file" }]));
  const urlOf = (name: string): string => {
    const server = servers.find((each) => each.name === name);
    assert.ok(server, name);
    return `${name === "plain" ? "http" : "https"}://127.0.0.1:${server.port}/mcp`;
  };
  const command = [process.execPath, everything, "stdio"];
  const home = preparedHome(t, urlOf, command);
  const running = spawn(process.execPath, [everything, "stdio"], { stdio: ["pipe", "pipe", "ignore"] });
  atEnd(t, () => void running.kill());

  const { stdout, stderr, code } = await latticegate("scan", "--home", home.folder, "--json");
  assert.equal(code, 0, stderr);
  const { inventory } = JSON.parse(stdout) as { readonly inventory: Inventory };

  const expectedClients = Object.values(home.files).toSorted();
  assert.deepEqual(
    inventory.clients
      .map(({ file }) => file)
      .filter((file) => file.startsWith(home.folder))
      .toSorted(),
    expectedClients,
  );
  const configured = [
    "plain",
    "tls12-rsa1024",
    "hybrid",
    "downgradable",
    "x25519",
    "tls12-rsa2048",
    "ml-dsa",
  ];
  for (const server of servers) {
    const found = seenAt(inventory, server.port);
    if (found === undefined) {
      // A server that wants a certificate of ours tells strangers nothing in HTTP: it is a listener then.
      const listener = inventory.endpoints.find(({ port }) => port === server.port);
      assert.equal(server.name, "client-certificate");
      assert.equal(listener?.posture?.keyExchange.verdict, server.truth.keyExchange);
      continue;
    }
    judgedRightly(server, found);
    assert.equal(found.name, server.name);
    assert.equal(found.standing, configured.includes(server.name) ? "configured" : "shadow", server.name);
    assert.deepEqual(
      found.tools?.map(({ name }) => name),
      ["get_time"],
      server.name,
    );
  }
  assert.equal(seenAt(inventory, shadow)?.standing, "shadow");

  const stdio = inventory.servers.find(
    ({ place }) => place.kind === "stdio" && place.command.includes(everything),
  );
  assert.deepEqual(stdio?.evidence.map(({ by }) => by).toSorted(), ["client", "process"]);

  const told = inventory.clients.flatMap(({ file, secrets }) =>
    secrets.map(({ at }) => `${path.basename(file)} ${at}`),
  );
  assert.deepEqual(told.toSorted(), [
    "claude_desktop_config.json mcpServers.everything.env.GITHUB_TOKEN",
    "config.toml mcp_servers.rsa.http_headers.X-Password",
    "mcp.json mcpServers.hybrid.headers.Authorization",
  ]);
  const cwd = mkdtempSync(path.join(tmpdir(), "latticegate-inventory-"));
  atEnd(t, () => rmSync(cwd, { recursive: true, force: true }));
  const kept = await latticegate({ cwd }, "scan", "--keep", "--home", home.folder);
  const planned = await latticegate({ cwd }, "inventory", "plan", "--json");
  planIsTheOneAPersonWouldWrite(JSON.parse(planned.stdout) as MigrationPlan, servers);
  const cbom = await latticegate({ cwd }, "inventory", "export", "--as", "cbom");
  const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot7);
  assert.equal(await validator.validate(cbom.stdout), null);
  const page = await latticegate({ cwd }, "inventory", "export", "--as", "html");
  const rows = await latticegate({ cwd }, "inventory", "export", "--as", "csv");
  for (const secret of Object.values(plantedSecrets)) {
    for (const said of [{ stdout, stderr }, kept, planned, cbom, page, rows]) {
      assert.ok(!said.stdout.includes(secret) && !said.stderr.includes(secret));
    }
  }
});

for (const program of frontPrograms) {
  const missing = whyNoFront(program);
  test(
    `${program} from Debian, as a front of a server, is classical`,
    { skip: missing ?? false },
    async (t) => {
      const behind = await listening(t, mcpListener("behind", [{ name: "get_time" }]));
      const port = await classicalFront(t, program, behind);
      const { stdout, stderr, code } = await latticegate("scan", "--home", "/nonexistent", "--json");
      assert.equal(code, 0, stderr);
      const { inventory } = JSON.parse(stdout) as { readonly inventory: Inventory };
      const found = seenAt(inventory, port);
      assert.deepEqual(
        [found?.name, found?.posture?.keyExchange.verdict, found?.posture?.authentication.verdict],
        ["behind", "classical", "classical"],
        JSON.stringify(found, null, 1),
      );
      const tls = found?.posture?.link.kind === "tls" ? found.posture.link.tls : undefined;
      assert.ok(tls?.versions.includes("TLSv1.2") === true && tls.versions.includes("TLSv1.3"));
      assert.equal(tls.groups[0], "x25519");
      assert.equal(tls.chains[0]?.certificates[0]?.keyBits, 2048);
    },
  );
}

function seenAt({ servers }: Inventory, port: number): InventoryServer | undefined {
  return servers.find(({ place }) => place.kind === "http" && new URL(place.url).port === String(port));
}

function judgedRightly({ name, truth }: PostureServer, { posture }: InventoryServer): void {
  assert.deepEqual(
    [posture?.keyExchange.verdict, posture?.authentication.verdict],
    [truth.keyExchange, truth.authentication],
    name,
  );
}

/** Phase by phase, by what is known of each server; a client's file by its name. */
function planIsTheOneAPersonWouldWrite({ phases }: MigrationPlan, servers: readonly PostureServer[]): void {
  const nameOf = (at: string): string => {
    const url = URL.parse(at.split("#", 1)[0] ?? "");
    const known = servers.find(({ port }) => String(port) === url?.port);
    return url === null ? path.basename(at) : (known?.name ?? "another");
  };
  const steps = Object.fromEntries(
    phases.map(({ id, steps: all }) => [
      id,
      [...new Set(all.map(({ at }) => nameOf(at)))].filter((name) => name !== "another").toSorted(),
    ]),
  );
  assert.deepEqual(
    phases.map(({ id }) => id),
    ["clear-sensitive", "adopt", "weak", "shadow", "downgradable", "classical", "authentication"],
  );
  assert.deepEqual(steps["clear-sensitive"], ["claude_desktop_config.json", "config.toml", "mcp.json"]);
  assert.equal(steps["adopt"]?.length, 5); // Two of the six files are called mcp.json.
  assert.deepEqual(steps["weak"], [
    "expired",
    "plain",
    "sha1",
    "tls10",
    "tls12-key-transport",
    "tls12-rsa1024",
  ]);
  assert.deepEqual(steps["downgradable"], ["downgradable"]);
  assert.deepEqual(steps["classical"], ["sha1", "tls12-rsa1024", "tls12-rsa2048", "x25519"]);
  assert.deepEqual(steps["authentication"], ["hybrid", "hybrid-preferred"]);
}

async function listening(t: Cleanup, handler: http.RequestListener): Promise<number> {
  const server = http.createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(t, () => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return (server.address() as AddressInfo).port;
}

/** Beside this process, which has to answer it. */
async function latticegate(
  first: string | { readonly cwd: string },
  ...more: readonly string[]
): Promise<{ readonly stdout: string; readonly stderr: string; readonly code: number | null }> {
  const main = path.join(repositoryRoot, "src/cli/main.ts");
  const args = typeof first === "string" ? [first, ...more] : more;
  const child = spawn(process.execPath, [main, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    ...(typeof first !== "string" && first),
  });
  const [stdout, stderr, code] = await Promise.all([
    Array.fromAsync(child.stdout as AsyncIterable<Buffer>),
    Array.fromAsync(child.stderr as AsyncIterable<Buffer>),
    new Promise<number | null>((resolve) => child.once("close", resolve)),
  ]);
  return { stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString(), code };
}
