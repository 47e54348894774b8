/** `latticegate tools sign` as a publisher types it, and new keys for it. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import { utf8 } from "../../src/kernel/bytes.ts";
import { verifyManifest } from "../../src/integrity/tools/manifest.ts";
import { cli } from "../support/cli.ts";
import { freshState } from "../support/gateway.ts";
import { gatewayProcess } from "../support/gateway-process.ts";
import { repositoryRoot } from "../support/repository.ts";

const server = path.join(repositoryRoot, "test/support/listing-stdio-server.ts");
const lines = (text: string): readonly string[] => text.trimEnd().split("\n");

test("a command's tools are signed, and the file verifies as its publisher's", async (t) => {
  const state = await freshState(t);
  const run = (...args: string[]) => cli(["tools", "sign", "--state", state, ...args]);
  const command = ["--", process.execPath, server];
  const nameless = await run(...command);
  assert.equal(nameless.code, 2);
  assert.match(nameless.stderr, /Nobody joined .* or say --for URI/);
  const signed = await run("--for", "https://shop.test/mcp", "--read-only", "read_*", "--json", ...command);
  assert.equal(signed.code, 0, signed.stderr);
  const { file, uri, fingerprint, tools, readOnly } = JSON.parse(signed.stdout) as Record<string, unknown>;
  assert.deepEqual(
    [uri, tools, readOnly],
    ["https://shop.test/mcp", ["read_file", "write_file"], ["read_file"]],
  );
  const document = utf8(await readFile(String(file), "utf8"));
  const checked = verifyManifest(document, { server: "https://shop.test/mcp", nowUnixMs: Date.now() });
  assert.ok(checked.kind === "verified");
  assert.equal(checked.manifest.signedBy, fingerprint);
  assert.deepEqual(
    checked.manifest.tools.map(({ name, trust }) => [name, trust?.effect]),
    [
      ["read_file", "read-only"],
      ["write_file", undefined],
    ],
  );
});

test("a gateway's publisher keys are rotated; status shows what was signed, and with what", async (t) => {
  const entry = `command: ["${process.execPath}", "${server}"]`;
  const gateway = await gatewayProcess(t, `servers: { shop: { ${entry} } }`);
  const run = (...args: string[]) => cli([...args, "--config", gateway.configFile]);
  const manifests = async (): Promise<readonly Record<string, unknown>[]> => {
    const { stdout } = await run("crypto", "status", "--json");
    return (JSON.parse(stdout) as { manifests: readonly Record<string, unknown>[] }).manifests;
  };
  assert.deepEqual(await manifests(), []);
  const first = await run("tools", "sign", "shop");
  assert.equal(first.code, 0, first.stderr);
  const publisher = /publishers: \[(\S+)\]/.exec(first.stdout)?.[1];
  const [shown, ...more] = await manifests();
  const uri = "spiffe://latticegate.local/gateway?server=shop";
  assert.deepEqual([shown?.["server"], shown?.["publisher"], more], [uri, publisher, []]);
  const rotated = await run("crypto", "rotate", "manifest");
  assert.equal(rotated.code, 0, rotated.stderr);
  const now = /signed with (\S+) from now on/.exec(lines(rotated.stdout)[0] ?? "")?.[1];
  assert.notEqual(now, publisher);
  assert.equal((await manifests())[0]?.["publisher"], publisher, "what was signed stays signed");
  assert.match((await run("tools", "sign", "shop")).stdout, new RegExp(`publishers: \\[${now}\\]`));
  assert.equal((await manifests())[0]?.["publisher"], now);
  assert.match(
    (await run("crypto", "status")).stdout,
    /Manifests\n +spiffe:\S+shop +Ed25519 \+ ML-DSA-65 +until 20/,
  );
});
