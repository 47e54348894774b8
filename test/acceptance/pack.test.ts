/** What npm would publish, in an empty folder: it installs, serves a call, and its entry points can be imported. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { atEnd } from "../support/cleanup.ts";
import { startProcess } from "../support/cli.ts";
import { openPolicy, stubServer } from "../support/gateway.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));

test("the packed package installs into an empty folder and does there what it does here", async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), "latticegate-pack-"));
  atEnd(t, () => rm(folder, { recursive: true, force: true }));
  await run("npm", ["pack", "--silent", "--pack-destination", folder], { cwd: root });
  const tarball = (await readdir(folder)).find((name) => name.endsWith(".tgz"));
  assert.ok(tarball);
  await writeFile(path.join(folder, "package.json"), '{ "private": true, "type": "module" }');
  await run("npm", ["install", "--no-audit", "--no-fund", `./${tarball}`], { cwd: folder });
  const program = path.join(folder, "node_modules", ".bin", "latticegate");
  const latticegate = (...args: string[]) => run(program, args, { cwd: folder });

  await t.test("it brings its page and no source or test", async () => {
    const files = await readdir(path.join(folder, "node_modules", "latticegate"), { recursive: true });
    for (const page of ["index.html", "verify.html"])
      assert.ok(files.includes(path.join("web", "dist", page)));
    assert.deepEqual(
      files.filter((name) => /^(src|test)\b|\.test\./.test(name)),
      [],
    );
  });

  await t.test("it says its version and its commands", async () => {
    assert.match((await latticegate("--version")).stdout, /^latticegate \d+\.\d+\.\d+/);
    assert.match((await latticegate("--help")).stdout, /connect/);
  });

  await t.test("a gateway comes up with its page, and its log verifies", async (inner) => {
    const stub = await stubServer(inner);
    await writeFile(
      path.join(folder, "latticegate.yaml"),
      `listen: 127.0.0.1:0\ndashboard: 127.0.0.1:0\nservers: { stub: { url: "${stub.url}" } }\n${openPolicy}`,
    );
    const up = await startProcess(inner, [program, "up"], /^Page\s+(http\S+)/, { cwd: folder });
    const page = await fetch(up.groups[0] ?? "");
    assert.equal(page.status, 200);
    assert.match(await page.text(), /<script type="module"/);
    assert.equal(await up.stop(), 0);
    assert.match((await latticegate("audit", "verify")).stdout, /intact/);
  });

  await t.test("its entry points can be imported", async () => {
    const script = `
      const { parseConfig } = await import("latticegate");
      const { verifyLog } = await import("latticegate/verify");
      const { decide } = await import("latticegate/policy");
      const { readReceipt } = await import("latticegate/client");
      console.log(typeof parseConfig, typeof verifyLog, typeof decide, readReceipt({}).kind);`;
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script], { cwd: folder });
    assert.equal(stdout.trim(), "function function function none");
  });
});
