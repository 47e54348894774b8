/** `latticegate crypto plan` */
import { loadConfig } from "../app/config.ts";
import { doesBreak, type Plan, type PlanRow, type Verdict } from "../app/crypto/plan.ts";
import { planFor } from "../app/crypto/plan-for.ts";
import { profileNamed } from "../app/profile-operations.ts";
import { systemClock } from "../host/system.ts";
import { breaksCode, type Command, configFile, configOption, profileGiven } from "./command.ts";
import { overlapIn, overlapOptions } from "./crypto-overlap.ts";
import { counted, type Row, table } from "./table.ts";

export const cryptoPlan = {
  options: {
    ...configOption,
    ...overlapOptions,
    verbose: { type: "boolean", help: "Also each of what goes on, instead of how many there are." },
    json: { type: "boolean", help: "Print it as docs/formats/crypto-status.md has it." },
  },
  run: async (call) => {
    const name = profileGiven(call);
    const config = loadConfig(configFile(call));
    const how = { overlapMs: overlapIn(call), clock: systemClock };
    const { plan, isComplete } = await planFor(config, profileNamed(config, name), how);
    if (call.flag("json")) call.out(JSON.stringify({ ...plan, is_complete: isComplete }, null, 2));
    else for (const line of planText(plan, { isVerbose: call.flag("verbose"), isComplete })) call.out(line);
    return doesBreak(plan) ? breaksCode : 0;
  },
} as const satisfies Command;

const titles: Readonly<Record<Verdict, string>> = {
  breaks: "Breaks",
  "may break": "May break",
  renews: "Changes by itself",
  "goes on": "Goes on as it is",
};

/** @param view `isComplete` if the running gateway was asked */
export function planText(
  plan: Plan,
  view: { readonly isVerbose: boolean; readonly isComplete: boolean },
): readonly string[] {
  const changes = plan.changes.map(({ what, gone, added }): Row => [
    what.replaceAll("_", " "),
    [...gone.map((id) => `-${id}`), ...added.map((id) => `+${id}`)].join(" "),
  ]);
  const verdicts = ["breaks", "may break", "renews", "goes on"] as const;
  return [
    plan.changes.length === 0
      ? `${plan.to} is what is in force, under that name or another: nothing changes`
      : `From ${plan.from} to ${plan.to}`,
    ...table(changes),
    ...(view.isComplete
      ? []
      : ["", "No running gateway was asked: listeners, links, servers and issuers aren't known."]),
    ...verdicts.flatMap((verdict) => {
      const rows = plan.rows.filter((row) => row.verdict === verdict);
      if (rows.length === 0) return [];
      return ["", titles[verdict], ...(verdict === "goes on" && !view.isVerbose ? summed(rows) : told(rows))];
    }),
    ...conflictsIn(plan),
    "",
    summary(plan),
  ];
}

function conflictsIn({ config_conflicts: conflicts, to }: Plan): readonly string[] {
  if (conflicts.length === 0) return [];
  return [
    "",
    `Before you write "profile: ${to}" into the config, take hybrid-preferred out of it (${conflicts.join(", ")}): with both it isn't loaded.`,
  ];
}

/** One line for what is said of several links of one caller. */
function told(rows: readonly PlanRow[]): readonly string[] {
  const kinds = counted(rows.map(({ what, who, because, remedy = "" }) => [what, who, because, remedy]));
  const lines = table(
    kinds.map(([count = "", what = "", who = "", because = ""]) => [
      count === "1" ? what : `${what} (${count})`,
      who,
      because,
    ]),
  );
  return kinds.flatMap(([, , , , remedy = ""], at) => [
    lines[at] ?? "",
    ...(remedy === "" ? [] : [`      → ${remedy}`]),
  ]);
}

function summed(rows: readonly PlanRow[]): readonly string[] {
  return table(counted(rows.map(({ what }) => [what])));
}

function summary({ rows, is_possible: isPossible, to }: Plan): string {
  if (!isPossible) return `${to} can't be applied.`;
  const count = (verdict: Verdict): number => rows.filter((row) => row.verdict === verdict).length;
  const [breaks, may] = [count("breaks"), count("may break")];
  if (breaks + may === 0) return "Nothing breaks.";
  return (
    [...(breaks > 0 ? [`${breaks} would break`] : []), ...(may > 0 ? [`${may} may break`] : [])].join(", ") +
    "."
  );
}
