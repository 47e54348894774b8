/** The gateway's side of its log's witnesses: heads and proofs for them, their cosignatures and reports from them. */
import { randomUUIDv7 } from "node:crypto";

import { z } from "zod";

import { readCosignature } from "../audit/cosignature.ts";
import { crossingPath } from "../audit/crossing.ts";
import { isOfLog, shownFrom } from "../audit/log-proofs.ts";
import { readCheckpointBody, readNote } from "../audit/checkpoint.ts";
import { shownHeadBytes } from "../audit/witness-answer.ts";
import { incidentKinds } from "../audit/witness.ts";
import type { Journal } from "../gate/ports.ts";
import { checkPostQuantum } from "../gate/reach.ts";
import type { World } from "../gate/world.ts";
import type { LogDesk } from "../host/net/log-http.ts";
import { readIfThere } from "../host/store/files.ts";
import { openLogReader } from "../host/store/log-reader.ts";
import { whyEnded } from "../identity/admission.ts";
import { RepeatLedger } from "../identity/refusal-ledger.ts";
import { fromUtf8, utf8 } from "../kernel/bytes.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { printable } from "../kernel/printable.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Channel } from "../model/channel.ts";
import { statePaths } from "./state-folder.ts";
import { witnessRecords } from "./witness-records.ts";

export interface LogDeskOptions {
  readonly state: string;
  readonly trustDomain: string;
  readonly world: () => World;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Log;
}

/** What a sidecar says of the log; `accepted` once a person looked at it there. */
const reportSchema = z.strictObject({
  kind: z.enum([...incidentKinds, "accepted"]),
  says: z.string().max(1024),
  /** Entries of the head it had, and of the one it was shown. */
  kept: z.int().min(0),
  shown: z.int().min(0),
});
type Report = z.output<typeof reportSchema> & { readonly spiffeId: string };

/** A witness whose clock is ahead by more isn't one that says when it saw a head. */
const maxAheadMs = 5 * 60_000;

export function logDesk(options: LogDeskOptions): LogDesk {
  const { state, trustDomain, world, clock, log } = options;
  const paths = statePaths(state);
  const { files } = openLogReader(paths.log);
  const records = witnessRecords(state, trustDomain, clock);
  const ledger = new RepeatLedger<Report>(({ spiffeId, kind }) => [spiffeId, kind]);
  return {
    identify: (channel) => ({ spiffeId: witnessOn(channel, world(), clock.nowUnixMs()) }),
    checkpoint: async (old) => {
      const shown = await shownFrom(files, old);
      if (shown === undefined) throw new Refusal("journal_unavailable", "The log can't be shown just now.");
      const note = readNote(shown.checkpoint);
      const size = (note === undefined ? undefined : readCheckpointBody(note.text))?.size ?? 0;
      return { status: old > size ? 409 : 200, body: shownHeadBytes(shown) };
    },
    keys: async () => utf8((await readIfThere(paths.logKey)) ?? ""),
    crossing: (number) => files(crossingPath(number)),
    cosign: async (spiffeId, bytes) => {
      const cosignature = readCosignature(bytes, trustDomain);
      const { body, atUnixS } = cosignature;
      if (atUnixS * 1000 > clock.nowUnixMs() + maxAheadMs) {
        throw new Refusal("bad_message", "This cosignature is of a time that is still to come.");
      }
      const isOurs = await isOfLog(files, body);
      if (isOurs === undefined) throw new Refusal("journal_unavailable", "The log can't be read just now.");
      if (!isOurs) {
        log.error("witness.other_log", { spiffeId, size: body.size });
        throw new Refusal("bad_message", "This is a cosignature of another log than the one kept here.");
      }
      await records.keep(spiffeId, cosignature);
    },
    report: async (spiffeId, bytes) => {
      const report: Report = { ...readReport(bytes), spiffeId };
      const { kind, kept, shown } = report;
      const says = printable(report.says, 300);
      const atUnixMs = clock.nowUnixMs();
      const over = ledger.due(atUnixMs);
      const due = ledger.see(report, atUnixMs);
      if (due !== undefined)
        log[kind === "accepted" ? "info" : "error"]("log.incident", { spiffeId, kind, says });
      for (const each of [...over, due]) {
        if (each !== undefined) await append(options.journal, each, atUnixMs);
      }
      if (kind === "accepted") return await records.settle(spiffeId);
      const at = new Date(atUnixMs).toISOString();
      await records.report({ spiffe_id: spiffeId, kind, says, kept, shown, at }, due !== undefined);
    },
  };
}

/** Callers and exposed servers alike. @throws Refusal for a link that proves nobody (any more) */
function witnessOn(channel: Channel, { trust }: World, nowUnixMs: number): string {
  checkPostQuantum(channel);
  // Servers are under roots of their own; whom a link proves was judged when it was let in.
  const ended = whyEnded(channel, { ...trust, issuers: "any" }, nowUnixMs);
  if (ended !== undefined) throw ended;
  if (channel.peer.kind === "svid") return channel.peer.spiffeId;
  throw new Refusal("no_identity", "This link proves nobody.");
}

function readReport(bytes: Uint8Array): z.output<typeof reportSchema> {
  let value: unknown;
  try {
    value = JSON.parse(fromUtf8(bytes) ?? "");
  } catch (cause) {
    throw new Refusal("bad_json", "Expected a JSON body in UTF-8.", { cause });
  }
  const read = reportSchema.safeParse(value);
  if (read.success) return read.data;
  throw new Refusal("bad_message", "The body isn't what docs/formats/witness.md asks for.", {
    cause: read.error,
  });
}

async function append(
  journal: Journal,
  { spiffeId, kind, says, kept, shown, times }: Report & { readonly times: number },
  atUnixMs: number,
): Promise<void> {
  await journal.append({
    event: "log.incident",
    atUnixMs,
    callId: randomUUIDv7(),
    principal: spiffeId,
    tool: null,
    outcome: kind === "accepted" ? "allowed" : "error",
    facts: {
      kind,
      says: printable(says, 300),
      kept: String(kept),
      shown: String(shown),
      times: String(times),
    },
  });
}
