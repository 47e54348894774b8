/** What a caller could do, as lines for a terminal. */
import type { ReachFound } from "../app/policy/reach-of-config.ts";
import { printable } from "../kernel/printable.ts";
import type { Flow } from "../policy/reach/flows.ts";
import type { Reach, ReachedTarget } from "../policy/reach/reach.ts";
import type { Way } from "../policy/reach/ways.ts";
import { many } from "./policy.ts";
import { type Row, section, table } from "./table.ts";

/** Flows that are told one by one. */
const maxFlowLines = 12;
const maxNameChars = 80;
/** Of what a rule's condition says. */
const maxConditionChars = 400;

export function reachLines(reach: ReachFound): readonly string[] {
  const { caller, targets } = reach;
  const groups = caller.groups.length === 0 ? "" : `, of ${caller.groups.join(", ")}`;
  if (targets.length === 0) {
    return [`${caller.id}${groups} reaches nothing.`, ...entryLines(reach), ...countLines(reach)];
  }
  return [
    `What ${caller.id}${groups} could do:`,
    "",
    ...table([head, ...targets.flatMap(rowsOf)]),
    "",
    ...countLines(reach),
    ...entryLines(reach),
    ...flowLines(reach),
    ...lendingLines(reach),
    "",
    summaryLine(reach),
  ];
}

const head: Row = ["server", "what", "verdict", "effect", "labels and data", "rules", "depends on"];

function rowsOf(target: ReachedTarget): readonly Row[] {
  const { server, ways, onlyReads, kind } = target;
  return ways.flatMap((way, at): readonly Row[] => {
    const first = at === 0;
    const own = first
      ? [shown(server), nameOf(target), target.verdict, onlyReads ? "reads" : "writes", markOf(target)]
      : ["", "", wordOf(way), "", ""];
    const rules = [...new Set([...way.by, ...way.approvals.map(({ rule }) => rule)])].join(", ");
    return [[...own, rules, dependsOn(way, kind)]];
  });
}

function nameOf({
  kind,
  name,
  isPattern,
  isPinned,
}: Pick<ReachedTarget, "kind" | "name" | "isPattern" | "isPinned">): string {
  const what = kind === "tools" ? shown(name) : `${kind.slice(0, -1)} ${shown(name)}`;
  if (isPattern) return `${what} (all like it)`;
  return kind === "tools" && !isPinned ? `${what} (not pinned)` : what;
}

function markOf({ labels, data, isPattern }: ReachedTarget): string {
  const all = [
    ...labels,
    ...(data === undefined ? [] : [`${data.class} (${lifeInWords(data.shelfLifeMs)})`]),
  ];
  if (all.length === 0) return "";
  return isPattern ? `perhaps ${all.join(", ")}` : all.join(", ");
}

const words = { allowed: "allowed if", step_up: "step-up", held: "held" } as const;

function wordOf({ level }: Way): string {
  return words[level];
}

function dependsOn(way: Way, kind: ReachedTarget["kind"]): string {
  const { conditions, link, signatures, approvals, redactions, onBehalfOf } = way;
  const effects = redactions.map(
    ({ rule, isSure }) => `${isSure ? "redacted" : "may be redacted"} by ${rule}`,
  );
  return [
    ...(onBehalfOf === undefined ? [] : [`for ${onBehalfOf.join(", ")}, who must be allowed it too`]),
    ...(link === undefined ? [] : [link]),
    ...signatures.map((signature) => `signed: ${signature}`),
    ...approvals.map(
      ({ approvers, from }) =>
        `approved by ${many(approvers, "person").replace("persons", "people")}${from === undefined ? "" : ` of ${from.join(", ")}`}`,
    ),
    ...conditions.map(({ says }) => conditionText(says)),
    ...(kind === "prompts" ? [] : effects),
  ].join("; ");
}

function conditionText(says: string): string {
  return printable(says.replaceAll(/\s+/g, " "), maxConditionChars);
}

function countLines({ summary, withoutTools }: ReachFound): readonly string[] {
  const { pinnedTools, knownTools, patterns } = summary;
  const unknown =
    withoutTools.length === 0
      ? []
      : [`The tools of ${withoutTools.join(", ")} aren't known yet: they stand here as rules name them.`];
  const rows = `${many(patterns, "row")} stand${patterns === 1 ? "s" : ""} for whatever is like a pattern`;
  return [
    `${pinnedTools} of ${many(knownTools, "pinned tool")}${patterns === 0 ? "" : `; ${rows}`}.`,
    ...unknown,
  ];
}

function entryLines({ entry }: Reach): readonly string[] {
  const { links, conditions, shutBy } = entry;
  if (links.length === 0) {
    const why = shutBy.length === 0 ? "no listener takes such links" : `${shutBy.join(", ")} denies them`;
    return [`It gets no link: ${why}.`];
  }
  return conditions.map(
    ({ rules, says, link }) =>
      `To get in${link === undefined ? "" : ` on ${link}`}: ${conditionText(says)} (${rules.join(", ")}).`,
  );
}

function flowLines({ flows: { worst, count } }: Reach): readonly string[] {
  const told = worst.slice(0, maxFlowLines);
  const more = count - told.length;
  const lines = section(`What could flow (${many(count, "way")}, the worst first):`, told.map(flowRow));
  return lines.length === 0
    ? []
    : [
        "",
        ...lines,
        ...(more > 0 ? [`  and ${more} more${worst.length > told.length ? "; --json has them" : ""}`] : []),
      ];
}

function flowRow({ what, shelfLifeMs, from, to, isOneCall, out, verdict, redactedBy }: Flow): Row {
  const life = shelfLifeMs === 0 ? "" : ` (${lifeInWords(shelfLifeMs)})`;
  const [source, sink] = [from, to].map(({ server, name }) => `${shown(server)}/${shown(name)}`);
  return [
    `${what.join(", ")}${life}`,
    isOneCall ? `${source}, in one call` : `${source} → ${sink}`,
    out,
    `${verdict}${redactedBy.length === 0 ? "" : `; redacted by ${redactedBy.join(", ")}`}`,
  ];
}

function lendingLines({ lending, targets }: Reach): readonly string[] {
  const { lends, lendable, never, actors, actsFor } = lending;
  const own = lendable.length === 0 ? "nothing" : `${lendable.length} of these ${targets.length}`;
  const rows: readonly Row[] = [
    ["it may lend", lends ? own : "nothing: it can't delegate"],
    ...(never.length === 0 ? [] : [["never lent", `what ${never.join(", ")} allows`]]),
    ...actors.map(({ callers, rule, targets: count, isOnBehalf }) => [
      "could act for it",
      `${callers.join(", ")}: ${isOnBehalf ? "on its behalf " : ""}${count} of them, by ${rule}`,
    ]),
    ...actsFor.map(({ rule, callers }) => ["it may act for", `${callers.join(", ")}, by ${rule}`]),
  ];
  return ["", ...section("On behalf of others:", rows)];
}

function summaryLine({ summary }: Reach): string {
  const { tools, servers, patterns, writing, secret, free, ownChoice, held } = summary;
  const other = patterns === 0 ? "" : ` and ${many(patterns, "pattern")}`;
  return `Blast radius: ${many(tools, "tool")}${other} on ${many(servers, "server")}; ${writing} that may write, ${secret} with data that must stay secret, ${free} without any person or condition in between, ${ownChoice} more if it picks its arguments, ${held} that people hold.`;
}

const dayMs = 86_400_000;

function lifeInWords(ms: number): string {
  const days = ms / dayMs;
  if (days >= 365) return `${Math.round(days / 365.25)}y`;
  return days >= 1 ? `${Math.round(days)}d` : `${Math.max(1, Math.round(ms / 3_600_000))}h`;
}

function shown(text: string): string {
  return printable(text, maxNameChars);
}
