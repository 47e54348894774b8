/** `latticegate detect train calls`, `detect calibrate`, `detect eval calls` */
import { fileURLToPath } from "node:url";

import { digestsOf, filesIn, readCallModel, writeCallModel } from "../app/detect/calls/call-model-file.ts";
import { evaluateCalls } from "../app/detect/calls/evaluate-calls.ts";
import { calibrateCalls, trainCalls } from "../app/detect/calls/learn-calls.ts";
import { readSessions } from "../app/detect/calls/sessions.ts";
import { Refusal } from "../kernel/refusal.ts";
import { callsReportText } from "./calls-report.ts";
import type { Command, CommandCall } from "./command.ts";

const shippedModel = fileURLToPath(new URL("../../models/calls.json", import.meta.url));
const baselineUses = ["novel", "recurring", "none"] as const;

const fileOptions = {
  sessions: {
    type: "string",
    multiple: true,
    value: "FILE",
    help: "Recorded sessions, .jsonl or .jsonl.gz; may be given several times.",
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
    help: "The model; the one that comes with the product by default.",
  },
} as const;

export const detectTrainCalls = {
  options: {
    data: {
      type: "string",
      value: "FOLDER",
      help: "Has agentdojo/dev, livemcp/dev and tau/dev, or some of them.",
    },
    out: { type: "string", value: "FILE", help: "Where it is written; models/calls.json by default." },
  },
  run: async (call) => {
    alone(call);
    const folder = needed(call, "data");
    const out = call.text("out") ?? "models/calls.json";
    const files = await filesIn(folder);
    const sessions = await readSessions(files);
    const trainedOn = await digestsOf(folder, [...files.sessions, ...files.outputs]);
    const model = trainCalls(sessions, (part) => call.doing(`Training ${part}`));
    call.out(`${out} ${await writeCallModel(out, model, trainedOn)}`);
    return 0;
  },
} as const satisfies Command;

export const detectCalibrate = {
  options: {
    ...fileOptions,
    out: { type: "string", value: "FILE", help: "Where the calibrated model is written." },
  },
  run: async (call) => {
    alone(call);
    const out = needed(call, "out");
    const files = sessionFiles(call);
    const sessions = await readSessions(files);
    const benign = sessions.filter(({ kind, calls }) => kind === "benign" && calls.length > 0).length;
    if (benign === 0)
      throw new Refusal("bad_config", "There is no benign session with a call in these files.");
    const { trainedOn, ...model } = await readCallModel(call.text("model") ?? shippedModel);
    const digests = await digestsOf(".", [...files.sessions, ...files.outputs]);
    const digest = await writeCallModel(out, calibrateCalls(model, sessions), [...trainedOn, ...digests]);
    call.out(`${out} ${digest}`);
    call.out(
      benign < 999
        ? `${benign} benign sessions: a risk of 0.9 stays out of reach below 999.`
        : `${benign} benign sessions.`,
    );
    return 0;
  },
} as const satisfies Command;

export const detectEvalCalls = {
  options: {
    ...fileOptions,
    baseline: {
      type: "string",
      value: "USE",
      help: "What is known of a caller: other tasks (novel, as by default), the same tasks run by other models (recurring), or nothing (none).",
    },
    prompt: { type: "boolean", help: "Let the model see the user's prompt." },
    "leave-out-suite": {
      type: "boolean",
      help: "Judge each suite with a model learned from the others of these files, not with the given one.",
    },
    json: { type: "boolean", help: "As JSON." },
  },
  run: async (call) => {
    alone(call);
    const given = call.text("baseline") ?? "novel";
    const baseline = baselineUses.find((use) => use === given);
    if (baseline === undefined)
      throw new Refusal("bad_config", `--baseline takes ${baselineUses.join(", ")}; found "${given}".`);
    const sessions = await readSessions(sessionFiles(call));
    const report = evaluateCalls({
      sessions,
      model: await readCallModel(call.text("model") ?? shippedModel),
      baseline,
      withPrompt: call.flag("prompt"),
      leavesOutSuite: call.flag("leave-out-suite"),
      nowUs: () => performance.now() * 1000,
    });
    if (call.flag("json")) call.out(JSON.stringify(report, null, 2));
    else for (const line of callsReportText(report)) call.out(line);
    return 0;
  },
} as const satisfies Command;

function sessionFiles(call: CommandCall): {
  readonly sessions: readonly string[];
  readonly outputs: readonly string[];
} {
  needed(call, "sessions");
  return { sessions: call.texts("sessions"), outputs: call.texts("outputs") };
}

function needed(call: CommandCall, option: string): string {
  const value = call.text(option);
  if (value === undefined) throw new Refusal("bad_config", `--${option} is missing.`);
  return value;
}

function alone(call: CommandCall): void {
  const found = [...call.positionals, ...call.rest];
  if (found.length > 0) throw new Refusal("bad_config", `Expected options only, found "${found.join(" ")}".`);
}
