/** Counts calls when they are over, and entries of the audit log when they are written. */
import { type BoundedMetrics, other } from "../../host/metrics/bounded-metrics.ts";
import type { EntryDraft } from "../../model/entry.ts";
import { knownMethod, knownTools } from "./bounded-names.ts";
import type { EndedCall } from "./followed-calls.ts";
import type { metricTable } from "./metric-table.ts";

export type Metrics = BoundedMetrics<typeof metricTable>;

interface Options {
  readonly metrics: Metrics;
  /** Servers and virtual servers of the config. */
  readonly servers: ReadonlySet<string>;
  readonly isPinned: (server: string, tool: string) => boolean;
  /** Whether callers are named. */
  readonly callers: boolean;
}

export interface Counting {
  readonly ended: (ended: EndedCall) => void;
  readonly written: (entry: EntryDraft) => void;
}

export function counting({ metrics, servers, isPinned, callers }: Options): Counting {
  const tools = knownTools(isPinned);
  return {
    ended: (ended) => {
      const { outcome, decision } = ended;
      const verdict = verdictOf(ended);
      const said = outcome.facts["server"] ?? "";
      const server = servers.has(said) ? said : other;
      const answered = outcome.outcome === "allowed" && outcome.facts["answer"] !== "failed";
      metrics.add("latticegate_calls_total", {
        server,
        method: knownMethod(outcome.facts["method"]),
        tool: outcome.tool === null ? "" : tools.named(server, outcome.tool.slice(said.length + 1), answered),
        verdict,
        rule: ruleOf(decision?.facts["rule"]),
        link_group: decision?.facts["link.group"] ?? "",
        risk: riskOf(decision?.facts["risk"]),
      });
      if (callers) metrics.add("latticegate_caller_calls_total", { caller: outcome.principal, verdict });
      const { reason, answer_bytes: bytes = "0" } = outcome.facts;
      if (reason !== undefined) metrics.add("latticegate_refusals_total", { server, reason });
      metrics.add("latticegate_answer_bytes_total", { server }, Number(bytes));
      observeTimes(metrics, ended, { server, verdict });
    },
    written: (entry) => {
      metrics.add("latticegate_entries_total", { event: entry.event, outcome: entry.outcome });
      for (const { kind, source } of findingsIn(entry))
        metrics.add("latticegate_findings_total", { kind, source });
      countEvent(metrics, entry);
    },
  };
}

function observeTimes(
  metrics: Metrics,
  { startMs, decidedMs, journaledMs, forwardedMs, answeredMs, endMs, isWhole }: EndedCall,
  { server, verdict }: { readonly server: string; readonly verdict: string },
): void {
  const wholeMs = endMs - startMs;
  metrics.observe("latticegate_call_duration_seconds", { server, verdict }, wholeMs / 1000);
  if (decidedMs !== undefined) stage(metrics, "judge", decidedMs - startMs);
  if (decidedMs !== undefined && journaledMs !== undefined)
    stage(metrics, "journal", journaledMs - decidedMs);
  if (forwardedMs === undefined || answeredMs === undefined) {
    metrics.observe("latticegate_gateway_duration_seconds", { server }, wholeMs / 1000);
    return;
  }
  const upstreamMs = answeredMs - forwardedMs;
  metrics.observe("latticegate_upstream_duration_seconds", { server }, upstreamMs / 1000);
  if (isWhole === false) return;
  metrics.observe("latticegate_gateway_duration_seconds", { server }, (wholeMs - upstreamMs) / 1000);
}

function stage(metrics: Metrics, name: "judge" | "journal", ms: number): void {
  metrics.observe("latticegate_stage_duration_seconds", { stage: name }, ms / 1000);
}

/** What became of a call, in one word. */
export function verdictOf({ outcome, decision }: Pick<EndedCall, "outcome" | "decision">): string {
  if (outcome.facts["reason"] === "held") return "held";
  if (decision?.outcome === "denied" || outcome.outcome === "denied") return "denied";
  return outcome.outcome === "error" ? "error" : "allowed";
}

/** Restrictions that came of findings have a rule each, which is there for a while. */
export function ruleOf(rule = ""): string {
  return rule.startsWith("response-") ? "response" : rule;
}

/** In which part of the scale a call's risk was; none where nothing watches calls. */
export function riskOf(risk: string | undefined): string {
  if (risk === undefined) return "none";
  const value = Number(risk);
  if (Number.isNaN(value)) return "unknown";
  if (value < 0.3) return "low";
  if (value < 0.6) return "medium";
  return value < 0.85 ? "high" : "critical";
}

/** Most findings of one entry that are counted. */
const maxCounted = 64;

function findingsIn({
  event,
  facts,
}: EntryDraft): readonly { readonly kind: string; readonly source: string }[] {
  if (event === "flow.finding") return [{ kind: facts["kind"] ?? other, source: "flow" }];
  if (event === "tools.finding") return [{ kind: facts["kind"] ?? other, source: "tools" }];
  return [...kindsIn(facts["findings"], "call"), ...kindsIn(facts["answer_findings"], "answer")];
}

/** As entries write them: `kind` or `kind=place`, with spaces between. */
function kindsIn(text: string | undefined, source: string) {
  if (text === undefined || text === "") return [];
  return text.split(" ", maxCounted).map((each) => ({ kind: each.split("=", 1)[0] ?? "", source }));
}

function countEvent(metrics: Metrics, { event, facts }: EntryDraft): void {
  if (event.startsWith("response.")) {
    const action = facts["action"] ?? "";
    metrics.add("latticegate_responses_total", { action, event: event.slice("response.".length) });
  }
  const times = Number(facts["times"] ?? 1);
  if (event === "link.regressed") {
    const evidence = facts["evidence"] === "unproven" ? "unproven" : "proven";
    for (const kind of regressionsIn(facts["regressions"]))
      metrics.add("latticegate_link_regressions_total", { kind, evidence }, times);
  }
  if (event === "identity.refuse") {
    metrics.add("latticegate_refused_identities_total", { how: facts["how"] ?? "" }, times);
  }
}

/** As entries write them: `kind:confidence`, with spaces between. */
function regressionsIn(text = ""): readonly string[] {
  return text === "" ? [] : text.split(" ", maxCounted).map((each) => each.split(":", 1)[0] ?? "");
}
