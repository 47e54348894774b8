/** `latticegate detect train text | eval text | eval tools | mutate` */
import path from "node:path";

import { labelledTexts, labelledTools } from "../app/detect/labelled-texts.ts";
import { loadTextModel, makeTextModel, shippedTextModel } from "../app/detect/text-models.ts";
import type { Measure, Rates } from "../detect/evaluation/measure.ts";
import { mutationReport } from "../detect/evaluation/mutation-report.ts";
import { corporaOf, heldOutReport, textReport } from "../detect/evaluation/text-report.ts";
import { toolReport } from "../detect/evaluation/tool-report.ts";
import { scanText } from "../detect/text/scan-text.ts";
import type { TextModel } from "../detect/text/text-model.ts";
import type { LabelledText } from "../detect/text/train-text.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Command, CommandCall } from "./command.ts";
import { table } from "./table.ts";

const jsonOption = { json: { type: "boolean", help: "Print it for programs." } } as const;

export const detectTrainText = {
  options: {
    data: {
      type: "string",
      value: "FOLDER",
      help: "Files of labelled texts, .jsonl or .jsonl.gz (docs/guide/detect-text.md).",
    },
    out: {
      type: "string",
      value: "FILE",
      help: "Where the model goes; models/text.json of this program by default.",
    },
  },
  run: async (call) => {
    const folder = call.text("data");
    if (folder === undefined || call.positionals.length > 0)
      throw new Refusal("bad_config", "Name the folder of labelled texts: --data FOLDER.");
    const out = path.resolve(call.text("out") ?? shippedTextModel);
    const { texts, injections, sha256 } = await makeTextModel(folder, out);
    call.out(`${out}: learned from ${texts} texts, of which ${injections} are injections.`);
    call.out(`sha256 ${sha256}`);
    return 0;
  },
} as const satisfies Command;

/** Each pair of corpora is a model of its own. */
const maxPairs = 400;

export const detectEvalText = {
  options: {
    model: { type: "string", value: "FILE", help: "Another model than the one that is shipped." },
    "leave-one-corpus-out": {
      type: "boolean",
      help: "Score each corpus by models learned from the file's other corpora.",
    },
    ...jsonOption,
  },
  run: async (call) => {
    const texts = await labelledTexts(oneFile(call, "labelled texts"));
    const isHeldOut = call.flag("leave-one-corpus-out");
    if (isHeldOut && call.text("model") !== undefined)
      throw new Refusal("bad_config", "--leave-one-corpus-out learns its own models: leave --model out.");
    if (isHeldOut) checkPairs(corporaOf(texts));
    const model = isHeldOut ? undefined : await loadTextModel(call.text("model"));
    const report = model === undefined ? heldOutReport(texts) : textReport(texts, model);
    if (call.flag("json")) {
      const { byCorpus: bySuite, ...whole } = report;
      const cost = model === undefined ? {} : { usPerCharacter: usPerCharacter(texts, model) };
      call.out(JSON.stringify({ ...whole, bySuite, ...cost, leaveOneCorpusOut: isHeldOut }, null, 2));
      return 0;
    }
    for (const line of lines(report, report.byCorpus)) call.out(line);
    if (isHeldOut)
      call.out("Each corpus is scored by models that saw neither it nor what it is held against.");
    return 0;
  },
} as const satisfies Command;

function usPerCharacter(texts: readonly LabelledText[], model: TextModel): number {
  const began = performance.now();
  for (const { text } of texts) scanText(text, model);
  const chars = texts.reduce((sum, { text }) => sum + text.length, 0);
  return ((performance.now() - began) * 1000) / Math.max(1, chars);
}

function checkPairs(corpora: ReturnType<typeof corporaOf>): void {
  const injections = corpora.filter(({ isInjection }) => isInjection).length;
  if (injections * (corpora.length - injections) <= maxPairs) return;
  throw new Refusal(
    "bad_config",
    `There are ${corpora.length} corpora (src): ${maxPairs} pairs at most can be left out in turn.`,
  );
}

export const detectEvalTools = {
  options: jsonOption,
  run: async (call) => {
    const report = toolReport(await labelledTools(oneFile(call, "tool declarations")));
    if (call.flag("json")) {
      const { byCategory, ...whole } = report;
      call.out(JSON.stringify({ ...whole, bySuite: byCategory, byCategory }, null, 2));
      return 0;
    }
    for (const line of lines(report, report.byCategory)) call.out(line);
    call.out(`Of 1,000 honest declarations ${report.alertsPer1000.toFixed(1)} have a finding.`);
    return 0;
  },
} as const satisfies Command;

export const detectMutate = {
  options: {
    model: { type: "string", value: "FILE", help: "Another model than the one that is shipped." },
    seed: { type: "string", value: "N", help: "For what is drawn; 1 by default." },
    ...jsonOption,
  },
  run: async (call) => {
    const seed = call.text("seed") ?? "1";
    if (!/^\d{1,9}$/.test(seed)) throw new Refusal("bad_config", `--seed takes a number, found "${seed}".`);
    const texts = await labelledTexts(oneFile(call, "labelled texts"));
    const rows = mutationReport(texts, await loadTextModel(call.text("model")), Number(seed));
    if (call.flag("json")) {
      call.out(JSON.stringify(rows, null, 2));
      return 0;
    }
    const head = [...headings, "hidden text found"];
    const cells = Object.entries(rows).map(([name, each]) => [...row(name, each), each.hidden.toFixed(2)]);
    for (const line of table([head, ...cells], "")) call.out(line);
    return 0;
  },
} as const satisfies Command;

function oneFile(call: CommandCall, what: string): string {
  const [file, ...more] = call.positionals;
  if (file !== undefined && more.length === 0) return file;
  throw new Refusal("bad_config", `Name one file of ${what}.`);
}

const headings = ["", "attacks", "benign", "AUC", "TPR at 5 %", "at 1 %", "at 0.1 %"];

function lines(whole: Measure, parts: Readonly<Record<string, Measure>>): readonly string[] {
  return [
    "With 95 % intervals:",
    ...table(
      [headings, row("all", whole), ...Object.entries(parts).map(([name, each]) => row(name, each))],
      "",
    ),
  ];
}

function row(name: string, { auc, tpr, attacks, benign, intervals }: Measure): readonly string[] {
  const rate = (at: keyof Rates<number>): string =>
    `${tpr[at].toFixed(2)} (${intervals.tpr[at].map((each) => each.toFixed(2)).join("–")})`;
  const area = `${auc.toFixed(3)} (${intervals.auc.map((each) => each.toFixed(3)).join("–")})`;
  return [name, String(attacks), String(benign), area, rate("0.05"), rate("0.01"), rate("0.001")];
}
