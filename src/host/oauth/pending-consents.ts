/** Consents that were begun and not answered yet: each is answered once, by whom it was begun for, within ten minutes. */
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { OauthClient } from "./client.ts";
import type { Located } from "./locate.ts";

export interface Pending {
  /** Unguessable; finds this again. */
  readonly state: string;
  readonly holder: string;
  readonly redirectUri: string;
  /** PKCE (RFC 7636); never leaves the gateway but to the token endpoint. */
  readonly verifier: string;
  readonly client: OauthClient;
  readonly located: Located;
  readonly scope: string;
  readonly dpopKeys: string | undefined;
}

export interface PendingConsents {
  readonly add: (pending: Pending) => void;
  /** @throws Refusal `denied` if there is none of this state for this holder (any more) */
  readonly take: (state: string, holder: string) => Pending;
}

const lifeMs = 600_000;
/** In all, and for one holder; the oldest makes way. */
const maxPending = 1024;
const maxOfOneHolder = 8;

export function pendingConsents(clock: Clock): PendingConsents {
  const waiting = new Map<string, { readonly pending: Pending; readonly untilUnixMs: number }>();
  return {
    add: (pending) => {
      const now = clock.nowUnixMs();
      for (const [state, { untilUnixMs }] of waiting) if (untilUnixMs <= now) waiting.delete(state);
      const mine = [...waiting].filter(([, each]) => each.pending.holder === pending.holder);
      const [oldest] = mine.length >= maxOfOneHolder ? mine : waiting.size >= maxPending ? waiting : [];
      if (oldest !== undefined) waiting.delete(oldest[0]);
      waiting.set(pending.state, { pending, untilUnixMs: now + lifeMs });
    },
    take: (state, holder) => {
      const found = waiting.get(state);
      // Somebody else's stays what it is: who guesses or steals a state spoils nothing with it.
      if (found === undefined || found.pending.holder !== holder || found.untilUnixMs <= clock.nowUnixMs()) {
        throw new Refusal(
          "denied",
          "This answer is to nothing that was asked for here, or came too late or twice.",
          {
            facts: { cause: "unknown_state" },
          },
        );
      }
      waiting.delete(state);
      return found.pending;
    },
  };
}
