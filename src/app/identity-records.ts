/** What the audit log says of identities that were revoked or turned away. */
import { randomUUIDv7 } from "node:crypto";

import type { Journal } from "../gate/ports.ts";
import type { Revocation } from "../host/store/certificate-records.ts";
import type { StateStore } from "../host/store/state-sqlite.ts";
import { type CountedRefusal, RefusalLedger, type RefusedIdentity } from "../identity/refusal-ledger.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import type { Refusal } from "../kernel/refusal.ts";
import type { EntryDraft } from "../model/entry.ts";

export interface IdentityRecords {
  /** Writes the revocations that aren't in the log yet, also those made while no gateway ran. Never rejects. */
  readonly revoked: () => Promise<void>;
  /** Only refusals whose facts name a `spiffeId` are written: somebody of ours was turned away, no stranger. */
  readonly refused: (how: RefusedIdentity["how"], refusal: Refusal, remote?: string) => void;
  /** Writes what was only counted so far. */
  readonly stop: () => Promise<void>;
}

interface Options {
  readonly state: StateStore;
  readonly journal: Journal;
  readonly gatewayId: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** How often what is left is looked after: counted refusals, revocations that couldn't be written. */
const lookEveryMs = 5000;

export function identityRecords(options: Options): IdentityRecords {
  const { state, journal, clock, log } = options;
  const ledger = new RefusalLedger();
  let writing: Promise<void> | undefined;
  const write = async (draft: EntryDraft): Promise<boolean> => {
    try {
      await journal.append(draft);
      return true;
    } catch (error) {
      log.error("identity.unrecorded", { reason: error instanceof Error ? error.message : "unknown" });
      return false;
    }
  };
  const writeRevocations = async (): Promise<void> => {
    // Those that come meanwhile wait for the next time, so that none is written twice.
    for (const revocation of state.unrecorded()) {
      log.warn("identity.revoked", { spiffeId: revocation.spiffeId, certificates: revocation.certificates });
      if (!(await write(revocationEntry(revocation, clock.nowUnixMs())))) return;
      state.markRecorded(revocation.id, clock.nowUnixMs());
    }
  };
  const revoked = async (): Promise<void> => {
    await writing;
    writing ??= writeRevocations()
      .catch((error: unknown) => {
        log.error("state.unreadable", { reason: error instanceof Error ? error.message : "unknown" });
      })
      .finally(() => (writing = undefined));
    await writing;
  };
  const writeRefusals = async (refusals: readonly CountedRefusal[]): Promise<void> => {
    for (const refusal of refusals) await write(refusalEntry(refusal, clock.nowUnixMs()));
  };
  const timer = setInterval(() => {
    void writeRefusals(ledger.due(clock.nowUnixMs()));
    void revoked();
  }, lookEveryMs).unref();
  return {
    revoked,
    refused: (how, { facts, message }, remote) => {
      const { spiffeId, serial, reason = message } = facts;
      if (typeof spiffeId !== "string") return;
      const what: RefusedIdentity = {
        how,
        spiffeId,
        reason: String(reason),
        ...(serial !== undefined && { serial: String(serial) }),
        ...(remote !== undefined && { remote }),
      };
      const due = ledger.see(what, clock.nowUnixMs());
      if (due !== undefined) void writeRefusals([due]);
    },
    stop: async () => {
      clearInterval(timer);
      await writing;
      await writeRefusals(ledger.due(Number.POSITIVE_INFINITY));
    },
  };
}

function revocationEntry(revocation: Revocation, nowUnixMs: number): EntryDraft {
  const { id, spiffeId, serial, certificates, joinTokens, atUnixMs } = revocation;
  return {
    event: "identity.revoke",
    atUnixMs: nowUnixMs,
    callId: id,
    principal: spiffeId,
    tool: null,
    outcome: "allowed",
    facts: {
      ...(serial === undefined ? { what: "identity" } : { what: "certificate", serial }),
      certificates: String(certificates),
      join_tokens: String(joinTokens),
      revoked_at: new Date(atUnixMs).toISOString(),
    },
  };
}

function refusalEntry(refusal: CountedRefusal, nowUnixMs: number): EntryDraft {
  const { how, spiffeId, reason, serial, remote, times } = refusal;
  return {
    event: "identity.refuse",
    atUnixMs: nowUnixMs,
    callId: randomUUIDv7(),
    principal: spiffeId,
    tool: null,
    outcome: "denied",
    facts: {
      how,
      reason,
      times: String(times),
      ...(serial !== undefined && { serial }),
      ...(remote !== undefined && { remote }),
    },
  };
}
