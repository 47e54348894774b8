/** `latticegate audit tail | show | verify` */
import { readFile } from "node:fs/promises";

import { followLog, findCall, lastEntries, verifyLogFolder, type LoggedEntry } from "../app/log-verification.ts";
import { loadConfig } from "../app/config.ts";
import { statePaths } from "../app/state-folder.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Command, type CommandCall, configFile, configOption } from "./command.ts";

const logOption = {
  log: { type: "string", value: "FOLDER", help: "The log, or a copy of it; by default that of the config's gateway." },
} as const;

export const auditTail = {
  name: "audit tail",
  arguments: "",
  summary: "Print the last entries of the audit log.",
  options: {
    ...configOption,
    ...logOption,
    lines: { type: "string", value: "N", help: "How many; 20 by default." },
    follow: { type: "boolean", help: "Go on printing what is added." },
    json: { type: "boolean", help: "Print entries as they stand in the log." },
  },
  run: async (call) => {
    const folder = logFolder(call);
    const show = (entry: LoggedEntry): void => call.out(call.flag("json") ? entry.text : entryLine(entry));
    const lines = Number(call.text("lines") ?? 20);
    if (!Number.isInteger(lines) || lines < 0) throw new Refusal("bad_config", "--lines takes a whole number.");
    const shown = await lastEntries(folder, lines);
    for (const entry of shown) show(entry);
    if (call.flag("follow")) for await (const entry of followLog(folder, shown.at(-1)?.index ?? -1)) show(entry);
    return 0;
  },
} as const satisfies Command;

export const auditShow = {
  name: "audit show",
  arguments: "CALL-ID",
  summary: "Print everything the audit log says about one call.",
  options: { ...configOption, ...logOption },
  run: async (call) => {
    const [callId] = call.positionals;
    if (callId === undefined) throw new Refusal("bad_config", "Name the call's id; `latticegate audit tail` shows them.");
    const entries = await findCall(logFolder(call), callId);
    for (const entry of entries) call.out(`entry ${entry.index}\n${entry.pretty}`);
    if (entries.length === 0) call.out(`The log says nothing about ${callId}.`);
    return entries.length === 0 ? 1 : 0;
  },
} as const satisfies Command;

export const auditVerify = {
  name: "audit verify",
  arguments: "",
  summary: "Check a log, or a copy, with nothing but its public key: names what was changed, removed, reordered or cut.",
  options: {
    ...configOption,
    ...logOption,
    key: { type: "string", value: "FILE", help: "The log's public key; by default log-key.txt of the state folder." },
    seen: { type: "string", value: "FILE", help: "A checkpoint kept from earlier: detects a log rolled back behind it." },
  },
  run: async (call) => {
    const key = call.text("key") ?? statePaths(loadConfig(configFile(call)).state).logKey;
    const seenFile = call.text("seen");
    const seen = seenFile === undefined ? undefined : await readCheckpoint(seenFile);
    const verdict = await verifyLogFolder({ folder: logFolder(call), key, ...(seen !== undefined && { seen }) });
    if (verdict.kind === "intact") {
      call.out(`intact: ${verdict.size} entries under the head of ${verdict.headAt}`);
      if (verdict.uncovered > 0) call.out(`${verdict.uncovered} more entries aren't under a head yet; their chain is whole`);
      return 0;
    }
    for (const { what, text } of verdict.findings) call.out(`${what}: ${text}`);
    return 1;
  },
} as const satisfies Command;

function logFolder(call: CommandCall): string {
  return call.text("log") ?? statePaths(loadConfig(configFile(call)).state).log;
}

async function readCheckpoint(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new Refusal("bad_config", `${file} can't be read.`, { cause });
  }
}

function entryLine(entry: LoggedEntry): string {
  const { facts } = entry;
  const what = entry.tool ?? [facts["server"], facts["method"]].filter((part) => part !== undefined).join(" ");
  const how = [facts["rule"] && `rule=${facts["rule"]}`, facts["reason"] && `reason=${facts["reason"]}`, facts["duration_ms"] && `${facts["duration_ms"]} ms`]
    .filter((part) => typeof part === "string" && part !== "")
    .join(" ");
  return [String(entry.index).padStart(6), entry.occurredAt, entry.event.padEnd(15), entry.outcome.padEnd(8), entry.principal, what, how, entry.callId]
    .filter((part) => part !== "")
    .join("  ");
}
