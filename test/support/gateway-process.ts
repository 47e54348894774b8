/** A gateway in a process of its own, and sidecars that joined it, as an operator starts them. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { Pool } from "undici";

import { credentialsOf } from "../../src/app/credentials.ts";
import { generateKeyPair } from "../../src/crypto/keys.ts";
import { createSigningRequest } from "../../src/crypto/signing-request.ts";
import { resolveProfile } from "../../src/crypto/suites/profiles.ts";
import { signatureSuite } from "../../src/crypto/suites/signatures.ts";
import { join } from "../../src/host/net/enrol-client.ts";
import { clientTlsOptions } from "../../src/host/net/tls.ts";
import { readJoinToken } from "../../src/identity/join-token.ts";
import { atEnd, type Cleanup } from "./cleanup.ts";
import { cli, startCli, type Started } from "./cli.ts";
import { openPolicy, quicklyUnlocked } from "./gateway.ts";

export interface GatewayProcess extends Started {
  readonly folder: string;
  readonly configFile: string;
  /** Host and port it listens on. */
  readonly address: string;
}

/**
 * @param yaml servers and what else differs; free ports and an open policy are given
 * @param rules further ones, each as an element of a YAML list
 */
export async function gatewayProcess(t: Cleanup, yaml: string, rules = ""): Promise<GatewayProcess> {
  const folder = await mkdtemp(path.join(tmpdir(), "latticegate-"));
  atEnd(t, () => rm(folder, { recursive: true, force: true }));
  await quicklyUnlocked(path.join(folder, "state"));
  const configFile = path.join(folder, "latticegate.yaml");
  await writeFile(
    configFile,
    `state: ./state\nlisten: 127.0.0.1:0\ndashboard: 127.0.0.1:0\n${yaml}\n${openPolicy}${rules}`,
  );
  const started = await startCli(t, ["up", "--config", configFile], /^Latticegate is up at (\S+)$/);
  return { ...started, folder, configFile, address: started.groups[0] ?? "" };
}

/** What `latticegate connect SERVER` needs to speak for `name`: joined, its identity in a folder of its own. */
export async function sidecarArguments(
  gateway: GatewayProcess,
  server: string,
  name: string,
): Promise<readonly string[]> {
  const token = await cli(["ca", "token", "--config", gateway.configFile, "--for", `agent/${name}`]);
  if (token.code !== 0) throw new Error(token.stderr);
  return ["connect", server, "--join", token.stdout.trim(), "--state", path.join(gateway.folder, name)];
}

/** `latticegate connect SERVER --http 0`. @returns where it listens on loopback */
export async function loopbackSidecar(
  t: Cleanup,
  gateway: GatewayProcess,
  server: string,
  name: string,
): Promise<{ readonly url: string; readonly process: Started }> {
  const args = await sidecarArguments(gateway, server, name);
  const started = await startCli(t, [...args, "--http", "0"], / is at (http:\S+)$/);
  return { url: started.groups[0] ?? "", process: started };
}

/** A client with an identity of its own on a link to the gateway, no sidecar between. @returns its connections */
export async function directLink(t: Cleanup, gateway: GatewayProcess, name: string): Promise<Pool> {
  const { identity, credentials } = await joined(gateway, name);
  const pool = new Pool(`https://${gateway.address}`, {
    connections: null,
    bodyTimeout: 0,
    connect: clientTlsOptions({
      profile: resolveProfile("hybrid"),
      serverRoots: identity.server_roots,
      peerSpiffeId: identity.gateway,
      credentials,
    }) as object,
  });
  atEnd(t, () => pool.destroy());
  return pool;
}

/** An identity of its own, and the key to it. */
export async function joined(gateway: GatewayProcess, name: string) {
  const printed = await cli(["ca", "token", "--config", gateway.configFile, "--for", `agent/${name}`]);
  if (printed.code !== 0) throw new Error(printed.stderr);
  const key = generateKeyPair(signatureSuite("ML-DSA-65"));
  const token = readJoinToken(printed.stdout.trim());
  const identity = await join(token, createSigningRequest(key), resolveProfile("hybrid"));
  return { identity, credentials: credentialsOf(key, identity.certificate) };
}

/** `latticegate connect SERVER --forward 0`. @returns the proxy's URL, with this start's password */
export async function forwardSidecar(
  t: Cleanup,
  gateway: GatewayProcess,
  server: string,
  name: string,
): Promise<string> {
  const args = await sidecarArguments(gateway, server, name);
  const { groups } = await startCli(t, [...args, "--forward", "0"], / forwards at (http:\S+)$/);
  return groups[0] ?? "";
}
