/** A model of flows held against recorded ones whose labels say what they are. */
import { type FlowReport, flowReport, type ScoredFlow } from "../../detect/evaluation/flow-report.ts";
import { type FlowModel, flowScorer } from "../../detect/flows/flow-model.ts";
import { isByQuotedRule } from "../../detect/flows/quoted-rule.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { recordedFlows } from "./recorded-flows.ts";

export interface FlowEvaluation extends FlowReport {
  /** Of reading it into the window and judging the flow, by record. */
  readonly usPerRecord: number;
}

/** @throws Refusal `bad_config` */
export async function evaluateFlows(file: string, model: FlowModel): Promise<FlowEvaluation> {
  const score = flowScorer(model);
  const scored: ScoredFlow[] = [];
  let [spentMs, records] = [0, 0];
  for await (const flow of recordedFlows(file)) {
    const startMs = performance.now();
    const verdict = score(flow.summary);
    spentMs += performance.now() - startMs + flow.spentMs;
    records += flow.records;
    scored.push({
      label: flow.label,
      score: verdict.score,
      risk: verdict.risk,
      byRule: isByQuotedRule(flow.summary),
    });
  }
  const report = flowReport(scored);
  if (report.benign === 0) throw new Refusal("bad_config", `${file} has no flow with the label "benign".`);
  return { ...report, usPerRecord: (spentMs * 1000) / records };
}
