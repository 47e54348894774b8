/** What people do about pinned message keys: commands that work whether the end runs or not; one that runs follows at once. */
import { existsSync } from "node:fs";

import { ensurePrivateFolder } from "../../host/store/files.ts";
import { openPins, type OpenPins, type Pin } from "../../host/store/state-pins.ts";
import { openRoutes } from "../../host/store/state-routes.ts";
import { trustDomainOf } from "../../identity/spiffe-id.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { statePaths } from "../state-folder.ts";

export interface KnownSigners {
  readonly pins: readonly Pin[];
  /** Those that have signed, or passed on what others signed, and have no pin of their own. */
  readonly signers: readonly string[];
}

export function listPins(state: string): KnownSigners {
  if (!existsSync(statePaths(state).database)) return { pins: [], signers: [] };
  return withPins(state, (pins) => ({ pins: pins.list(), signers: pins.signers() }));
}

/**
 * From now on that key set counts under the name, and no other, whether it was seen already or not.
 * @returns what was known before, and what is now
 * @throws Refusal `bad_config` for what isn't a name or a fingerprint
 */
export async function approvePin(
  state: string,
  wanted: { readonly name: string; readonly fingerprint: string; readonly target?: string | undefined },
  clock: Clock,
): Promise<{ readonly before: Pin | undefined; readonly now: Pin }> {
  const { name, fingerprint, target } = wanted;
  checkName(name);
  if (!/^[A-Za-z0-9_-]{43}$/.test(fingerprint)) {
    throw new Refusal(
      "bad_config",
      `"${fingerprint}" is no fingerprint of message keys; the other end prints its own with "latticegate pins fingerprint".`,
    );
  }
  await ensurePrivateFolder(state);
  if (target !== undefined) leadTo(state, target, name);
  return withPins(state, (pins) => ({
    before: pins.of(name),
    now: pins.approve(name, fingerprint, clock.nowUnixMs()),
  }));
}

/** @returns whether anything was known of it */
export function forgetPin(state: string, name: string, clock: Clock): boolean {
  checkName(name);
  if (!existsSync(statePaths(state).database)) return false;
  return withPins(state, (pins) => pins.forget(name, clock.nowUnixMs()));
}

function checkName(name: string): void {
  if (trustDomainOf(name) !== undefined) return;
  throw new Refusal(
    "bad_config",
    `"${name}" is no SPIFFE ID; pins are kept under those, e.g. "spiffe://acme.test/server/files".`,
  );
}

/** From now on that end answers for the target, whoever did before. */
function leadTo(state: string, target: string, issuer: string): void {
  const routes = openRoutes(statePaths(state).database);
  try {
    routes.lead(target, issuer);
  } finally {
    routes.close();
  }
}

function withPins<T>(state: string, work: (pins: OpenPins) => T): T {
  const pins = openPins(statePaths(state).database);
  try {
    return work(pins);
  } finally {
    pins.close();
  }
}
