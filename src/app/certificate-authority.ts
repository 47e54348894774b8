/** The operator's side of the authority: commands that work on a state folder, whether its gateway runs or not. */
import { randomUUIDv7 } from "node:crypto";

import { z } from "zod";

import type { ParsedCertificate } from "../crypto/certificate.ts";
import { sha256 } from "../crypto/hash.ts";
import { randomSecret } from "../crypto/keys.ts";
import { readIfThere, readJsonIfThere } from "../host/store/files.ts";
import type { ListedCertificate, Revocation } from "../host/store/certificate-records.ts";
import { systemClock } from "../host/system.ts";
import { openState, type StateStore } from "../host/store/state-sqlite.ts";
import { readAnchor, writeAnchor } from "../identity/anchor.ts";
import { writeJoinToken } from "../identity/join-token.ts";
import { isGatewayId, spiffeId } from "../identity/spiffe-id.ts";
import { toBase64url } from "../kernel/bytes.ts";
import type { Clock } from "../kernel/clock.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Config } from "./config.ts";
import { profileInForce } from "./profile-in-force.ts";
import { readRoot, trustedOf } from "./roots.ts";
import { statePaths, withRoots } from "./state-folder.ts";

/** Long enough to paste it, short enough to be worthless in a shell history. */
const tokenLifetimeMs = 10 * 60_000;

const runSchema = z.object({
  pid: z.number(),
  listen: z.string(),
  startedAtUnixMs: z.number(),
  dashboard: z.string().optional(),
  peer: z.string().optional(),
  /** The socket by which commands ask it; absent of one from before they did. */
  control: z.string().optional(),
  version: z.string().optional(),
  /** Rules are recorded and not enforced. */
  observes: z.boolean().optional(),
  /** SIGUSR2 stops all calls; of others it would end the process. */
  hearsKillSignal: z.boolean().optional(),
});

/** What a running gateway wrote of itself; undefined if none is known to run. */
export async function runningGateway(state: string): Promise<z.output<typeof runSchema> | undefined> {
  const run = runSchema.safeParse(await readJsonIfThere(statePaths(state).run));
  return run.success && isAlive(run.data.pid) ? run.data : undefined;
}

/** @throws Refusal `bad_state` before the first start, `bad_config` for a path that is no SPIFFE path */
export async function makeJoinToken(
  config: Config,
  grant: { readonly path: string; readonly address?: string },
  clock: Clock,
): Promise<string> {
  const [root] = await serverRoots(config);
  const secret = randomSecret(32);
  const id = spiffeId(config.trust_domain, grant.path);
  if (isGatewayId(id)) {
    throw new Refusal(
      "bad_config",
      "The gateway's own identity isn't given out; take agent/NAME or server/NAME.",
    );
  }
  withState(config, (state) =>
    state.addGrant({
      secretHash: toBase64url(sha256(secret)),
      spiffeId: id,
      purpose: grant.path.startsWith("server/") ? "server" : "client",
      expiresUnixMs: clock.nowUnixMs() + tokenLifetimeMs,
      usedUnixMs: null,
    }),
  );
  const address = await addressOf(config, grant.address);
  return writeJoinToken({
    address,
    secret,
    serverRootHash: sha256(root.raw),
    profile: profileInForce(config, clock).profile.document.based_on,
  });
}

/** Those that newcomers may be shown, the oldest that is trusted first. The exported file serves a folder that has no table yet. */
async function serverRoots(config: Config): Promise<readonly [ParsedCertificate, ...ParsedCertificate[]]> {
  const exported = await readIfThere(statePaths(config.state).serverRoot);
  if (exported === undefined) throw neverStarted(config);
  const [oldest, ...newer] = withRoots(config.state, (store) => trustedOf(store.roots(), "server"));
  return [
    readRoot(oldest?.certificate ?? exported),
    ...newer.map(({ certificate }) => readRoot(certificate)),
  ];
}

/**
 * What workloads that enrol by themselves are given: it names all server roots there are.
 * @throws Refusal `bad_state` before the first start, `bad_config` for an address that is none
 */
export async function gatewayAnchor(config: Config, address: string | undefined): Promise<string> {
  const serverRootHashes = (await serverRoots(config)).map(({ raw }) => sha256(raw));
  const anchor = writeAnchor({ address: await addressOf(config, address), serverRootHashes });
  readAnchor(anchor);
  return anchor;
}

export function listCertificates(config: Config, clock: Clock = systemClock): readonly ListedCertificate[] {
  return withState(config, (state) => state.certificates(clock.nowUnixMs()));
}

/**
 * @param what a serial number, for its whole family, or a SPIFFE ID
 * @returns what was revoked; undefined if no certificate or join token is, or belongs to, `what`
 */
export function revokeCertificates(config: Config, what: string, clock: Clock): Revocation | undefined {
  const at = { id: randomUUIDv7(), nowUnixMs: clock.nowUnixMs() };
  return withState(config, (state) => state.revoke(what, at));
}

/** @returns whether it was shut out */
export function readmitIdentity(config: Config, spiffeId: string): boolean {
  return withState(config, (state) => state.readmit(spiffeId));
}

async function addressOf(config: Config, given: string | undefined): Promise<string> {
  return given ?? (await runningGateway(config.state))?.listen ?? config.listen;
}

function withState<T>(config: Config, work: (state: StateStore) => T): T {
  const state = openState(statePaths(config.state).database);
  try {
    return work(state);
  } finally {
    state.close();
  }
}

function neverStarted(config: Config): Refusal {
  return new Refusal("bad_state", `There is no authority in ${config.state} yet; run "latticegate up" once.`);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
