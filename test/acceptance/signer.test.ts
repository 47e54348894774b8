/**
 * What a core dump of the gateway holds: with a signer no seed of a root or log key, in any form; without one, and
 * in the signer's own image, all of them, so that a search that finds nothing means something.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, chown, mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { signerKeysIn } from "../../src/app/signer/init-signer.ts";
import { signerPaths } from "../../src/app/signer/signer-folder.ts";
import { statePaths } from "../../src/app/state-folder.ts";
import { exportSecret, type KeyPair } from "../../src/crypto/keys.ts";
import type { SignatureSuiteId } from "../../src/crypto/suites/signatures.ts";
import { openKeyFolder } from "../../src/host/store/key-folder.ts";
import { cli, latticegate, type Started, startProcess } from "../support/cli.ts";
import { openPolicy, stubServer, temporaryFolder, toolCall } from "../support/gateway.ts";
import { directLink } from "../support/gateway-process.ts";
import { type Needle, searchImage, unreadable } from "../support/memory-image.ts";

/** Numbers that no account of this machine has. */
const [gatewayId, signerId] = [65_532, 65_531];
const haveUsers = process.getuid?.() === 0 && runsAs(gatewayId);
const skip = unreadable(process.pid) ?? false;

const allKeys = [
  "client-root",
  "client-root-classical",
  "log-ed25519",
  "log-ml-dsa-44",
  "log-ml-dsa-65",
  "log-slh-dsa",
  "server-root",
  "server-root-classical",
];

test(
  "with a signer a gateway's memory has no seed of a root or log key; the signer's has them all",
  { skip },
  async (t) => {
    const place = await somewhere(t);
    const socket = path.join(place.run, "s");
    await writeFile(place.configFile, `${place.yaml}signer: { socket: ${socket} }\n`);
    const init = await cli(["signer", "init", "--state", place.signer, "--config", place.configFile]);
    assert.equal(init.code, 0, init.stderr);
    // The signer's group is the gateway's: who is in it may connect, and reads nothing of the signer's.
    const args = ["signer", "--state", place.signer, "--socket", socket, ...(haveUsers ? ["--group"] : [])];
    const signer = await start(t, args, /^Signer is up/, { uid: signerId, gid: gatewayId });
    const gateway = await startGateway(t, place);
    const { keys, unlock } = signerPaths(place.signer);
    const needles = await secretsIn(keys, unlock);
    assert.equal(needles.length, allKeys.length * 6 + 4 * 2, "each key in each form");
    assert.deepEqual(search(t, "gateway", gateway, needles), []);
    assert.deepEqual(keysIn(search(t, "signer", signer, needles)), allKeys);
    if (haveUsers) {
      const read = spawnSync("cat", [path.join(keys, "server-root.json")], {
        uid: gatewayId,
        gid: gatewayId,
      });
      assert.notEqual(read.status, 0, "the gateway's user can't read the signer's folder");
    }
  },
);

test(
  "without a signer a gateway's memory has them all, so the search finds what is there",
  { skip },
  async (t) => {
    const place = await somewhere(t);
    await writeFile(place.configFile, place.yaml);
    const gateway = await startGateway(t, place);
    const { keys, unlock } = statePaths(place.gateway);
    assert.deepEqual(keysIn(search(t, "gateway", gateway, await secretsIn(keys, unlock))), allKeys);
  },
);

interface Place {
  readonly gateway: string;
  readonly signer: string;
  readonly run: string;
  readonly configFile: string;
  readonly yaml: string;
}

/** Two users' folders as docs/guide/signer.md has them, and a server behind. */
async function somewhere(t: TestContext): Promise<Place> {
  t.diagnostic(haveUsers ? "gateway and signer as users of their own" : "not root: both as the same user");
  const stub = await stubServer(t);
  const folder = await temporaryFolder(t);
  await chmod(folder, 0o755);
  const made = async (name: string, mode: number, uid: number, gid: number): Promise<string> => {
    const place = path.join(folder, name);
    await mkdir(place, { mode });
    if (haveUsers) await chown(place, uid, gid);
    return place;
  };
  return {
    gateway: await made("gateway", 0o700, gatewayId, gatewayId),
    signer: await made("signer", 0o700, signerId, gatewayId),
    run: await made("run", 0o750, signerId, gatewayId),
    configFile: path.join(folder, "latticegate.yaml"),
    yaml: `state: ./gateway\nlisten: 127.0.0.1:0\ndashboard: "off"\nservers: { stub: { url: "${stub.url}" } }\n${openPolicy}`,
  };
}

/** Up and used: calls, newcomers and heads, whatever takes a key. */
async function startGateway(t: TestContext, { configFile }: Place): Promise<Started> {
  const args = ["up", "--config", configFile];
  const ids = { uid: gatewayId, gid: gatewayId };
  const started = await start(t, args, /^Latticegate is up at (\S+)$/, ids);
  const gateway = {
    ...started,
    folder: path.dirname(configFile),
    configFile,
    address: started.groups[0] ?? "",
  };
  for (const name of ["one", "two", "three"]) {
    const link = await directLink(t, gateway, name);
    for (let id = 1; id <= 50; id++) {
      const answer = await link.request({
        path: "/mcp/stub",
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(toolCall("echo", id)),
      });
      await answer.body.dump();
      assert.equal(answer.statusCode, 200);
    }
  }
  assert.match((await cli(["audit", "verify", "--config", configFile])).stdout, /^intact: [1-9]/);
  return started;
}

function start(
  t: TestContext,
  args: readonly string[],
  ready: RegExp,
  ids: { readonly uid: number; readonly gid: number },
): Promise<Started> {
  return startProcess(t, [process.execPath, ...latticegate(args)], ready, haveUsers ? ids : {});
}

function search(
  t: TestContext,
  what: string,
  { process: child }: Started,
  needles: readonly Needle[],
): readonly string[] {
  const { bytes, found } = searchImage(child.pid ?? 0, needles);
  t.diagnostic(
    `${what}: ${Math.round(bytes / 1024 / 1024)} MiB searched, found: ${found.join(", ") || "nothing"}`,
  );
  return found;
}

/** Every root and log key that lies in a folder, in each form. */
async function secretsIn(folder: string, unlock: string): Promise<readonly Needle[]> {
  const keys = await openKeyFolder(folder, { file: unlock });
  const stored = await signerKeysIn(folder);
  const needles = await Promise.all(
    stored.map(async ({ name, kind }) => needlesOf(name, await keys.key(name, kind as SignatureSuiteId))),
  );
  return needles.flat();
}

/** (k, l) of FIPS 204 §4, table 1. */
const dimensions: Readonly<Record<string, readonly [number, number]>> = {
  "ML-DSA-44": [4, 4],
  "ML-DSA-65": [6, 5],
};

/** The secret as a dump could have it: raw, as text, as PKCS #8, and what of the expanded key isn't public. */
function needlesOf(name: string, pair: KeyPair): readonly Needle[] {
  const secret = Buffer.from(exportSecret(pair));
  const seed = secret.subarray(0, 32);
  const pem = pair.privateKey.export({ type: "pkcs8", format: "pem" }).split("\n");
  const forms: readonly (readonly [string, Buffer])[] = [
    ["raw", seed],
    ["hex", Buffer.from(seed.toString("hex"))],
    ["base64", Buffer.from(seed.toString("base64").slice(0, 40))],
    ["base64url", Buffer.from(seed.toString("base64url").slice(0, 40))],
    ["pkcs8", pair.privateKey.export({ type: "pkcs8", format: "der" }).subarray(0, 48)],
    ["pem", Buffer.from((pem[1] ?? "").slice(0, 60))],
    ...expanded(pair.suite.id, secret),
  ];
  return forms.map(([form, bytes]) => ({ what: `${name} (${form})`, bytes }));
}

/** FIPS 204, algorithm 6: H(seed || k || l) is ρ, which is public, ρ′ and K, which stays in the expanded key. */
function expanded(suite: string, seed: Buffer): readonly (readonly [string, Buffer])[] {
  const [k, l] = dimensions[suite] ?? [];
  if (k === undefined || l === undefined) return [];
  const shake = createHash("shake256", { outputLength: 128 }).update(seed).update(Uint8Array.of(k, l));
  const hash = shake.digest();
  return [
    ["rho'", hash.subarray(32, 96)],
    ["K", hash.subarray(96)],
  ];
}

function keysIn(found: readonly string[]): readonly string[] {
  return [...new Set(found.map((what) => what.split(" ")[0] ?? ""))].toSorted();
}

function runsAs(uid: number): boolean {
  const [program, ...args] = [process.execPath, ...latticegate(["--version"])];
  return spawnSync(program ?? "", args, { uid, gid: uid }).status === 0;
}
