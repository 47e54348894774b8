/** `latticegate outlets list`, `outlets test`, `outlets replay` */
import { loadConfig } from "../app/config.ts";
import {
  type ListedOutlet,
  listOutlets,
  replayOutlet,
  testOutlet,
} from "../app/outlets/outlet-operations.ts";
import { systemClock } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Command, type CommandCall, configFile, configOption } from "./command.ts";
import { type Row, table } from "./table.ts";
import { timesBetween } from "./time-option.ts";
import { jsonText, shown } from "./tools-text.ts";

const json = { type: "boolean", help: "Print JSON." } as const;

export const outlets = {
  options: { ...configOption, json },
  run: async (call) => {
    if (call.positionals.length > 0) throw new Refusal("bad_config", "Expected no further argument.");
    const listed = await listOutlets(loadConfig(configFile(call)));
    if (call.flag("json")) call.out(jsonText(listed));
    else if (listed.length === 0) call.out("The config has no outlets.");
    else for (const line of table([headings, ...listed.map(rowOf)], "")) call.out(line);
    if (!call.flag("json")) for (const line of listed.flatMap(troubles)) call.out(line);
    return listed.some(({ failingSinceUnixMs }) => failingSinceUnixMs !== undefined) ? 1 : 0;
  },
} as const satisfies Command;

export const outletsTest = {
  options: { ...configOption, json },
  run: async (call) => {
    const name = oneName(call);
    const tested = await testOutlet(loadConfig(configFile(call)), name, systemClock);
    const { failed, uid, link, isPostQuantum } = tested;
    if (call.flag("json")) call.out(jsonText({ outlet: name, ...tested }));
    else {
      call.out(failed === undefined ? `${name} took ${uid}.` : `${name} didn't take it: ${shown(failed)}`);
      if (link !== undefined)
        call.out(
          `The link was ${link}${isPostQuantum ? "" : ", without ML-KEM: who records it may read it one day"}.`,
        );
    }
    return failed === undefined ? 0 : 1;
  },
} as const satisfies Command;

export const outletsReplay = {
  options: {
    ...configOption,
    from: {
      type: "string",
      value: "WHERE",
      help: "From that entry of the log on, or from that time: 1200, 2026-11-21T09:30:00Z, 2026-11-21, or 2h ago.",
    },
  },
  run: async (call) => {
    const name = oneName(call);
    const from = call.text("from");
    if (from === undefined)
      throw new Refusal("bad_config", "Say from where: --from an entry's index or a time.");
    const asked = await replayOutlet(loadConfig(configFile(call)), name, placeOf(from));
    call.out(`${name} goes on at entry ${asked}; a running gateway takes that up within a second.`);
    return 0;
  },
} as const satisfies Command;

const headings: Row = ["outlet", "type", "next entry", "behind", "sent", "never taken", "last sent", "link"];

function rowOf(outlet: ListedOutlet): Row {
  const { name, type, cursor, lag, sent, dead, lastSentUnixMs, link } = outlet;
  const last = lastSentUnixMs === undefined ? "never" : new Date(lastSentUnixMs).toISOString();
  return [name, type, cursor, lag, sent, dead, last, link ?? "-"].map(String);
}

function troubles({ name, failingSinceUnixMs, lastError, dead, deadFile }: ListedOutlet): readonly string[] {
  return [
    ...(failingSinceUnixMs === undefined
      ? []
      : [
          `${name} gets nothing through since ${new Date(failingSinceUnixMs).toISOString()}: ${shown(lastError ?? "unknown")}`,
        ]),
    ...(dead === 0 ? [] : [`What ${name} never took is in ${deadFile}.`]),
  ];
}

function placeOf(from: string): { readonly index: number } | { readonly sinceUnixMs: number } {
  if (/^\d{1,15}$/.test(from)) return { index: Number(from) };
  const { sinceUnixMs } = timesBetween(from, undefined, systemClock.nowUnixMs(), "from");
  return { sinceUnixMs: sinceUnixMs ?? 0 };
}

function oneName(call: CommandCall): string {
  const [name, ...more] = call.positionals;
  if (name !== undefined && more.length === 0) return name;
  throw new Refusal("bad_config", 'Name one outlet; "latticegate outlets list" lists them.');
}
