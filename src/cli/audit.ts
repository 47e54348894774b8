/** `latticegate audit tail | show | verify` */
import { loadConfig } from "../app/config.ts";
import { verifyLogFolder } from "../app/log-verification.ts";
import { statePaths } from "../app/state-folder.ts";
import type { Entry } from "../audit/entry.ts";
import type { GenerationSpan } from "../audit/verify.ts";
import { type LoggedEntry, openLogReader } from "../host/store/log-reader.ts";
import { Refusal } from "../kernel/refusal.ts";
import { brokenOption, renewalLine, verifyWithout } from "./audit-broken.ts";
import { type Command, type CommandCall, configFile, configOption } from "./command.ts";

const logOption = {
  log: {
    type: "string",
    value: "FOLDER",
    help: "The log, or a copy of it; by default that of the config's gateway.",
  },
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
    const reader = openLogReader(logFolder(call));
    const show = (entry: LoggedEntry): void => call.out(call.flag("json") ? textOf(entry) : line(entry));
    const lines = Number(call.text("lines") ?? 20);
    if (!Number.isInteger(lines) || lines < 0)
      throw new Refusal("bad_config", "--lines takes a whole number.");
    const size = await reader.size();
    for await (const entry of reader.forwards(Math.max(0, size - lines))) show(entry);
    if (call.flag("follow")) for await (const entry of reader.follow(size)) show(entry);
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
    if (callId === undefined)
      throw new Refusal("bad_config", "Name the call's id; `latticegate audit tail` shows them.");
    const entries = await openLogReader(logFolder(call)).find(callId);
    for (const entry of entries)
      call.out(`entry ${entry.index}\n${JSON.stringify(JSON.parse(textOf(entry)), null, 2)}`);
    if (entries.length === 0) call.out(`The log says nothing about ${callId}.`);
    return entries.length === 0 ? 1 : 0;
  },
} as const satisfies Command;

export const auditVerify = {
  name: "audit verify",
  arguments: "",
  summary:
    "Check a log, or a copy, with nothing but its public key: names what was changed, removed, reordered or cut.",
  options: {
    ...configOption,
    ...logOption,
    key: {
      type: "string",
      value: "FILE",
      help: "The log's public key; by default log-key.txt of the state folder.",
    },
    seen: {
      type: "string",
      value: "FILE",
      help: "A checkpoint kept from earlier: detects a log rolled back behind it.",
    },
    ...brokenOption,
  },
  run: async (call) => {
    const key = call.text("key") ?? statePaths(loadConfig(configFile(call)).state).logKey;
    const seen = call.text("seen");
    const what = { folder: logFolder(call), key, ...(seen !== undefined && { seen }) };
    if (call.texts("broken").length > 0) return await verifyWithout(call, what);
    const verdict = await verifyLogFolder(what);
    if (verdict.kind === "broken") {
      for (const { what, text } of verdict.findings) call.out(`${what}: ${text}`);
      return 1;
    }
    call.out(
      `intact: ${verdict.size} entries under the head of ${verdict.headAt}, signed by ${verdict.signedBy.join(", ")}`,
    );
    if (verdict.generations.length > 1) call.out(`keys: ${verdict.generations.map(generation).join(", ")}`);
    for (const renewal of verdict.renewals) call.out(`renewed: ${renewalLine(renewal)}`);
    if (verdict.uncovered > 0)
      call.out(`${verdict.uncovered} more entries aren't under a head yet; their chain is whole`);
    return 0;
  },
} as const satisfies Command;

function generation({ number, toSize, isGiven }: GenerationSpan): string {
  const heads = toSize === undefined ? "since" : `to ${toSize} entries`;
  return `generation ${number} ${heads}${isGiven ? " (given)" : ""}`;
}

function logFolder(call: CommandCall): string {
  return call.text("log") ?? statePaths(loadConfig(configFile(call)).state).log;
}

function textOf(entry: LoggedEntry): string {
  return new TextDecoder().decode(entry.bytes);
}

function line(logged: LoggedEntry): string {
  const { index, reading } = logged;
  if (reading.kind === "unreadable") return `${String(index).padStart(6)}  unreadable: ${reading.why}`;
  const { entry } = reading;
  const when = new Date(entry.atUnixMs).toISOString();
  const head = [
    String(index).padStart(6),
    when,
    entry.event.padEnd(13),
    entry.outcome.padEnd(7),
    entry.principal,
  ];
  return [...head, what(entry), ...details(entry), entry.callId].filter((part) => part !== "").join("  ");
}

function what({ tool, facts }: Entry): string {
  return tool ?? [facts["server"], facts["method"]].filter((part) => part !== undefined).join(" ");
}

function details({ facts }: Entry): readonly string[] {
  return (["rule", "reason", "status", "duration_ms", "chain", "to", "session"] as const).flatMap((name) => {
    const value = facts[name];
    return value === undefined ? [] : [`${name}=${value}`];
  });
}
