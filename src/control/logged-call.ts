/** A call as its two audit entries have it, decision and outcome, and what people see of it in a list. */
import type { EntryDraft } from "../model/entry.ts";

/** An entry, about to be written or read from the log. */
export type WrittenEntry = Omit<EntryDraft, "event">;

/** INVARIANT: one of them is there. A call that was refused before anything was decided has an outcome alone. */
export interface LoggedCall {
  readonly decision?: WrittenEntry;
  readonly outcome?: WrittenEntry;
}

export type CallVerdict = "allowed" | "denied" | "held" | "error";

/** The link a call came on, as far as its entries say it. */
export interface CallLink {
  readonly keyExchange: "hybrid" | "classical" | "unknown";
  readonly group: string | null;
  readonly level: number | null;
  readonly certificate: string | null;
}

/** A call in a list, and on the live stream. */
export interface ListedCall {
  readonly callId: string;
  readonly atUnixMs: number;
  readonly caller: string;
  readonly server: string;
  readonly what: string;
  readonly tool: string | null;
  readonly method: string;
  readonly verdict: CallVerdict;
  readonly isUnderWay: boolean;
  readonly rule: string | null;
  readonly outcome: string | null;
  readonly ms: number | null;
  readonly risk: number | null;
  readonly findings: readonly string[];
  readonly link: CallLink;
  readonly requestBytes: number | null;
  readonly answerBytes: number | null;
}

export function listedCall(call: LoggedCall): ListedCall {
  const { decision, outcome } = call;
  const first = decision ?? outcome;
  if (first === undefined) throw new Error("a call without entries");
  const facts = decision?.facts ?? {};
  const ending = outcome?.facts ?? {};
  const server = first.facts["server"] ?? "";
  const method = first.facts["method"] ?? "";
  return {
    callId: first.callId,
    atUnixMs: first.atUnixMs,
    caller: first.principal,
    server,
    what: first.tool ?? `${server} ${method}`.trim(),
    tool: first.tool,
    method,
    verdict: verdictOf(call),
    isUnderWay: outcome === undefined,
    rule: facts["rule"] ?? null,
    outcome: outcome === undefined ? null : endedHow(outcome),
    ms: numberIn(ending["duration_ms"]),
    risk: numberIn(facts["risk"]),
    findings: [
      ...new Set(
        [...kindsIn(facts["findings"]), ...kindsIn(ending["answer_findings"])].map(({ kind }) => kind),
      ),
    ],
    link: linkOf(decision),
    requestBytes: numberIn(facts["request_bytes"]),
    answerBytes: numberIn(ending["answer_bytes"]),
  };
}

/** What became of it; of one that is under way, what was decided. */
export function verdictOf({ decision, outcome }: LoggedCall): CallVerdict {
  if (outcome?.facts["reason"] === "held") return "held";
  if (decision?.outcome === "denied" || outcome?.outcome === "denied") return "denied";
  return outcome?.outcome === "error" ? "error" : "allowed";
}

export function linkOf(decision: WrittenEntry | undefined): CallLink {
  const facts = decision?.facts ?? {};
  const group = facts["link.group"] ?? null;
  return {
    keyExchange: group === null ? "unknown" : facts["link.pq"] === "true" ? "hybrid" : "classical",
    group,
    level: numberIn(facts["link.level"]),
    certificate: facts["peer.cert.alg"] ?? null,
  };
}

interface FoundKind {
  readonly kind: string;
  /** Where in the call or the answer. */
  readonly at: string | null;
}

const maxKinds = 64;

/** As entries write them: `kind` or `kind=place`, with spaces between. */
export function kindsIn(text: string | undefined): readonly FoundKind[] {
  if (text === undefined || text === "") return [];
  return text.split(" ", maxKinds).map((each) => {
    const at = each.indexOf("=");
    return at < 0 ? { kind: each, at: null } : { kind: each.slice(0, at), at: each.slice(at + 1) };
  });
}

function endedHow({ facts }: WrittenEntry): string {
  return facts["reason"] ?? (facts["answer"] === "failed" ? "answer says it failed" : "answered");
}

/** Null also for what isn't known: `unknown`. */
export function numberIn(text: string | undefined): number | null {
  const value = text === undefined ? Number.NaN : Number(text);
  return Number.isFinite(value) ? value : null;
}
