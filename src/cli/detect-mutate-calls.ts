/** `latticegate detect mutate calls` */
import { readCallModel } from "../app/detect/calls/call-model-file.ts";
import {
  type CallMutationReport,
  type CallMutationRow,
  mutateCalls,
} from "../app/detect/calls/mutate-calls.ts";
import { readSessions } from "../app/detect/calls/sessions.ts";
import { shippedModel } from "../app/shipped-models.ts";
import { loadTextModel } from "../app/detect/text-models.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Command, CommandCall } from "./command.ts";
import { table } from "./table.ts";

/** Of as many the table takes a minute or two. */
const usualAttacks = 700;

export const detectMutateCalls = {
  options: {
    sessions: {
      type: "string",
      multiple: true,
      value: "FILE",
      help: "Recorded sessions with attacks and benign ones, .jsonl or .jsonl.gz; may be given several times.",
    },
    outputs: {
      type: "string",
      multiple: true,
      value: "FILE",
      help: "What the tools answered, by digest; may be given several times.",
    },
    model: {
      type: "string",
      value: "FILE",
      help: "The call model; the one that comes with the product by default.",
    },
    attacks: {
      type: "string",
      value: "N",
      help: `So many attacks at most, drawn by lot; ${usualAttacks} by default.`,
    },
    seed: { type: "string", value: "N", help: "For what is drawn; 1 by default." },
    json: { type: "boolean", help: "Print it for programs." },
  },
  run: async (call) => {
    const found = [...call.positionals, ...call.rest];
    if (found.length > 0)
      throw new Refusal("bad_config", `Expected options only, found "${found.join(" ")}".`);
    const attacks = numberOf(call, "attacks") ?? usualAttacks;
    const seed = numberOf(call, "seed") ?? 1;
    if (call.text("sessions") === undefined) throw new Refusal("bad_config", "--sessions is missing.");
    const report = mutateCalls({
      sessions: await readSessions({ sessions: call.texts("sessions"), outputs: call.texts("outputs") }),
      model: await readCallModel(call.text("model") ?? shippedModel("calls")),
      texts: await loadTextModel(),
      attacks,
      seed,
    });
    if (call.flag("json")) call.out(JSON.stringify(report, null, 2));
    else for (const line of linesOf(report)) call.out(line);
    return 0;
  },
} as const satisfies Command;

function numberOf(call: CommandCall, option: string): number | undefined {
  const given = call.text(option);
  if (given === undefined) return undefined;
  if (!/^\d{1,9}$/.test(given))
    throw new Refusal("bad_config", `--${option} takes a number, found "${given}".`);
  return Number(given);
}

function linesOf({ recorded, drawn, notFound, rows, benignGates }: CallMutationReport): readonly string[] {
  const benign = Object.values(rows)[0]?.benign ?? 0;
  const head = ["", "attacks", "left out", "AUC", "TPR at 1 %", "hidden", "score", "call", "any"];
  return [
    `${drawn} of ${recorded} attacks against ${benign} benign sessions, nothing known of the caller; with 95 % intervals:`,
    ...table([head, ...Object.entries(rows).map(([name, row]) => cellsOf(name, row))], ""),
    `Left out: what can't be made that way; of ${notFound} the injected text isn't in a result before the harmful call, or only in part.`,
    "The last four: the share in which gates find hidden text or a text score of 0.5 in what the attacker wrote, something in the harmful calls, or any of these.",
    `In all results and calls of benign sessions: ${gateCells(benignGates).join(", ")}.`,
  ];
}

function cellsOf(
  name: string,
  { attacks, leftOut, auc, tpr, intervals, gates }: CallMutationRow,
): readonly string[] {
  return [
    name,
    String(attacks),
    String(leftOut),
    `${auc.toFixed(3)} (${intervals.auc.map((each) => each.toFixed(3)).join("–")})`,
    `${share(tpr["0.01"])} (${intervals.tpr["0.01"].map(share).join("–")})`,
    ...gateCells(gates),
  ];
}

function gateCells({ hidden, score, call, any }: CallMutationRow["gates"]): readonly string[] {
  return [hidden, score, call, any].map(share);
}

function share(value: number): string {
  return value.toFixed(2);
}
