/** What a calling end is given: who it is, whom it calls, and what it may take. */
import type { FaultReport } from "../../integrity/batch.ts";
import type { MessageSigner } from "../../integrity/key-set.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { PinStore } from "../store/state-pins.ts";

export interface CallingSettings {
  /** `offered`: an end that has never signed may go on like that. */
  readonly use: "offered" | "required";
  /** Of what this end signs; `auto` is what the serving end needs. */
  readonly mode: "auto" | "batched" | "direct";
  /** Whether keys count that nobody has approved. */
  readonly pins: "first-use" | "approved";
  /** Whether answers count that somebody on the way changed, said so, and signed. */
  readonly acceptsChanges: boolean;
}

export interface CallingOptions {
  /** SPIFFE ID of this end. */
  readonly issuer: string;
  /** Its message keys, the weaker one first. */
  readonly signers: readonly [MessageSigner, MessageSigner];
  /** The target as people know it, for the log and for what clients are told. */
  readonly name: string;
  /** Whom the first question is for, as far as that is known before it is answered. */
  readonly target: string;
  /** SPIFFE ID of the end that must serve it; absent where that is learnt. */
  readonly peer?: string;
  /** The end that served it last; undefined before the first. */
  readonly ledTo: () => string | undefined;
  readonly lead: (issuer: string) => void;
  readonly pins: Pick<PinStore, "of" | "meet" | "cut">;
  /** Whether whoever serves it has signed before: then nothing else counts. */
  readonly hasSigned: () => boolean;
  readonly settings: CallingSettings;
  /** SPIFFE ID of an end on the way that may change answers, where the settings take them. */
  readonly changer?: string;
  /** Others make calls of their own through this end, and look after their answers themselves. */
  readonly passesOthers?: boolean;
  readonly faults: FaultReports;
  readonly clock: Clock;
  readonly log: Log;
}

/** What was found wrong and is still to be told the serving end, with the next attestation. */
export interface FaultReports {
  readonly report: (fault: FaultReport) => void;
  /** The oldest, which then wait no more. */
  readonly take: () => readonly FaultReport[];
  readonly isEmpty: () => boolean;
}

/** More at once say nothing new. */
const maxReports = 64;

export function faultReports(): FaultReports {
  const waiting: FaultReport[] = [];
  return {
    report: (fault) => {
      if (waiting.length < maxReports) waiting.push(fault);
    },
    take: () => waiting.splice(0),
    isEmpty: () => waiting.length === 0,
  };
}
