/** `latticegate detect watch | report` */
import { writeFile } from "node:fs/promises";

import { readCallModel } from "../app/detect/calls/call-model-file.ts";
import { shippedModel } from "../app/shipped-models.ts";
import { jsonLines } from "../app/detect/json-lines.ts";
import { loadTextModel } from "../app/detect/text-models.ts";
import { Mirror, type MirroredCall } from "../app/detect/mirror.ts";
import { reportPage } from "../app/detect/report-page.ts";
import { noHabits } from "../detect/habits.ts";
import { strangersMostRisk, watchedSessions } from "../detect/watched-sessions.ts";
import { Refusal } from "../kernel/refusal.ts";
import { printable } from "../kernel/printable.ts";
import { matcher } from "../policy/patterns.ts";
import type { Command, CommandCall } from "./command.ts";

const options = {
  model: {
    type: "string",
    value: "FILE",
    help: "A call model calibrated with sessions of your own; the one that comes with the program by default.",
  },
  "read-only": {
    type: "string",
    value: "SERVER/TOOL",
    multiple: true,
    help: "Tools that only read, e.g. 'crm/get_*'; may be repeated. Without it, none is known to.",
  },
} as const;

export const detectWatch = {
  options: {
    ...options,
    from: { type: "string", value: "RISK", help: "Tell of calls from this risk on, 0 to 1; 0.6 by default." },
    json: { type: "boolean", help: "Print it for programs, one call a line." },
  },
  run: async (call) => {
    const from = riskOf(call);
    let [calls, told, unread] = [0, 0, 0];
    for await (const each of mirrored(call)) {
      if (each.kind === "unreadable") unread++;
      if (each.kind !== "call") continue;
      calls++;
      if (each.call.risk.call < from) continue;
      told++;
      call.out(call.flag("json") ? JSON.stringify(asJson(each.call)) : asText(each.call));
    }
    if (!call.flag("json"))
      call.out(
        `${calls} calls, ${told} from risk ${from} on${unread > 0 ? `; ${unread} lines couldn't be read` : ""}.`,
      );
    return unread > 0 && calls === 0 ? 1 : 0;
  },
} as const satisfies Command;

export const detectReport = {
  options: { ...options, out: { type: "string", value: "FILE", help: "Where to; report.html by default." } },
  run: async (call) => {
    const calls: MirroredCall[] = [];
    let unread = 0;
    for await (const each of mirrored(call)) {
      if (each.kind === "unreadable") unread++;
      if (each.kind === "call" && calls.length < maxCalls) calls.push(each.call);
    }
    const out = call.text("out") ?? "report.html";
    await writeFile(out, reportPage(calls, { source: call.positionals[0] ?? "", unread }));
    call.out(`${out} has ${calls.length} calls.`);
    return 0;
  },
} as const satisfies Command;

/** A page of more isn't read. */
const maxCalls = 1_000_000;

async function* mirrored(call: CommandCall): AsyncGenerator<ReturnType<Mirror["take"]>, void> {
  const [file, ...more] = call.positionals;
  if (file === undefined || more.length > 0)
    throw new Refusal("bad_config", "Name one file with a copy of traffic.");
  const isReadOnly = matcher(call.texts("read-only"));
  const own = call.text("model");
  const model = await readCallModel(own ?? shippedModel("calls"));
  const mostRisk = own === undefined ? strangersMostRisk : 1;
  const watch = watchedSessions({ model, textModel: await loadTextModel(), mostRisk, habits: noHabits });
  const mirror = new Mirror(watch, (server, tool) => isReadOnly(`${server}/${tool}`));
  for await (const line of jsonLines(file)) yield mirror.take(line);
}

/** @throws Refusal `bad_config` */
function riskOf(call: CommandCall): number {
  const text = call.text("from") ?? "0.6";
  const risk = Number(text);
  if (text !== "" && risk >= 0 && risk <= 1) return risk;
  throw new Refusal("bad_config", `--from takes a number from 0 to 1, found "${text}".`);
}

function asText({ atUnixMs, session, server, tool, risk }: MirroredCall): string {
  const name = printable(`${server}/${tool}`, 128);
  return `${new Date(atUnixMs).toISOString()}  ${risk.call.toFixed(2)}  ${printable(session, 64)}  ${name}  ${risk.because}`;
}

function asJson({ atUnixMs, session, caller, server, tool, risk }: MirroredCall): object {
  const { call, session: ofSession, source, because, parts } = risk;
  return {
    at: new Date(atUnixMs).toISOString(),
    session,
    caller,
    server,
    tool,
    risk: call,
    session_risk: ofSession,
    source,
    because,
    parts,
  };
}
