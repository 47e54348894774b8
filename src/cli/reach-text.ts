/** What a caller could do, as lines for a terminal: a row for each thing, and below it what it depends on, by which rule. */
import type { ReachFound } from "../app/policy/reach-of-config.ts";
import { printable } from "../kernel/printable.ts";
import type { Flow } from "../policy/reach/flows.ts";
import type { Reach, ReachedTarget } from "../policy/reach/reach.ts";
import type { Way } from "../policy/reach/ways.ts";
import { many } from "./policy.ts";
import { type Row, section, table } from "./table.ts";

/** Flows that are told one by one. */
const maxFlowLines = 12;
/** Those who could act for it. */
const maxActorLines = 12;
const maxNameChars = 80;
/** Of what a rule's condition says. */
const maxConditionChars = 400;

export function reachLines(reach: ReachFound): readonly string[] {
  const { caller, targets } = reach;
  const groups = caller.groups.length === 0 ? "" : `, of ${caller.groups.join(", ")},`;
  if (targets.length === 0) {
    return [
      `${caller.id}${groups} reaches nothing.`,
      ...standingLines(reach),
      ...entryLines(reach),
      ...countLines(reach),
    ];
  }
  const [titles = "", ...rows] = table([head, ...targets.map(rowOf)]);
  return [
    `What ${caller.id}${groups} could do:`,
    ...standingLines(reach),
    "",
    titles,
    ...targets.flatMap((target, at) => [rows[at] ?? "", ...waysLines(target)]),
    "",
    ...countLines(reach),
    ...entryLines(reach),
    ...flowLines(reach),
    ...lendingLines(reach),
    "",
    summaryLine(reach),
    ...(reach.standing?.isRevoked === true ? [] : [`To end it: latticegate ca revoke ${caller.id}`]),
  ];
}

/** Whether somebody who has it gets in with it now. */
function standingLines({ caller, standing }: ReachFound): readonly string[] {
  const { certificates = 0, isRevoked = false } = standing ?? {};
  if (!caller.isWorkload)
    return [
      isRevoked
        ? "Its access tokens were revoked here: they count no more."
        : "The scopes of its access token may leave it less.",
    ];
  if (standing === undefined) return [];
  const held =
    certificates === 0
      ? "No certificate of it counts now"
      : `${many(certificates, "certificate")} of it count${certificates === 1 ? "s" : ""} now`;
  return [`${held}${isRevoked ? ", and it is revoked: it gets none" : ""}.`];
}

const head: Row = ["server", "what", "verdict", "effect", "labels and data", "by"];

function rowOf(target: ReachedTarget): Row {
  const { server, ways, onlyReads, verdict } = target;
  const effect = onlyReads ? "reads" : "may write";
  return [shown(server), nameOf(target), verdict, effect, markOf(target), ways[0]?.by.join(", ") ?? ""];
}

function nameOf({ kind, name, isPattern, isPinned, besides }: ReachedTarget): string {
  const what = kind === "tools" ? shown(name) : `${kind.slice(0, -1)} ${shown(name)}`;
  if (isPattern) return `${what} (${besides.length === 0 ? "all" : "all else"} like it)`;
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

const indent = " ".repeat(8);

function waysLines({ ways }: ReachedTarget): readonly string[] {
  return ways.flatMap((way, at) => {
    const demands = demandsOf(way);
    if (at === 0) return demands.map((demand) => `${indent}${demand}`);
    return [`${indent}or ${words[way.level]}: ${demands.join("; ")}`];
  });
}

const words = { allowed: "allowed", step_up: "with a step-up", held: "held" } as const;

/** What a way takes, and what is taken out of it, each with the rules that say so. */
function demandsOf(way: Way): readonly string[] {
  const { conditions, link, signatures, approvals, redactions, onBehalfOf } = way;
  return [
    ...(onBehalfOf === undefined ? [] : [`for ${onBehalfOf.join(", ")}, who must be allowed it too`]),
    ...(link === undefined ? [] : [`on ${link}`]),
    ...signatures.map(({ says, rule }) => `signed (${says})  [${rule}]`),
    ...approvals.map(({ approvers, from, rule }) => {
      const people = approvers === 1 ? "one person" : `${approvers} people`;
      return `approved by ${people}${from === undefined ? ", any operator" : `: ${from.join(", ")}`}  [${rule}]`;
    }),
    ...conditions.map(({ says, rules }) => `if ${conditionText(says)}  [${rules.join(", ")}]`),
    ...redactions.map(({ rule, isSure }) => `${isSure ? "redacted" : "perhaps redacted"}  [${rule}]`),
  ];
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
  const rows = `${many(patterns, "row")} stand${patterns === 1 ? "s" : ""} for all that is like a pattern, and isn't known by name.`;
  return [
    ...(knownTools === 0
      ? []
      : [`${pinnedTools} of ${many(knownTools, "pinned tool")}; the rest is denied.`]),
    ...(patterns === 0 ? [] : [rows]),
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
    ...(never.length === 0 ? [] : [["never lent", `what is allowed by ${never.join(", ")}`]]),
    ...actors
      .slice(0, maxActorLines)
      .map(({ callers, rule, targets: count, isOnBehalf }) => [
        "could act for it",
        `${callers.join(", ")}: ${count} of them${isOnBehalf ? ", on its behalf alone" : ""}  [${rule}]`,
      ]),
    ...(actors.length > maxActorLines
      ? [["", `and ${actors.length - maxActorLines} more; --json has them`]]
      : []),
    ...actsFor.map(({ rule, callers }) => ["it may act for", `${callers.join(", ")}  [${rule}]`]),
  ];
  return ["", ...section("On behalf of others:", rows)];
}

function summaryLine({ summary }: Reach): string {
  const { tools, servers, patterns, writing, secret, free, ownChoice, held } = summary;
  const other = patterns === 0 ? "" : ` and ${many(patterns, "pattern")}`;
  return `Blast radius: ${many(tools, "tool")}${other} on ${many(servers, "server")}; ${writing} that may write, ${secret} with data that must stay secret, ${free} without any person or condition in between, ${ownChoice} more with the right arguments, ${held} that people hold.`;
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
