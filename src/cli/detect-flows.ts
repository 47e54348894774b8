/** `latticegate detect train flows | eval flows` */
import path from "node:path";

import { evaluateFlows, type FlowEvaluation } from "../app/detect/eval-flows.ts";
import { loadFlowModel, makeFlowModel, shippedFlowModel } from "../app/detect/flow-models.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Command } from "./command.ts";
import { table } from "./table.ts";

export const detectTrainFlows = {
  options: {
    data: {
      type: "string",
      value: "FOLDER",
      help: "Files of recorded flows, .jsonl or .jsonl.gz (docs/guide/detect-flows.md).",
    },
    out: {
      type: "string",
      value: "FILE",
      help: "Where the model goes; models/flows.json of this program by default.",
    },
  },
  run: async (call) => {
    const folder = call.text("data");
    if (folder === undefined || call.positionals.length > 0) {
      throw new Refusal("bad_config", "Name the folder of recorded flows: --data FOLDER.");
    }
    const out = path.resolve(call.text("out") ?? shippedFlowModel);
    const { flows, leftOut, sha256 } = await makeFlowModel(folder, out);
    call.out(`${out}: learned from ${flows} benign flows, ${leftOut} others left out.`);
    call.out(`sha256 ${sha256}`);
    return 0;
  },
} as const satisfies Command;

export const detectEvalFlows = {
  options: {
    model: { type: "string", value: "FILE", help: "Another model than the one that is shipped." },
    json: { type: "boolean", help: "Print it for programs." },
  },
  run: async (call) => {
    const [file, ...more] = call.positionals;
    if (file === undefined || more.length > 0) {
      throw new Refusal("bad_config", "Name one file of recorded flows.");
    }
    const found = await evaluateFlows(file, await loadFlowModel(call.text("model")));
    if (call.flag("json")) call.out(JSON.stringify(found, null, 2));
    else for (const line of reportLines(found)) call.out(line);
    return 0;
  },
} as const satisfies Command;

function reportLines({
  benign,
  classes,
  benignAtRisk,
  baseline,
  usPerRecord,
}: FlowEvaluation): readonly string[] {
  const rows = Object.entries(classes).map(([name, { n, auc, tpr, intervals }]) => [
    name,
    String(n),
    `${auc.toFixed(3)} (${intervals.auc.map((each) => each.toFixed(3)).join("–")})`,
    ...(["0.05", "0.01", "0.001"] as const).map(
      (rate) => `${tpr[rate].toFixed(2)} (${intervals.tpr[rate].map((each) => each.toFixed(2)).join("–")})`,
    ),
    (baseline.classes[name]?.tpr ?? 0).toFixed(2),
  ]);
  return [
    `${benign} benign flows. With 95 % intervals:`,
    ...table([["", "n", "AUC", "TPR at 5 %", "at 1 %", "at 0.1 %", "quoted rule"], ...rows], ""),
    `Benign flows at risk 0.6 or above: ${(100 * benignAtRisk["0.6"]).toFixed(2)} %; at 0.9: ${(100 * benignAtRisk["0.9"]).toFixed(2)} %.`,
    `The quoted rule is: ${baseline.rule}; it flags ${(100 * baseline.fpr).toFixed(1)} % of benign flows.`,
    `${usPerRecord.toFixed(2)} us for each record.`,
  ];
}
