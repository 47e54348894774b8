/** Calls that were found in an audit log, as text: a table, CSV, or JSON lines. */
import { type FoundCall, verdictOf } from "../app/audit-query.ts";
import type { Naming } from "../app/subject-names.ts";
import { table } from "./table.ts";

const columns = [
  "index",
  "time",
  "event",
  "verdict",
  "caller",
  "tool",
  "rule",
  "reason",
  "status",
  "duration_ms",
  "session",
  "call",
] as const;

type Cells = Readonly<Record<(typeof columns)[number], string>>;

/** Lines, the first of which names the columns. */
export function asTable(calls: readonly FoundCall[], named: Naming): readonly string[] {
  const shown = columns.filter((column) => column !== "session" && column !== "status");
  const rows = calls.map((call) => cellsOf(call, named)).map((cells) => shown.map((column) => cells[column]));
  return table([shown, ...rows], "");
}

/** RFC 4180, each line without its CRLF; no cell is one that a spreadsheet would take for a formula. */
export function asCsv(calls: readonly FoundCall[], named: Naming): readonly string[] {
  const rows = calls
    .map((call) => cellsOf(call, named))
    .map((cells) => columns.map((column) => cells[column]));
  return [columns, ...rows].map((row) => row.map(csvCell).join(","));
}

/** One call a line: what was decided and how it ended, with the records as they stand in the log. */
export function asJsonLines(calls: readonly FoundCall[], named: Naming): readonly string[] {
  return calls.map((call) => {
    const { first, outcome } = call;
    const { callId, event, principal } = named(first.entry);
    const isDecision = event === "call.decision";
    const record = { index: first.index, entry: JSON.parse(textOf(first.bytes)) as unknown };
    const end = outcome && { index: outcome.index, entry: JSON.parse(textOf(outcome.bytes)) as unknown };
    return JSON.stringify({
      call: callId,
      event,
      verdict: verdictOf(call),
      caller: principal,
      ...(isDecision
        ? { decision: record, outcome: end ?? null }
        : event === "call.outcome"
          ? { decision: null, outcome: record }
          : { entry: record.entry, index: record.index }),
    });
  });
}

/** The entries themselves, as they stand in the log. */
export function asEntries(calls: readonly FoundCall[], event: string | undefined): readonly string[] {
  return calls
    .flatMap(({ first, outcome }) => [first, ...(outcome === undefined ? [] : [outcome])])
    .filter(({ entry }) => event === undefined || entry.event === event)
    .map(({ bytes }) => textOf(bytes));
}

function cellsOf(call: FoundCall, named: Naming): Cells {
  const { first, outcome } = call;
  const entry = named(first.entry);
  const facts = { ...entry.facts, ...(outcome && named(outcome.entry).facts) };
  const isCall = entry.event === "call.decision" || entry.event === "call.outcome";
  return {
    index: String(first.index),
    time: new Date(entry.atUnixMs).toISOString(),
    event: isCall ? "call" : entry.event,
    verdict: verdictOf(call),
    caller: entry.principal,
    tool: entry.tool ?? [facts["server"], facts["method"]].filter((part) => part !== undefined).join(" "),
    rule: entry.facts["rule"] ?? "",
    reason: facts["reason"] ?? "",
    status: facts["status"] ?? "",
    duration_ms: facts["duration_ms"] ?? "",
    session: facts["session"] ?? "",
    call: entry.callId,
  };
}

/** OWASP, CSV injection: a quote in front keeps a cell text. */
function csvCell(text: string): string {
  const plain = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
