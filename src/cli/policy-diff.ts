/** `latticegate policy diff [OLD] NEW --replay RANGE`: which recorded calls other rules would decide otherwise. */
import { readCaptured } from "../app/capture/read-captured.ts";
import { firstSince } from "../app/log-times.ts";
import { loadPolicies } from "../app/policy/case-file.ts";
import { configWithoutRules, trialWorldOfConfig } from "../app/policy/known-config.ts";
import { type ReplayedCall, replayed } from "../app/policy/replay-log.ts";
import { statePaths } from "../app/state-folder.ts";
import { type LogNames, withNames } from "../app/subject-names.ts";
import { openLogReader } from "../host/store/log-reader.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Command, type CommandCall, configFile, configOption } from "./command.ts";
import { replayOption, replayRange } from "./replay-range.ts";

export const policyDiff = {
  options: {
    ...configOption,
    replay: replayOption,
    json: { type: "boolean", help: "Print each call that changes, or can't be told, as a line of JSON." },
  },
  run: async (call) => {
    const [first, second, ...more] = call.positionals;
    if (first === undefined || more.length > 0)
      throw new Refusal("bad_config", "Name a file of rules, or two: policy diff old.yaml new.yaml.");
    const [oldFile, newFile] = second === undefined ? [undefined, first] : [first, second];
    const config = configWithoutRules(configFile(call));
    const nowUnixMs = Date.now();
    const { sinceUnixMs = 0, untilUnixMs = nowUnixMs } = replayRange(call, nowUnixMs);
    const reader = openLogReader(statePaths(config.state).log);
    const from = await firstSince(reader, sinceUnixMs);
    // Rules are about names: of pseudonyms nothing could be told.
    const locked = (why: string): never => {
      throw new Refusal("bad_state", `The log's names can't be read: ${why}`);
    };
    const judge = async ({ named }: LogNames): Promise<number> => {
      const before = oldFile === undefined ? undefined : loadPolicies(oldFile).calls;
      const after = loadPolicies(newFile).calls;
      const world = trialWorldOfConfig(config);
      const { calls } = await readCaptured(config, sinceUnixMs);
      const replay = {
        captured: new Map(calls.map(({ id, args, address }) => [id, { args, address }])),
        reader,
        from,
        sinceUnixMs,
        untilUnixMs,
        named,
        world,
        after,
        ...(before && { before }),
      };
      const sums = await summed(replayed(replay), call);
      if (!call.flag("json")) for (const line of linesOf(sums, { sinceUnixMs, untilUnixMs })) call.out(line);
      return sums.changes + sums.unknown === 0 ? 0 : 1;
    };
    return await withNames(config, judge, locked);
  },
} as const satisfies Command;

/** Calls that become the same of the same by the same rules, of one caller and target. */
interface Group {
  readonly example: ReplayedCall;
  count: number;
}

interface Sums {
  stays: number;
  changes: number;
  unknown: number;
  readonly groups: Map<string, Group>;
}

/** Beyond it, changes are counted and not told apart. */
const maxGroups = 10_000;

async function summed(calls: AsyncIterable<ReplayedCall>, call: CommandCall): Promise<Sums> {
  const sums: Sums = { stays: 0, changes: 0, unknown: 0, groups: new Map() };
  for await (const each of calls) {
    sums[each.becomes] += 1;
    call.doing(`Replaying the log: ${sums.stays + sums.changes + sums.unknown} calls`);
    if (each.becomes === "stays") continue;
    if (call.flag("json")) {
      const { atUnixMs, ...told } = each;
      call.out(JSON.stringify({ ...told, at: new Date(atUnixMs).toISOString() }));
      continue;
    }
    const key = JSON.stringify([each.becomes, inWords(each), each.caller, each.target]);
    const group = sums.groups.get(key) ?? { example: each, count: 0 };
    group.count += 1;
    if (sums.groups.has(key) || sums.groups.size < maxGroups) sums.groups.set(key, group);
  }
  return sums;
}

function linesOf(
  { stays, changes, unknown, groups }: Sums,
  { sinceUnixMs, untilUnixMs }: { readonly sinceUnixMs: number; readonly untilUnixMs: number },
): readonly string[] {
  const range = `${new Date(sinceUnixMs).toISOString()} to ${new Date(untilUnixMs).toISOString()}`;
  const sorted = [...groups.values()].toSorted(
    (a, b) => order[a.example.becomes] - order[b.example.becomes] || b.count - a.count,
  );
  return [
    `${stays + changes + unknown} calls, ${range}: ${changes} change, ${stays} stay, ${unknown} can't be told.`,
    ...sorted.flatMap(({ example, count }) => [
      `${inWords(example)}: ${count} ${count === 1 ? "call" : "calls"} of ${example.caller} to ${example.target}`,
      ...because(example),
      `    such as ${example.callId}, ${new Date(example.atUnixMs).toISOString()}`,
    ]),
  ];
}

const order = { changes: 0, unknown: 1, stays: 2 } as const;

function inWords({ before, after, becomes }: ReplayedCall): string {
  if (becomes === "unknown") return `can't be told (${named(before)} -> ${named(after)})`;
  return `${named(before)} -> ${named(after)}`;
}

function named(decided: ReplayedCall["before"] | ReplayedCall["after"]): string {
  return "verdict" in decided ? `${decided.verdict} (${decided.rule})` : "?";
}

function because({ before, after }: ReplayedCall): readonly string[] {
  if ("verdict" in before && after.kind === "known")
    return after.because === "" ? [] : [`    ${after.because}`];
  const untold = [before, after].flatMap((each) => ("rules" in each ? each.rules : []));
  const byRule = new Map(untold.map(({ rule, reads }) => [rule, reads]));
  return [...byRule].map(
    ([rule, reads]) => `    ${rule} reads ${reads.join(", ")}, of which the log has nothing`,
  );
}
