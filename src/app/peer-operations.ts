/** The operator's side of what is remembered of peers: commands that work whether the gateway runs or not. */
import { existsSync } from "node:fs";

import { openState, type StateStore } from "../host/store/state-sqlite.ts";
import type { Direction, OpenRegression, RememberedPeer } from "../host/store/state-peers.ts";
import { accepted, type Best } from "../identity/peer-memory.ts";
import { versionName } from "../identity/regressions.ts";
import type { Clock } from "../kernel/clock.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Config } from "./config.ts";
import { statePaths } from "./state-folder.ts";

export interface PeerReport {
  readonly direction: Direction;
  readonly peer: string;
  /** In a line, e.g. `X25519MLKEM768, ML-DSA-65, TLS 1.3`. */
  readonly best: string;
  readonly last: string;
  /** Since when the best key exchange was seen. */
  readonly since: string;
  /** When the best key exchange is forgotten unless it is seen again; `off` where nothing is judged by it. */
  readonly expires: string;
  readonly firstSeen: string;
  readonly lastSeen: string;
  readonly links: number;
  readonly regressions: readonly OpenRegression[];
}

export function listPeers(config: Config): readonly PeerReport[] {
  return withState(config, ({ peers }) => peers.peers().map((peer) => reportOf(peer, config.crypto.memory)));
}

/**
 * What the newest link of a peer showed counts from now on; a running gateway follows within a tenth of a second.
 * @returns undefined where there is nothing to accept
 * @throws Refusal `bad_state` for a peer that isn't known, `bad_config` where both its directions changed
 */
export function acceptPeer(
  config: Config,
  peer: string,
  direction: Direction | undefined,
  clock: Clock,
): PeerReport | undefined {
  const decide = (all: readonly RememberedPeer[]) => {
    const found = all.filter(
      (each) => each.peer === peer && (direction ?? each.direction) === each.direction,
    );
    const changed = found.filter(({ open }) => open.length > 0);
    if (found.length === 0) throw unknownPeer(peer);
    const [one, ...more] = changed;
    if (more.length > 0) {
      throw new Refusal(
        "bad_config",
        `"${peer}" both calls and is called, and both changed: say which, --direction incoming or --direction outgoing.`,
      );
    }
    return one && { after: { ...one, ...accepted(one), open: [] }, facts: factsOf(one) };
  };
  const done = withState(config, ({ peers }) => peers.accept(decide, clock.nowUnixMs()));
  return done && reportOf(done.after, config.crypto.memory);
}

function reportOf(remembered: RememberedPeer, memory: number | "off"): PeerReport {
  const { direction, peer, best, last, firstUnixMs, lastUnixMs, links, open } = remembered;
  const span = best.keyExchange ?? { sinceUnixMs: firstUnixMs, lastUnixMs };
  return {
    direction,
    peer,
    best: suiteLine(best),
    last: suiteLine(last),
    since: iso(span.sinceUnixMs),
    expires: memory === "off" ? "off" : iso(span.lastUnixMs + memory),
    firstSeen: iso(firstUnixMs),
    lastSeen: iso(lastUnixMs),
    links,
    regressions: open,
  };
}

function factsOf({ direction, peer, best, last, open }: RememberedPeer): Readonly<Record<string, string>> {
  const regressions = open.map(({ kind, confidence }) => `${kind}:${confidence}`).join(" ");
  return { peer, direction, before: suiteLine(best), after: suiteLine(last), regressions };
}

function suiteLine({ keyExchange, certificate, version, keyShare }: Best): string {
  const words = [
    keyExchange?.group,
    certificate?.algorithm,
    version && versionName(version.version),
    keyShare && "key share at once",
  ];
  return words.filter((word) => word !== undefined).join(", ");
}

function unknownPeer(peer: string): Refusal {
  return new Refusal(
    "bad_state",
    `No peer "${peer}" is remembered; "latticegate crypto peers" lists those that are, as they are called.`,
  );
}

function withState<T>(config: Config, work: (state: StateStore) => T): T {
  const file = statePaths(config.state).database;
  if (!existsSync(file)) {
    throw new Refusal(
      "bad_state",
      `Nothing is remembered in ${config.state} yet; run "latticegate up" once.`,
    );
  }
  const state = openState(file);
  try {
    return work(state);
  } finally {
    state.close();
  }
}

function iso(unixMs: number): string {
  return new Date(unixMs).toISOString();
}
