/** Whether somebody who has a caller's identity gets in with it now, as the gateway's state has it. */
import { existsSync } from "node:fs";

import { openState } from "../../host/store/state-sqlite.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Config } from "../config.ts";
import { statePaths } from "../state-folder.ts";

export interface CallerStanding {
  /** Of its certificates, those that count now; a client with access tokens has none. */
  readonly certificates: number;
  /** It was revoked: it gets no new certificate, and its access tokens count no more. */
  readonly isRevoked: boolean;
}

/** Undefined where no gateway was started yet. */
export function standingOf(config: Config, caller: string, clock: Clock): CallerStanding | undefined {
  const { database } = statePaths(config.state);
  if (!existsSync(database)) return undefined;
  const state = openState(database);
  try {
    const own = state
      .certificates(clock.nowUnixMs())
      .filter(({ spiffeId, state: is }) => spiffeId === caller && (is === "valid" || is === "superseded"));
    return { certificates: own.length, isRevoked: state.isShutOut(caller) };
  } finally {
    state.close();
  }
}
