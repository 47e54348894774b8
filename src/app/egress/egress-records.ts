/** What the sidecar's log and its audit log say of a server's own connections: where, when, how much, never what. */
import { randomUUIDv7 } from "node:crypto";

import type { Journal } from "../../gate/ports.ts";
import type { EgressStore } from "../../host/store/state-egress.ts";
import { type Counted, RepeatLedger } from "../../identity/refusal-ledger.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { EntryDraft } from "../../model/entry.ts";

export interface EgressRecords {
  /** A connection comes about; it is on disk when this resolves. */
  readonly opened: (callId: string, facts: Facts) => Promise<void>;
  readonly closed: (callId: string, facts: Facts) => void;
  /** The same destination and reason are counted. */
  readonly refused: (refused: RefusedEgress) => void;
  readonly cut: (callId: string, facts: Facts) => void;
  /** Writes what operators lifted and isn't in the log yet. */
  readonly lifted: () => void;
  /** Writes what was only counted so far. */
  readonly stop: () => Promise<void>;
}

type Facts = Readonly<Record<string, string>>;

interface RefusedEgress {
  readonly destination: string;
  readonly because: string;
  readonly rule?: string;
}

interface Options {
  readonly journal: Journal;
  readonly store: Pick<EgressStore, "unrecorded" | "recorded">;
  /** Whose connections they are. */
  readonly spiffeId: string;
  readonly clock: Clock;
  readonly log: Log;
}

const lookEveryMs = 5000;

export function egressRecords(options: Options): EgressRecords {
  const { journal, clock, log } = options;
  const ledgers = refusedLedgers();
  const { entry, append, inTurn, written } = writer(options);
  const writeRefused = (found: readonly Counted<RefusedEgress>[]): void => {
    for (const { times, ...facts } of found)
      append(
        entry("egress.deny", "denied", { callId: randomUUIDv7(), facts: { ...facts, times: String(times) } }),
      );
  };
  const lifted = (): void => inTurn(() => recordLifted(options, entry));
  const timer = setInterval(() => {
    writeRefused(ledgers.due(clock.nowUnixMs()));
    lifted();
  }, lookEveryMs).unref();
  return {
    lifted,
    opened: async (callId, facts) => {
      await journal.append(entry("egress.open", "allowed", { callId, facts }));
      log.info("egress.opened", facts);
    },
    closed: (callId, facts) => {
      log.info("egress.closed", facts);
      append(entry("egress.close", facts["because"] === undefined ? "allowed" : "denied", { callId, facts }));
    },
    refused: (refused) => {
      const due = ledgers.see(refused, clock.nowUnixMs());
      if (due === undefined) return;
      log.warn("egress.refused", { ...due });
      writeRefused([due]);
    },
    cut: (callId, facts) => {
      log.error("egress.cut", facts);
      append(entry("egress.cut", "denied", { callId, facts }));
    },
    stop: async () => {
      clearInterval(timer);
      writeRefused(ledgers.due(Number.POSITIVE_INFINITY));
      await written();
    },
  };
}

type MakeEntry = (
  event: EntryDraft["event"],
  outcome: EntryDraft["outcome"],
  about: Pick<EntryDraft, "callId" | "facts">,
) => EntryDraft;

interface Writer {
  readonly entry: MakeEntry;
  /** One after the other; what can't be written is told in the log. */
  readonly append: (draft: EntryDraft) => void;
  readonly inTurn: (work: () => Promise<void>) => void;
  readonly written: () => Promise<void>;
}

function writer({ journal, spiffeId, clock, log }: Options): Writer {
  let writing: Promise<void> = Promise.resolve();
  const inTurn: Writer["inTurn"] = (work) => {
    writing = writing.then(work).catch((error: unknown) => {
      log.error("egress.unrecorded", { reason: error instanceof Error ? error.message : "unknown" });
    });
  };
  return {
    entry: (event, outcome, about) => ({
      event,
      atUnixMs: clock.nowUnixMs(),
      principal: spiffeId,
      tool: null,
      outcome,
      ...about,
    }),
    append: (draft) => inTurn(async () => void (await journal.append(draft))),
    inTurn,
    written: () => writing,
  };
}

async function recordLifted({ journal, store, log }: Options, entry: MakeEntry): Promise<void> {
  for (const { id, callId, destination } of store.unrecorded()) {
    log.warn("egress.lifted", { destination });
    await journal.append(entry("egress.lift", "allowed", { callId, facts: { destination } }));
    store.recorded(id);
  }
}

interface RefusedLedgers {
  readonly see: (refused: RefusedEgress, nowUnixMs: number) => Counted<RefusedEgress> | undefined;
  readonly due: (nowUnixMs: number) => readonly Counted<RefusedEgress>[];
}

/** A server that tries ever new names fills no log with them. */
function refusedLedgers(): RefusedLedgers {
  const byPlace = new RepeatLedger<RefusedEgress>(({ destination, because, rule = "" }) => [
    destination,
    because,
    rule,
  ]);
  const others = new RepeatLedger<RefusedEgress>(() => []);
  const elsewhere = { destination: "elsewhere", because: "Refused in too many ways to tell apart." };
  return {
    see: (refused, now) => (byPlace.takes(refused) ? byPlace.see(refused, now) : others.see(elsewhere, now)),
    due: (now) => [...byPlace.due(now), ...others.due(now)],
  };
}
