/** What the index of an audit log keeps of its entries: a row for each call, its decision joined with its outcome. */

/** Of a call, or of any other event: where its entries stand, and by what it is found. */
export interface IndexRow {
  /** The index of its first entry. */
  readonly first: number;
  /** Of its last one; null while a decision has no outcome. */
  last: number | null;
  readonly atUnixMs: number;
  readonly call: string;
  readonly event: string;
  readonly caller: string;
  readonly tool: string | null;
  readonly server: string | null;
  readonly rule: string | null;
  verdict: string;
  readonly session: string | null;
}

/** What to do with an entry. */
type IndexStep =
  | { readonly kind: "row"; readonly row: IndexRow }
  /** The outcome of a decision that stands before this part of the log, if it has one. */
  | { readonly kind: "outcome"; readonly row: IndexRow }
  | { readonly kind: "unreadable" };

export const decisionEvent = "call.decision";
export const outcomeEvent = "call.outcome";

/** Joins outcomes with decisions in the same part of a log. */
export interface RowJoin {
  readonly add: (bytes: Uint8Array, index: number) => void;
  readonly steps: readonly IndexStep[];
}

export function rowJoin(): RowJoin {
  const open = new Map<string, IndexRow>();
  const steps: IndexStep[] = [];
  return {
    steps,
    add: (bytes, index) => {
      const row = rowOf(bytes, index);
      if (row === undefined) {
        steps.push({ kind: "unreadable" });
        return;
      }
      const decision = row.event === outcomeEvent ? open.get(row.call) : undefined;
      if (decision !== undefined) {
        open.delete(row.call);
        decision.last = index;
        decision.verdict = row.verdict;
        return;
      }
      if (row.event === decisionEvent) open.set(row.call, row);
      steps.push({ kind: row.event === outcomeEvent ? "outcome" : "row", row });
    },
  };
}

interface Claimed {
  readonly event_id?: unknown;
  readonly event_type?: unknown;
  readonly occurred_at?: unknown;
  readonly outcome?: unknown;
  readonly principal_id?: unknown;
  readonly tool_name?: unknown;
  readonly extensions?: { readonly [name: string]: unknown };
}

/** What an entry claims: it is read strictly, and its hash compared, when something of it is shown. */
function rowOf(bytes: Uint8Array, first: number): IndexRow | undefined {
  const claimed = parsed(bytes);
  if (claimed === undefined) return undefined;
  const { event_id: id, event_type: event, principal_id: caller, outcome: verdict } = claimed;
  const atUnixMs = Date.parse(String(claimed.occurred_at));
  if (typeof id !== "string" || typeof event !== "string" || typeof caller !== "string") return undefined;
  if (typeof verdict !== "string" || Number.isNaN(atUnixMs)) return undefined;
  const facts = claimed.extensions?.["dev.latticegate/entry"];
  const fact = (name: string): string | null =>
    typeof facts === "object" && facts !== null ? text((facts as Record<string, unknown>)[name]) : null;
  return {
    first,
    last: event === decisionEvent ? null : first,
    atUnixMs,
    call: id.endsWith(`/${event}`) ? id.slice(0, -event.length - 1) : id,
    event,
    caller,
    tool: text(claimed.tool_name),
    server: fact("server"),
    rule: fact("rule"),
    verdict,
    session: fact("session"),
  };
}

function parsed(bytes: Uint8Array): Claimed | undefined {
  try {
    const value: unknown = JSON.parse(
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8"),
    );
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
