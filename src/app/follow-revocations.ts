/** An exposed server's own knowledge of what its gateway has revoked: asked for all the time, kept over restarts. */
import type https from "node:https";
import { setTimeout as pause } from "node:timers/promises";

import { z } from "zod";

import { revocationsAlpn } from "../host/net/front-door.ts";
import { hostAndPort } from "../host/net/listen.ts";
import { askRevocations, linkAgent, type RevocationList } from "../host/net/revocation-client.ts";
import { clientTlsOptions } from "../host/net/tls.ts";
import { readJsonIfThere, writePrivateFile } from "../host/store/files.ts";
import { within } from "../host/within.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import type { SidecarIdentity } from "./sidecar-identity.ts";
import { statePaths } from "./state-folder.ts";

export interface FollowedRevocations {
  /** What is known to be revoked and hasn't ended: lower-case hex serial numbers. */
  readonly serials: () => ReadonlySet<string>;
  readonly onChange: (act: () => void) => void;
  readonly stop: () => Promise<void>;
}

interface FollowOptions {
  readonly identity: SidecarIdentity;
  readonly state: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** How long a start waits for the first list; a gateway that is away keeps no server from starting. */
const firstListMs = 3000;
const firstRetryMs = 100;
const maxRetryMs = 5000;

/** By serial, when each certificate ends. */
const keptSchema = z.record(z.string(), z.number());

/** Never fails for a gateway that is away: what is known goes on to count, and certificates end by themselves. */
export async function followRevocations(options: FollowOptions): Promise<FollowedRevocations> {
  const { clock, log } = options;
  const file = statePaths(options.state).revoked;
  const kept = keptSchema.safeParse((await readJsonIfThere(file)) ?? {});
  const known = new Map(Object.entries(kept.success ? kept.data : {}));
  const over = new AbortController();
  const first = Promise.withResolvers<void>();
  let changed: () => void = () => {};
  const take = async ({ revoked, renewBeforeUnixMs }: RevocationList): Promise<void> => {
    options.identity.heed({ beforeUnixMs: renewBeforeUnixMs });
    const now = clock.nowUnixMs();
    for (const [serial, notAfterUnixMs] of known) if (notAfterUnixMs <= now) known.delete(serial);
    // INVARIANT: nothing is taken off the list but what has ended, whatever a gateway with a restored state says.
    for (const { serial, notAfterUnixMs } of revoked) known.set(serial, notAfterUnixMs);
    changed();
    await writePrivateFile(file, JSON.stringify(Object.fromEntries(known)));
    log.info("revocations.taken", { certificates: known.size });
  };
  const following = follow(options, { take, first: first.resolve, signal: over.signal });
  await within(first.promise, firstListMs);
  return {
    serials: () => new Set(known.keys()),
    onChange: (act) => (changed = act),
    stop: async () => {
      over.abort();
      await following;
    },
  };
}

interface Following {
  readonly take: (list: RevocationList) => Promise<void>;
  /** The first question was answered, or failed. */
  readonly first: () => void;
  readonly signal: AbortSignal;
}

/** One question after the other until the end; a link that broke is replaced, under the identity there is then. */
async function follow(options: FollowOptions, { take, first, signal }: Following): Promise<void> {
  let agent = newAgent(options, signal);
  let known: string | undefined;
  let failures = 0;
  while (!signal.aborted) {
    try {
      const { address } = options.identity.gateway;
      const list = await askRevocations({ agent, address, signal, ...(known !== undefined && { known }) });
      if (failures > 1) options.log.info("revocations.reachable");
      failures = 0;
      if (list === undefined) continue;
      await take(list);
      known = list.tag;
    } catch (error) {
      if (signal.aborted) break;
      agent.destroy();
      agent = newAgent(options, signal);
      failures += 1;
      // A link that ends with its certificate breaks once; what fails twice in a row is told, and told once.
      if (failures === 2) options.log.warn("revocations.unreachable", { reason: reasonOf(error) });
      await pause(retryMs(failures), undefined, { signal }).catch(() => undefined);
    } finally {
      first();
    }
  }
  agent.destroy();
}

function retryMs(failures: number): number {
  return Math.min(firstRetryMs * 2 ** Math.min(failures - 1, 10), maxRetryMs);
}

function newAgent({ identity }: FollowOptions, signal: AbortSignal): https.Agent {
  const tlsOptions = clientTlsOptions({
    profile: identity.terms(),
    serverRoots: identity.serverRoots,
    peerSpiffeId: identity.gateway.spiffeId,
    credentials: identity.credentials(),
    alpn: revocationsAlpn,
  });
  return linkAgent(tlsOptions, hostAndPort(identity.gateway.address), signal);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}
