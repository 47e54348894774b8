/** Sidecars of workloads: a proof in a file is all they are given. */
import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import { gatewayAnchor, makeJoinToken, revokeCertificates } from "../../src/app/certificate-authority.ts";
import type { Bootstrap } from "../../src/app/bootstrap.ts";
import {
  openSidecarIdentity,
  type SidecarIdentity,
  type SidecarOptions,
} from "../../src/app/sidecar-identity.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { readAnchor } from "../../src/identity/anchor.ts";
import type { Clock } from "../../src/kernel/clock.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import type { Cleanup } from "../support/cleanup.ts";
import { cli, startCli } from "../support/cli.ts";
import { openPolicy, stubServer, temporaryFolder } from "../support/gateway.ts";
import { logged } from "../support/records.ts";
import { kubernetesClaims } from "../support/workload-tokens.ts";
import { type WorkloadScene, workloadScene } from "../support/workload.ts";

const hour = 3_600_000;
const day = 24 * hour;

type Source = Pick<SidecarOptions, "joinToken" | "bootstrap">;

interface Sidecar {
  readonly state: string;
  readonly tokenFile: string;
  /** Opens the identity as `connect` does, and closes it again. */
  readonly start: (source?: Source) => Promise<SidecarIdentity>;
  readonly bootstrap: Bootstrap;
  /** As a platform does it: a new token in the same file. */
  readonly rotate: () => Promise<void>;
}

async function sidecarOf(
  t: Cleanup,
  { gateway, issuer }: WorkloadScene,
  clock: Clock = systemClock,
): Promise<Sidecar> {
  const folder = await temporaryFolder(t);
  const tokenFile = path.join(folder, "token");
  const anchor = readAnchor(await gatewayAnchor(gateway.config, gateway.address));
  const bootstrap: Bootstrap = { anchor, proof: { kind: "token", file: tokenFile } };
  const state = path.join(folder, "state");
  const log = systemLog({ level: "error", clock, write: () => undefined });
  const rotate = async (): Promise<void> => {
    const iat = Math.floor(clock.nowUnixMs() / 1000);
    const claims = { ...kubernetesClaims(), nbf: iat, iat, exp: iat + 600 };
    await writeFile(tokenFile, `${await issuer.token(claims)}\n`);
  };
  await rotate();
  return {
    state,
    tokenFile,
    rotate,
    bootstrap,
    start: async (source = { joinToken: undefined, bootstrap }) => {
      const identity = await openSidecarIdentity({
        state,
        ...source,
        clock,
        log,
      });
      await identity.stop();
      return identity;
    },
  };
}

/** A sidecar that enrolled that long ago; now is now, so that the gateway's own certificates count. */
async function enrolledBefore(
  t: Cleanup,
  agoMs: number,
  source?: (scene: WorkloadScene, clock: Clock) => Promise<Source>,
): Promise<{ readonly scene: WorkloadScene; readonly sidecar: Sidecar; readonly first: SidecarIdentity }> {
  let ahead = 0;
  const clock = { nowUnixMs: () => Date.now() + ahead };
  const scene = await workloadScene(t, { clock });
  ahead = -agoMs;
  const sidecar = await sidecarOf(t, scene, clock);
  const first = await sidecar.start(await source?.(scene, clock));
  ahead = 0;
  return { scene, sidecar, first };
}

test("a sidecar enrols with its token, and needs none as long as it can renew", async (t) => {
  const { sidecar, first } = await enrolledBefore(t, 5 * hour);
  assert.equal(first.spiffeId, "spiffe://latticegate.local/agent/k8s/builder");
  await rm(sidecar.tokenFile);
  const again = await sidecar.start();
  assert.equal(again.spiffeId, first.spiffeId);
  assert.notEqual(again.credentials()[0]?.certificate, first.credentials()[0]?.certificate);
});

for (const away of [2 * day, 40 * day]) {
  test(`a sidecar that was away for ${away / day} days enrols again with the token that is there then`, async (t) => {
    const { sidecar } = await enrolledBefore(t, away);
    await assert.rejects(
      sidecar.start(),
      isRefusal("proof_refused"),
      "the old token was used, and has ended",
    );
    await sidecar.rotate();
    await sidecar.start();
  });
}

test("a sidecar proves itself again before it must", async (t) => {
  const { sidecar } = await enrolledBefore(t, day - hour / 2);
  const until = async (): Promise<number> => {
    const text = await readFile(path.join(sidecar.state, "identity.json"), "utf8");
    return Date.parse((JSON.parse(text) as { renewable_until: string }).renewable_until);
  };
  const first = await until();
  await sidecar.rotate();
  await sidecar.start();
  assert.ok((await until()) > first + day / 2);
});

test("a sidecar that can't prove itself yet renews meanwhile, as long as it may", async (t) => {
  const { scene, sidecar, first } = await enrolledBefore(t, day - hour / 2);
  const second = await sidecar.start();
  assert.notEqual(second.credentials()[0]?.certificate, first.credentials()[0]?.certificate);
  assert.equal(logged(scene.gateway, "identity.refused").length, 1, "it tried with the token there is");
});

test("a sidecar that once joined with an operator's token enrols when that has ended for good", async (t) => {
  const { sidecar, first } = await enrolledBefore(t, 31 * day, async ({ gateway }, clock) => {
    const { config, address } = gateway;
    return {
      joinToken: await makeJoinToken(config, { path: "agent/joined", address }, clock),
      bootstrap: undefined,
    };
  });
  assert.equal(first.spiffeId, "spiffe://latticegate.local/agent/joined");
  await sidecar.rotate();
  assert.equal((await sidecar.start()).spiffeId, "spiffe://latticegate.local/agent/k8s/builder");
});

test("a sidecar whose gateway has begun anew enrols there, once it has the new anchor", async (t) => {
  const { scene, sidecar, first } = await enrolledBefore(t, 2 * hour);
  await scene.gateway.stop();
  const anew = await workloadScene(t, { listen: scene.gateway.address });
  const fresh = await sidecarOf(t, anew);
  await assert.rejects(sidecar.start(), isRefusal("bad_join_token"), "the old anchor is of another root");
  assert.equal(logged(anew.gateway, "identity.refused").length, 0, "nothing was sent");
  const second = await sidecar.start({ joinToken: undefined, bootstrap: fresh.bootstrap });
  assert.equal(second.spiffeId, first.spiffeId);
  assert.notDeepEqual(second.serverRoots, first.serverRoots);
});

test("a sidecar whose identity was revoked doesn't come back with its next token", async (t) => {
  const { scene, sidecar, first } = await enrolledBefore(t, 2 * hour);
  revokeCertificates(scene.gateway.config, first.spiffeId, systemClock);
  await sidecar.rotate();
  await assert.rejects(sidecar.start(), isRefusal("proof_refused"));
  assert.match(scene.gateway.log.join("\n"), /the identity was revoked/);
});

test("without an identity, a sidecar says which ways there are to one", async (t) => {
  const state = await temporaryFolder(t);
  const ended = await cli(["connect", "stub", "--state", state]);
  assert.equal(ended.code, 1);
  assert.match(ended.stderr, /--join.*--gateway and --token-file/s);
});

test("connect and expose enrol from the command line with what ca anchor prints", async (t) => {
  const stub = await stubServer(t);
  const scene = await workloadScene(t, {
    yaml: `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`,
    enrolment: `
  - name: tools
    token: { issuer: cluster }
    match: { sub: "system:serviceaccount:tools:{account}" }
    identity: "server/{account}"
  - name: agents
    token: { issuer: cluster }
    match: { sub: "system:serviceaccount:agents:{account}" }
    identity: "agent/{account}"`,
  });
  const { gateway, issuer } = scene;
  const folder = await temporaryFolder(t);
  const anchor = await gatewayAnchor(gateway.config, gateway.address);
  const tokenFile = path.join(folder, "token");
  const args = (state: string): readonly string[] => [
    "--gateway",
    anchor,
    "--token-file",
    tokenFile,
    "--state",
    path.join(folder, state),
  ];
  await writeFile(tokenFile, await issuer.token(kubernetesClaims()));
  const { groups } = await startCli(t, ["connect", "stub", "--http", "0", ...args("c")], /is at (http:\S+)$/);
  const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "x" } });
  assert.equal((await fetch(groups[0] ?? "", { method: "POST", headers, body })).status, 200);
  await writeFile(tokenFile, await issuer.token(kubernetesClaims("billing", "tools")));
  const exposed = await startCli(t, ["expose", stub.url, ...args("e")], /^billing is at \S+ as (\S+)$/);
  assert.equal(exposed.groups[0], "spiffe://latticegate.local/server/billing");
});

test("connect enrols with the SVID and the key that its files hold", async (t) => {
  const stub = await stubServer(t);
  const scene = await workloadScene(t, { yaml: `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}` });
  const folder = await temporaryFolder(t);
  const [svid, key] = [path.join(folder, "svid.pem"), path.join(folder, "key.pem")];
  const leaf = scene.spire.issue({});
  await writeFile(svid, leaf.pem);
  await writeFile(key, leaf.key.privateKey.export({ format: "pem", type: "pkcs8" }));
  const anchor = await gatewayAnchor(scene.gateway.config, scene.gateway.address);
  const args = [
    "--gateway",
    anchor,
    "--svid",
    svid,
    "--svid-key",
    key,
    "--state",
    path.join(folder, "state"),
  ];
  await startCli(t, ["connect", "stub", "--http", "0", ...args], /is at (http:\S+)$/);
});

const anchor = `127.0.0.1:1@sha256:${"0".repeat(64)}`;
for (const [what, args, expected] of [
  ["a proof for nobody", ["--token-file", "t"], /whom the proof is for/],
  ["an anchor without a proof", ["--gateway", anchor], /one proof beside --gateway/],
  ["half an SVID", ["--gateway", anchor, "--svid", "s"], /one proof beside --gateway/],
  ["two proofs", ["--gateway", anchor, "--token-file", "t", "--svid", "s", "--svid-key", "k"], /one proof/],
  ["a join token too", ["--gateway", anchor, "--token-file", "t", "--join", "x"], /not both/],
  ["an anchor that is none", ["--gateway", "127.0.0.1:1", "--token-file", "t"], /ca anchor/],
  [
    "a token file that isn't there",
    ["--gateway", anchor, "--token-file", "/nowhere/t"],
    /\/nowhere\/t can't be read/,
  ],
  ["a token file without a token", ["--gateway", anchor, "--token-file", "/dev/null"], /holds no JWT/],
  [
    "an SVID file without one",
    ["--gateway", anchor, "--svid", "/dev/null", "--svid-key", "k"],
    /holds no certificates/,
  ],
] as const) {
  test(`${what} ends with 2 and says what was expected`, async (t) => {
    const ended = await cli(["connect", "stub", "--state", await temporaryFolder(t), ...args]);
    assert.equal(ended.code, 2, ended.stderr);
    assert.match(ended.stderr, expected);
    assert.doesNotMatch(ended.stderr, /\n\s+at /, "no stack");
  });
}

function isRefusal(code: string): (error: unknown) => boolean {
  return (error) => error instanceof Refusal && error.code === code;
}
