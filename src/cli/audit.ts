/** `latticegate audit tail | show | verify` */
import { loadConfig } from "../app/config.ts";
import { verifyLogFolder } from "../app/log-verification.ts";
import { statePaths } from "../app/state-folder.ts";
import type { Naming } from "../app/subject-names.ts";
import { type Entry, entryExtension } from "../audit/entry.ts";
import { listWitnesses } from "../app/witness-list.ts";
import type { GenerationSpan } from "../audit/verify.ts";
import type { LoggedEntry } from "../host/store/log-reader.ts";
import { Refusal } from "../kernel/refusal.ts";
import { brokenOption, renewalLine, verifyWithout } from "./audit-broken.ts";
import { type Command, type CommandCall, configFile, configOption } from "./command.ts";
import { logFolder, namingOptions, placeOptions } from "./log-place.ts";
import { readLog, type ReadLog } from "./read-log.ts";
import { remoteOption } from "./room.ts";
import { jsonText } from "./tools-text.ts";

const logOption = {
  log: {
    type: "string",
    value: "FOLDER",
    help: "The log, or a copy of it; by default that of the config's gateway.",
  },
} as const;

export const auditTail = {
  options: {
    ...placeOptions,
    ...remoteOption,
    ...logOption,
    ...namingOptions,
    lines: { type: "string", value: "N", help: "How many; 20 by default." },
    follow: { type: "boolean", help: "Go on printing what is added." },
    json: { type: "boolean", help: "Print entries as they stand in the log." },
  },
  run: async (call) => {
    const lines = Number(call.text("lines") ?? 20);
    if (!Number.isInteger(lines) || lines < 0)
      throw new Refusal("bad_config", "--lines takes a whole number.");
    const isJson = call.flag("json");
    const work = async (log: ReadLog): Promise<number> => {
      if (isJson) return await tail(call, log, { lines, show: textOf });
      await tellRemoved(log, Math.max(0, (await log.size()) - lines), call);
      return await tail(call, log, { lines, show: (entry) => line(entry, log.named) });
    };
    return await readLog(call, work, isJson);
  },
} as const satisfies Command;

async function tail(
  call: CommandCall,
  log: ReadLog,
  { lines, show }: { readonly lines: number; readonly show: (entry: LoggedEntry) => string },
): Promise<number> {
  const from = Math.max(0, (await log.size()) - lines);
  const entries = call.flag("follow") ? log.follow(from) : log.forwards(from);
  for await (const entry of entries) call.out(show(entry));
  return 0;
}

export const auditShow = {
  options: {
    ...placeOptions,
    ...remoteOption,
    ...logOption,
    ...namingOptions,
    json: { type: "boolean", help: "Print JSON." },
  },
  run: async (call) => {
    const [callId] = call.positionals;
    if (callId === undefined)
      throw new Refusal("bad_config", "Name the call's id; `latticegate audit tail` shows them.");
    return await readLog(call, async (log) => {
      const entries = await log.find(callId);
      const records = entries.map((entry) => ({ index: entry.index, text: recordText(entry, log.named) }));
      if (call.flag("json"))
        call.out(
          jsonText(records.map(({ index, text }) => ({ index, record: JSON.parse(text) as unknown }))),
        );
      else for (const { index, text } of records) call.out(`entry ${index}\n${text}`);
      if (entries.length === 0 && !call.flag("json")) {
        call.out(`The log says nothing about ${callId}.`);
        await tellRemoved(log, 0, call);
      }
      return entries.length === 0 ? 1 : 0;
    });
  },
} as const satisfies Command;

export const auditVerify = {
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
    const verdict = await verifyLogFolder({
      ...what,
      onEntries: (done, all) => call.doing(`Verifying the log: ${done} of ${all} entries`),
    });
    if (verdict.kind === "broken") {
      for (const { what, text } of verdict.findings) call.out(`${what}: ${text}`);
      return 1;
    }
    call.out(
      `intact: ${verdict.size} entries under the head of ${verdict.headAt}, signed by ${verdict.signedBy.join(", ")}`,
    );
    if (verdict.pruned > 0)
      call.out(
        `${verdict.pruned} of them were removed by retention, as the log says; their hashes are whole`,
      );
    if (verdict.generations.length > 1) call.out(`keys: ${verdict.generations.map(generation).join(", ")}`);
    for (const renewal of verdict.renewals) call.out(`renewed: ${renewalLine(renewal)}`);
    if (verdict.uncovered > 0)
      call.out(`not under a head yet: ${verdict.uncovered} more, their chain is whole`);
    return await witnesses(call);
  },
} as const satisfies Command;

/** Their keys are nobody's word but their own: those you know speak for you. */
async function witnesses(call: CommandCall): Promise<number> {
  const found = await listWitnesses(logFolder(call), undefined);
  if (found.length === 0) return 0;
  const others = found.filter(({ agrees }) => agrees === false);
  for (const { name, size } of others) {
    call.out(`witness: ${name} cosigned ${size} entries of another history than this log has`);
  }
  const largest = Math.max(...found.map(({ size }) => size));
  call.out(`cosigned by ${found.length} witness${found.length === 1 ? "" : "es"}, up to ${largest} entries`);
  return others.length === 0 ? 0 : 1;
}

function generation({ number, toSize, isGiven }: GenerationSpan): string {
  const heads = toSize === undefined ? "since" : `to ${toSize} entries`;
  return `generation ${number} ${heads}${isGiven ? " (given)" : ""}`;
}

/** If what was asked for, from that entry on, begins before the first that is there. */
async function tellRemoved(log: ReadLog, from: number, call: CommandCall): Promise<void> {
  const { first, text } = await log.beginning();
  if (first > from && text !== undefined) call.out(text);
}

function textOf(entry: LoggedEntry): string {
  return new TextDecoder().decode(entry.bytes);
}

/** The whole record; with names, what it says of people isn't what its hashes are over. */
function recordText(logged: LoggedEntry, named: Naming): string {
  const record = JSON.parse(textOf(logged)) as Record<string, unknown>;
  const { reading } = logged;
  if (reading.kind === "unreadable") return JSON.stringify(record, null, 2);
  const { principal, facts } = named(reading.entry);
  const extensions = { ...(record["extensions"] as object), [entryExtension]: facts };
  return JSON.stringify({ ...record, extensions, principal_id: principal }, null, 2);
}

function line(logged: LoggedEntry, named: Naming): string {
  const { index, reading } = logged;
  if (reading.kind === "unreadable") return `${String(index).padStart(6)}  unreadable: ${reading.why}`;
  const entry = named(reading.entry);
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
