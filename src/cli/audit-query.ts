/** `latticegate audit query` */
import { type AuditQuestion, type FoundCall, searchLog } from "../app/audit-query.ts";
import { statePaths } from "../app/state-folder.ts";
import type { Naming } from "../app/subject-names.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Command, CommandCall } from "./command.ts";
import { asCsv, asEntries, asJsonLines, asTable } from "./found-calls.ts";
import { logFolder, namingOptions, placeIn, placeOptions, withNamesFor, logOption } from "./log-place.ts";
import { remoteLog } from "./read-log.ts";
import { remoteNamed, remoteOption } from "./room.ts";
import { timeOptions, timesOf } from "./time-option.ts";

const note = (line: string): void => console.error(line);
const formats = ["table", "jsonl", "csv"] as const;
const verdicts = ["allowed", "denied", "error"] as const;
const defaultLimit = 100;
/** What is found is held in memory until it is printed. */
const maxLimit = 1_000_000;

export const auditQuery = {
  options: {
    ...placeOptions,
    ...remoteOption,
    ...namingOptions,
    ...logOption,
    caller: { type: "string", value: "NAME", help: "Who asked." },
    tool: { type: "string", value: "SERVER/TOOL", help: 'The tool; "files/*" are all of a server.' },
    server: { type: "string", value: "NAME", help: "The server." },
    verdict: { type: "string", value: "V", help: "allowed, denied or error." },
    rule: { type: "string", value: "NAME", help: "The rule that decided." },
    event: {
      type: "string",
      value: "EVENT",
      help: "Such as call.decision or identity.issue; any by default.",
    },
    session: { type: "string", value: "ID", help: "The session of the caller's client." },
    call: { type: "string", value: "ID", help: "One call." },
    text: {
      type: "string",
      value: "TEXT",
      help: "What stands anywhere in an entry, in capitals or not; the entries are read for it.",
    },
    ...timeOptions,
    limit: { type: "string", value: "N", help: `At most so many; ${defaultLimit} by default.` },
    "oldest-first": { type: "boolean", help: "In the order of the log." },
    format: { type: "string", value: "F", help: "table, jsonl or csv; table by default." },
    entries: { type: "boolean", help: "With jsonl: the entries themselves, as they stand in the log." },
    index: {
      type: "string",
      value: "FILE",
      help: "Where the index is kept; for a copy, none is by default.",
    },
    rebuild: { type: "boolean", help: "Make the index anew." },
  },
  run: async (call) => {
    const format = oneOf(call, "format", formats) ?? (call.flag("entries") ? "jsonl" : "table");
    if (call.flag("entries") && format !== "jsonl")
      throw new Refusal("bad_config", "--entries are printed as jsonl only.");
    if (call.positionals.length > 0)
      throw new Refusal("bad_config", `Expected options only, found "${call.positionals.join(" ")}".`);
    const question = questionOf(call, Date.now());
    return await findCalls(call, question, ({ calls, named }) => {
      const lines = {
        table: () => (calls.length === 0 ? [] : asTable(calls, named)),
        csv: () => asCsv(calls, named).map((line) => `${line}\r`),
        jsonl: () => (call.flag("entries") ? asEntries(calls, question.event) : asJsonLines(calls, named)),
      };
      for (const line of lines[format]()) call.out(line);
      return calls.length === 0 ? 1 : 0;
    });
  },
} as const satisfies Command;

interface Found {
  readonly calls: readonly FoundCall[];
  readonly named: Naming;
}

/** In the files of this machine, or by another's control room. */
async function findCalls(
  call: CommandCall,
  question: AuditQuestion,
  shown: (found: Found) => number,
): Promise<number> {
  const remote = remoteNamed(call);
  if (remote === undefined)
    return await withNamesFor(call, async (names) => {
      const search = { ...place(call), names, rebuild: call.flag("rebuild"), note };
      return shown({ calls: await searchLog(search, question), named: names.named });
    });
  if (call.flag("rebuild"))
    throw new Refusal("bad_config", "An index is made anew on its own machine: --rebuild without --remote.");
  return await remoteLog(call, remote, async ({ search, named }) =>
    shown({ calls: await search(question, (line) => note(`audit query: ${line}`)), named }),
  );
}

/** The log and its index: a copy's isn't kept unless it is said where. */
function place(call: CommandCall): { readonly folder: string; readonly index: string | undefined } {
  const folder = logFolder(call);
  if (call.text("log") !== undefined) return { folder, index: call.text("index") };
  return { folder, index: call.text("index") ?? statePaths(placeIn(call).state).auditIndex };
}

function questionOf(call: CommandCall, nowUnixMs: number): AuditQuestion {
  const verdict = oneOf(call, "verdict", verdicts);
  const tool = call.text("tool");
  const { sinceUnixMs, untilUnixMs } = timesOf(call, nowUnixMs);
  const texts = (["caller", "server", "rule", "event", "session", "call", "text"] as const).flatMap(
    (name) => {
      const text = call.text(name);
      return text === undefined ? [] : [[name, text] as const];
    },
  );
  return {
    ...Object.fromEntries(texts),
    ...(verdict !== undefined && { verdict }),
    ...(tool !== undefined && { tool: toolOf(tool) }),
    ...(sinceUnixMs !== undefined && { sinceUnixMs }),
    ...(untilUnixMs !== undefined && { untilUnixMs }),
    isOldestFirst: call.flag("oldest-first"),
    limit: limitOf(call),
  };
}

function toolOf(text: string): NonNullable<AuditQuestion["tool"]> {
  const isPrefix = text.endsWith("/*");
  return { text: isPrefix ? text.slice(0, -1) : text, isPrefix };
}

function limitOf(call: CommandCall): number {
  const text = call.text("limit");
  const limit = text === undefined ? defaultLimit : Number(text);
  if (/^\d+$/.test(text ?? "0") && limit >= 1 && limit <= maxLimit) return limit;
  throw new Refusal("bad_config", `--limit takes a whole number from 1 to ${maxLimit}, found "${text}".`);
}

function oneOf<T extends string>(call: CommandCall, option: string, values: readonly T[]): T | undefined {
  const given = call.text(option);
  const value = values.find((each) => each === given);
  if (given === undefined || value !== undefined) return value;
  throw new Refusal("bad_config", `--${option} takes ${values.join(", ")}; found "${given}".`);
}
