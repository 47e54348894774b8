/** Links without ML-KEM are let in by three words together: the profile's, the listener's, and the servers' names. */
import type { Profile } from "../../crypto/suites/profiles.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { type KeyExchangeDial, onlyInTransition } from "./link.ts";

/** What a listener needs beside its own words to let them in. */
export interface Tolerating {
  readonly servers: readonly string[];
  /** Whether `p2p_connectivity` says what every link must be. */
  readonly isPostQuantumOnly: boolean;
  readonly profile: Pick<Profile, "name" | "classicalGroups">;
}

/** @throws Refusal `bad_config` */
export function checkClassical(
  listener: { readonly key_exchange: KeyExchangeDial; readonly classical_servers: readonly string[] },
  at: string,
  { servers, isPostQuantumOnly, profile }: Tolerating,
): void {
  const { key_exchange: dial, classical_servers: classical } = listener;
  const stranger = classical.find((name) => !servers.includes(name));
  if (stranger !== undefined)
    throw wrong(at, `classical_servers: there is no server "${stranger}" under servers`);
  if ((dial === "hybrid-preferred") !== classical.length > 0) {
    throw wrong(
      at,
      "hybrid-preferred and classical_servers go together: name what clients without ML-KEM may reach",
    );
  }
  if (dial === "hybrid-required") return;
  if (isPostQuantumOnly) {
    throw wrong(at, "hybrid-preferred lets links in that p2p_connectivity rules out");
  }
  if (profile.classicalGroups.length === 0) throw wrong(at, onlyInTransition(profile));
}

export function wrong(at: string, what: string): Refusal {
  return new Refusal("bad_config", `${at}: ${what}.`);
}
