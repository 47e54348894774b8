/** `latticegate ca drill`: a compromised root from backup to joining again, on a copy that is thrown away. */
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { sha256 } from "../crypto/hash.ts";
import { generateKeyPair, type KeyPair } from "../crypto/keys.ts";
import { createSigningRequest } from "../crypto/signing-request.ts";
import { type EnrolledIdentity, join, renew } from "../host/net/enrol-client.ts";
import { exchange, collected } from "../host/net/http-exchange.ts";
import { mcpPath } from "../wire/protected-resource.ts";
import { type RenewablePool, renewablePool } from "../host/net/renewable-pool.ts";
import { clientTlsOptions } from "../host/net/tls.ts";
import { writePrivateFile } from "../host/store/files.ts";
import { type Purpose, purposes } from "../identity/authority.ts";
import { readJoinToken } from "../identity/join-token.ts";
import { toBase64url } from "../kernel/bytes.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal } from "../kernel/refusal.ts";
import { restoreBackup, writeBackup } from "./backup.ts";
import { makeJoinToken } from "./certificate-authority.ts";
import type { Config } from "./config.ts";
import { credentialsOf } from "./credentials.ts";
import { type Gateway, startGateway } from "./gateway.ts";
import { profileInForce } from "./profile-in-force.ts";
import { replaceCompromised } from "./root-operations.ts";
import { statePaths } from "./state-folder.ts";

export interface DrillStep {
  readonly isGood: boolean;
  readonly text: string;
}

interface Environment {
  readonly clock: Clock;
  readonly log: Log;
}

/** The signer's roots are the production's, and it would keep each key that a rehearsal asks it for. */
const noDrillWithSigner =
  "the root keys are with a signer, which a drill can't copy; rehearse on a second installation that has its own";

/** Told step by step; it ends with the first that isn't good. Nothing outside a temporary folder is written. */
export async function* drill(config: Config, environment: Environment): AsyncGenerator<DrillStep> {
  if (config.signer !== undefined) {
    yield { isGood: false, text: noDrillWithSigner };
    return;
  }
  const folder = await mkdtemp(path.join(tmpdir(), "latticegate-drill-"));
  try {
    const before = await fingerprintOf(config);
    const copy = await restoredCopy(config, folder, environment);
    yield good("a backup was made and restored to a temporary folder");
    for (const purpose of purposes) yield* rehearse(copy, purpose, environment);
    const isSame = before === (await fingerprintOf(config));
    yield {
      isGood: isSame,
      text: isSame ? "the state folder is as it was" : "the state folder changed meanwhile",
    };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    yield { isGood: false, text: error.message };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function restoredCopy(config: Config, folder: string, { clock }: Environment): Promise<Config> {
  const file = path.join(folder, "backup");
  const passphrase = { file: path.join(folder, "passphrase") };
  await writePrivateFile(passphrase.file, randomBytes(32).toString("base64url"));
  await writeBackup(config, { file, passphrase, hasLog: false, clock, isUnnoted: true });
  const copy: Config = {
    ...config,
    // What is in force may be another one than the file names, in the copy too.
    profile: profileInForce(config, clock).profile,
    state: path.join(folder, "state"),
    listen: "127.0.0.1:0",
    webListeners: [],
    dashboard: "off",
    servers: {},
    virtual_servers: {},
  };
  await restoreBackup(copy, { file, passphrase, clock, isReplacing: false });
  return copy;
}

/** One root compromised, with a gateway that runs: who was in is out, and who joins again is in. */
async function* rehearse(
  config: Config,
  purpose: Purpose,
  environment: Environment,
): AsyncGenerator<DrillStep> {
  const gateway = await startGateway(config, environment);
  const links: RenewablePool[] = [];
  try {
    const old = await enrol(config, gateway, environment.clock);
    const link = openLink(config, gateway, old);
    links.push(link);
    yield { isGood: await isLetIn(link), text: `${purpose}: an identity of the old root is let in` };
    await replaceCompromised(config, purpose, environment.clock);
    const isOut = await within(async () => {
      const fresh = openLink(config, gateway, old);
      links.push(fresh);
      return !(await isLetIn(fresh));
    });
    yield {
      isGood: isOut,
      text: `${purpose}: after the root is declared compromised, new links of it are refused`,
    };
    if (purpose === "client")
      yield { isGood: !(await isLetIn(link)), text: "client: so is the next call on a link that was open" };
    yield {
      isGood: !(await isRenewed(config, gateway, old)),
      text: `${purpose}: its certificate isn't renewed`,
    };
    const again = openLink(config, gateway, await enrol(config, gateway, environment.clock));
    links.push(again);
    yield { isGood: await isLetIn(again), text: `${purpose}: who joins again with a new token is let in` };
  } finally {
    await Promise.all(links.map((link) => link.close()));
    await gateway.stop();
  }
}

interface Held {
  readonly key: KeyPair;
  readonly identity: EnrolledIdentity;
}

async function enrol(config: Config, { address }: Gateway, clock: Clock): Promise<Held> {
  const token = readJoinToken(await makeJoinToken(config, { path: "agent/drill", address }, clock));
  const key = generateKeyPair(config.profile.identity);
  return { key, identity: await join(token, createSigningRequest(key), config.profile) };
}

function openLink({ profile }: Config, { address }: Gateway, { key, identity }: Held): RenewablePool {
  const options = clientTlsOptions({
    profile,
    serverRoots: identity.server_roots,
    peerSpiffeId: identity.gateway,
    credentials: credentialsOf(key, identity.certificate),
  });
  return renewablePool(`https://${address}`, { terms: profile, tls: options });
}

/** There is no server behind: whoever is known is told so, and nobody else is told anything. */
async function isLetIn(link: RenewablePool): Promise<boolean> {
  const limits = { answerTimeoutMs: 10_000, answerBytes: 65_536 };
  const headers = ["content-type", "application/json", "accept", "application/json, text/event-stream"];
  const body = Buffer.from('{"jsonrpc":"2.0","id":1,"method":"ping"}');
  const request = { method: "POST", path: `${mcpPath}drill`, headers, body } as const;
  try {
    const answer = await collected(await exchange(link.dispatcher(), request, limits));
    return answer.status === 403;
  } catch {
    return false;
  }
}

async function isRenewed(
  { profile }: Config,
  { address }: Gateway,
  { key, identity }: Held,
): Promise<boolean> {
  const gateway = { address, serverRoots: identity.server_roots, spiffeId: identity.gateway };
  const old = { certificate: identity.certificate, csr: createSigningRequest(key) };
  return await renew(gateway, profile, old).then(
    () => true,
    (error: unknown) => {
      if (error instanceof Refusal) return false;
      throw error;
    },
  );
}

/** A gateway takes a change up within a second; it is given ten. */
async function within(condition: () => Promise<boolean>): Promise<boolean> {
  const deadline = performance.now() + 10_000;
  while (!(await condition())) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return true;
}

/** Keys and anchors of the state folder: what the drill must not touch. A gateway that runs goes on writing the rest. */
async function fingerprintOf(config: Config): Promise<string> {
  const { keys, serverRoot, clientRoot, classicalServerRoot, classicalClientRoot, trustDomain } = statePaths(
    config.state,
  );
  const names = (await readdir(keys).catch(() => [])).map((name) => path.join(keys, name));
  const hashes = [
    serverRoot,
    clientRoot,
    classicalServerRoot,
    classicalClientRoot,
    trustDomain,
    ...names,
  ].map(async (file) => {
    const bytes = await readFile(file).catch(() => Buffer.alloc(0));
    return `${file} ${toBase64url(sha256(bytes))}`;
  });
  return (await Promise.all(hashes)).toSorted((a, b) => (a < b ? -1 : 1)).join("\n");
}

function good(text: string): DrillStep {
  return { isGood: true, text };
}
