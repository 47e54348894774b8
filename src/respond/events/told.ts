/**
 * What is told outside of the audit log: an entry under a uid that it keeps for ever, or a word about the telling itself.
 * INVARIANT: metadata only, as in the log; what the log keeps of arguments for itself is left out here.
 */
import type { Entry } from "../../audit/entry.ts";
import type { EntryOutcome } from "../../model/entry.ts";

export interface Told {
  /** `ORIGIN#INDEX` of an entry: whoever got it twice sees by this that it is one. */
  readonly uid: string;
  /** Of the entry in the log; -1 for what is none. */
  readonly index: number;
  /** An `EntryEvent`, what another writer registered, or `outlet.*`. */
  readonly event: string;
  readonly atUnixMs: number;
  readonly callId: string;
  readonly principal: string;
  /** `server/tool` */
  readonly tool: string | null;
  readonly outcome: EntryOutcome;
  readonly facts: Readonly<Record<string, string>>;
}

/** Who tells. */
export interface Teller {
  /** The log's. */
  readonly origin: string;
  readonly version: string;
  /** This machine's name. */
  readonly host: string;
}

/** Digests of arguments, which are the log's own and of no use elsewhere. */
const keptBack: ReadonlySet<string> = new Set(["features", "request_hmac", "answer_hmac"]);

/** @param entry with names or pseudonyms, as it is to be told */
export function toldEntry(origin: string, index: number, entry: Entry): Told {
  const { event, atUnixMs, callId, principal, tool, outcome } = entry;
  const facts = Object.fromEntries(Object.entries(entry.facts).filter(([name]) => !keptBack.has(name)));
  return { uid: uidOf(origin, index), index, event, atUnixMs, callId, principal, tool, outcome, facts };
}

function uidOf(origin: string, index: number): string {
  return `${origin}#${index}`;
}

/** Entries that were removed, or can't be read, before they were told. @param to the first one behind them */
export function toldGap(
  teller: Teller,
  { from, to, says }: { readonly from: number; readonly to: number; readonly says: string },
  nowUnixMs: number,
): Told {
  const uid = `${uidOf(teller.origin, from)}-${to - 1}`;
  const facts = { from: String(from), to: String(to - 1), entries: String(to - from), says };
  return ofTeller(teller, { uid, event: "outlet.gap", outcome: "error", facts }, nowUnixMs);
}

/** What was told and isn't in the log any more: its end was lost, and others have its numbers now. @param id of that end */
export function toldLoss(
  teller: Teller,
  { from, to, id }: { readonly from: number; readonly to: number; readonly id: string },
  nowUnixMs: number,
): Told {
  const uid = `${teller.origin}#lost-${from}-${to - 1}-${id}`;
  const says =
    "The log lost entries after they were told here, none with other numbers than these; what has these numbers now is told after this.";
  const facts = { from: String(from), to: String(to - 1), entries: String(to - from), says };
  return ofTeller(teller, { uid, event: "outlet.lost", outcome: "error", facts }, nowUnixMs);
}

/** @param id of this test alone */
export function toldTest(teller: Teller, id: string, nowUnixMs: number): Told {
  const facts = { says: "A test of this outlet; nothing happened." };
  const uid = `${teller.origin}#test-${id}`;
  return ofTeller(teller, { uid, event: "outlet.test", outcome: "allowed", facts }, nowUnixMs);
}

function ofTeller(
  { origin }: Teller,
  what: Pick<Told, "uid" | "event" | "outcome" | "facts">,
  atUnixMs: number,
): Told {
  return { ...what, index: -1, atUnixMs, callId: what.uid, principal: origin, tool: null };
}
