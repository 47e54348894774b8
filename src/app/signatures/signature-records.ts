/** What the audit log says of message signatures beside calls: pins that changed, and faults that were found later. */
import { randomUUIDv7 } from "node:crypto";

import type { Journal } from "../../gate/ports.ts";
import type { PinStore } from "../../host/store/state-pins.ts";
import { type Counted, RepeatLedger } from "../../identity/refusal-ledger.ts";
import { trustDomainOf } from "../../identity/spiffe-id.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { SignatureFault } from "../../model/message-proof.ts";
import { recordTurns } from "../record-turns.ts";

interface FoundFault {
  readonly fault: SignatureFault;
  /** Whose messages it is about, a SPIFFE ID; or who reported it. */
  readonly principal: string;
  /** The server's name here, or for whom the messages were, as their signatures say it. */
  readonly at: string;
  /** `found` by this end, or `reported` by the end that called. */
  readonly how: "found" | "reported";
  readonly method?: string;
  /** Of the message, or of the call to which it is the answer. */
  readonly nonce?: string;
}

export interface SignatureRecords {
  readonly fault: (found: FoundFault) => void;
  /** Writes the changes of pins that aren't in the log yet. */
  readonly pins: () => void;
  /** Writes what was only counted so far. */
  readonly stop: () => Promise<void>;
}

interface Options {
  readonly pins: Pick<PinStore, "unrecorded" | "recorded">;
  readonly journal: Journal;
  /** Of this end. */
  readonly spiffeId: string;
  readonly clock: Clock;
  readonly log: Log;
}

export function signatureRecords(options: Options): SignatureRecords {
  const { journal, spiffeId, clock, log } = options;
  const ledger = faultLedger();
  const write = (found: readonly Counted<FoundFault>[]): void => {
    for (const { principal, times, at, ...facts } of found)
      turns.inTurn(async () => {
        await journal.append({
          event: "signature.fault",
          atUnixMs: clock.nowUnixMs(),
          callId: randomUUIDv7(),
          principal,
          tool: null,
          outcome: "denied",
          facts: { ...facts, ...placeOf(at), times: String(times) },
        });
      });
  };
  const pins = (): void =>
    turns.inTurn(async () => {
      for (const { id, callId, facts } of options.pins.unrecorded()) {
        log.warn("pin.changed", facts);
        await journal.append({
          event: "pin.change",
          atUnixMs: clock.nowUnixMs(),
          callId,
          principal: spiffeId,
          tool: null,
          outcome: "allowed",
          facts,
        });
        options.pins.recorded(id);
      }
    });
  const look = (): void => {
    write(ledger.due(clock.nowUnixMs()));
    pins();
  };
  const turns = recordTurns({ failure: "signatures.unrecorded", look, log });
  pins();
  return {
    pins,
    fault: (found) => {
      log.warn("signature.fault", { ...found });
      const counted = ledger.see(found, clock.nowUnixMs());
      if (counted !== undefined) write([counted]);
    },
    stop: async () => {
      write(ledger.due(Number.POSITIVE_INFINITY));
      pins();
      await turns.stop();
    },
  };
}

/** What is reported is counted apart: it proves nothing, and leaves the room there is for what was found here. */
function faultLedger(): Pick<RepeatLedger<FoundFault>, "see" | "due"> {
  const ledger = () => new RepeatLedger<FoundFault>(({ fault, principal, at }) => [fault, principal, at]);
  const [found, reported] = [ledger(), ledger()];
  return {
    see: (fault, nowUnixMs) => (fault.how === "found" ? found : reported).see(fault, nowUnixMs),
    due: (nowUnixMs) => [...found.due(nowUnixMs), ...reported.due(nowUnixMs)],
  };
}

/** INVARIANT: callers' names stand where the log veils them. */
function placeOf(at: string): Readonly<Record<string, string>> {
  return trustDomainOf(at) === undefined ? { server: at } : { peer: at };
}
