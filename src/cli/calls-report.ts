/** What `detect eval calls` found, for a terminal. */
import type { CallsReport, Separation } from "../app/detect/calls/evaluate-calls.ts";
import { table } from "./table.ts";

export function callsReportText(report: CallsReport): readonly string[] {
  const { alertsPer1000, calibration, usPerCall, apart } = report;
  const rows = Object.entries(report.bySuite).filter(([, { attacks }]) => attacks > 0);
  const all = [...rows, ["all", report] as const];
  return [
    ...table([
      ["suite", "against", "AUC", "TPR@5 %", "TPR@1 %", "TPR@0.1 %", "benign", "attacks"],
      ...all.flatMap(([name, suite]) => [
        line(name, "benign", suite),
        line("", "and resisted", suite.withResisted),
      ]),
    ]),
    "",
    `Benign calls at risk 0.6: ${alertOf(alertsPer1000["0.6"])}; at 0.9: ${alertOf(alertsPer1000["0.9"])}.`,
    `Calibrated on ${calibration.sessions} sessions (${calibration.method}): the highest risk is ${calibration.highestRisk.toFixed(2)}.`,
    `A call took ${usPerCall.median} us in the middle, ${usPerCall.p99} us at most in 99 of 100.`,
    `Apart: ${apart.goalAsUser} goals asked for by the user, ${apart.noCall} attacks without a call, ${apart.partial} partial, ${apart.excluded} excluded, ${apart.withoutCalls} sessions without calls.`,
  ];
}

function line(name: string, against: string, { auc, tpr, benign, attacks, intervals }: Separation): string[] {
  const cells = [
    [auc, intervals.auc] as const,
    [tpr["0.05"], intervals.tpr["0.05"]] as const,
    [tpr["0.01"], intervals.tpr["0.01"]] as const,
    [tpr["0.001"], intervals.tpr["0.001"]] as const,
  ].map(([value, range]) =>
    value === null
      ? "-"
      : `${value.toFixed(3)}${range === null ? "" : ` (${range[0].toFixed(2)}-${range[1].toFixed(2)})`}`,
  );
  return [name, against, ...cells, String(benign), String(attacks)];
}

function alertOf({ per1000, alerts, calls }: CallsReport["alertsPer1000"]["0.6"]): string {
  return per1000 === null ? "none to count" : `${per1000.toFixed(2)} of 1,000 (${alerts} of ${calls})`;
}
