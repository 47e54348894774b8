/** Ids that may be used once each: remembered for as long as they could be used again, and no more of them than fit. */
import { sha256 } from "../../crypto/hash.ts";
import { toBase64url, utf8 } from "../../kernel/bytes.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";

export interface ReplayGuard {
  /**
   * @param owner whose id it is; ids of two owners never meet
   * @throws Refusal `bad_proof` if it was taken before, `busy` if no more can be remembered
   */
  readonly take: (owner: string, id: string) => void;
}

interface Bounds {
  readonly ids: number;
  /** One owner can't fill it for the others. */
  readonly idsOfOwner: number;
}

/** About 100 bytes each, and twice that many are kept: 50 MiB at most. */
const defaultBounds: Bounds = { ids: 262_144, idsOfOwner: 65_536 };

interface Generation {
  readonly sinceUnixMs: number;
  readonly ids: Set<string>;
  readonly byOwner: Map<string, number>;
}

/** Ids are kept for `keepMs` at least, and for twice that at most: a whole generation is dropped at a time. */
export function replayGuard(clock: Clock, keepMs: number, bounds: Bounds = defaultBounds): ReplayGuard {
  const begun = (): Generation => ({
    sinceUnixMs: clock.nowUnixMs(),
    ids: new Set(),
    byOwner: new Map(),
  });
  let current = begun();
  let previous = begun();
  return {
    take: (owner, id) => {
      const age = clock.nowUnixMs() - current.sinceUnixMs;
      if (age >= keepMs) {
        previous = age >= 2 * keepMs ? begun() : current;
        current = begun();
      }
      const key = toBase64url(sha256(utf8(JSON.stringify([owner, id]))));
      if (current.ids.has(key) || previous.ids.has(key)) {
        throw new Refusal("bad_proof", "The DPoP proof isn't accepted: it was used before.", {
          facts: { reason: "replayed" },
        });
      }
      const ofOwner = current.byOwner.get(owner) ?? 0;
      if (current.ids.size >= bounds.ids || ofOwner >= bounds.idsOfOwner) {
        throw new Refusal("busy", "More proofs come in than can be remembered; try again in a minute.");
      }
      current.ids.add(key);
      current.byOwner.set(owner, ofOwner + 1);
    },
  };
}
