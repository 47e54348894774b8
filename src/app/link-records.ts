/** What the audit log says of connections and links that a rule denied: nobody fills it by knocking. */
import { randomUUIDv7 } from "node:crypto";

import type { Journal } from "../gate/ports.ts";
import { type Counted, RepeatLedger } from "../identity/refusal-ledger.ts";
import { hostOf } from "../kernel/address.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import type { EntryDraft } from "../model/entry.ts";

interface DeniedLink {
  /** A connection was refused before TLS, a link behind it; or an open link was ended. */
  readonly what: "connection" | "link" | "open link";
  readonly rule: string;
  /** Why the rule's condition couldn't be told; it counted all the same. */
  readonly erred?: string;
  /** The rule is only watched: nothing was done. */
  readonly isShadow: boolean;
  /** Who was proven; `anonymous` before TLS. */
  readonly caller: string;
  /** IP address and port; of the entries for addresses there is no room for, the last one. */
  readonly remote: string;
}

export interface LinkRecords {
  readonly denied: (link: DeniedLink) => void;
  /** Writes what was only counted so far. */
  readonly stop: () => Promise<void>;
}

interface Options {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Log;
}

/** How often what is left is looked after. */
const lookEveryMs = 5000;

type Recorded = DeniedLink & { readonly from: "address" | "many" };

export function linkRecords({ journal, clock, log }: Options): LinkRecords {
  const ledger = new RepeatLedger<Recorded>(({ what, rule, isShadow, caller, remote, from }) => [
    what,
    rule,
    String(isShadow),
    caller,
    from === "many" ? "" : hostOf(remote),
  ]);
  // INVARIANT: whoever comes from more addresses than there is room for is counted by rule, and not forgotten.
  const byRule = new RepeatLedger<Recorded>(({ what, rule, isShadow }) => [what, rule, String(isShadow)]);
  let writing: Promise<void> = Promise.resolve();
  const write = (found: readonly Counted<Recorded>[]): void => {
    for (const each of found) {
      writing = writing
        .then(async () => void (await journal.append(entryOf(each, clock.nowUnixMs()))))
        .catch((error: unknown) => {
          log.error("links.unrecorded", { reason: error instanceof Error ? error.message : "unknown" });
        });
    }
  };
  const writeDue = (nowUnixMs: number): void => write([...ledger.due(nowUnixMs), ...byRule.due(nowUnixMs)]);
  const timer = setInterval(() => writeDue(clock.nowUnixMs()), lookEveryMs).unref();
  return {
    denied: (link) => {
      const one: Recorded = { ...link, from: "address" };
      const due = ledger.takes(one)
        ? ledger.see(one, clock.nowUnixMs())
        : byRule.see({ ...one, caller: "anonymous", from: "many" }, clock.nowUnixMs());
      if (due !== undefined) write([due]);
    },
    stop: async () => {
      clearInterval(timer);
      writeDue(Number.POSITIVE_INFINITY);
      await writing;
    },
  };
}

function entryOf(
  { what, rule, erred, isShadow, caller, remote, times, from }: Counted<Recorded>,
  nowUnixMs: number,
): EntryDraft {
  return {
    event: "link.denied",
    atUnixMs: nowUnixMs,
    callId: randomUUIDv7(),
    principal: caller,
    tool: null,
    outcome: isShadow ? "allowed" : "denied",
    facts: {
      what,
      rule,
      ...(erred !== undefined && { "rule.error": erred }),
      ...(isShadow && { mode: "shadow" }),
      ...(from === "many" && { from: "many addresses" }),
      remote,
      times: String(times),
    },
  };
}
