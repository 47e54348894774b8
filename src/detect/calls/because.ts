/** Why a call looks odd, in one sentence: names of tools and parameters, never a value. */
import type { Call, Seen } from "./features.ts";
import type { Parts } from "./parts.ts";
import type { ValueOrigin } from "./matches.ts";
import type { Trail } from "./trail.ts";
import { actionName } from "./vocabulary.ts";

interface Told {
  readonly trail: Trail;
  readonly call: Call;
  readonly seen: Seen;
  readonly parts: Parts;
  readonly p: number;
}

const longestName = 64;

export function because({ trail, call, seen, parts, p }: Told): string {
  const tool = named(call.tool);
  const chance = `p = ${p.toPrecision(1)}`;
  if (!seen.matches.isWhole)
    return `what was read before \`${tool}\` is made so that it can't be searched; ${chance}.`;
  if (Object.values(parts).every((part) => part <= 0)) return `\`${tool}\` is nothing unusual; ${chance}.`;
  const clauses = [origin(trail, tool, seen), action(trail, seen), habit(tool, seen), harm(seen)].filter(
    (each) => each !== undefined,
  );
  return clauses.length === 0
    ? `\`${tool}\` is unusual where it stands; ${chance}.`
    : `${clauses.join("; ")}; ${chance}.`;
}

function origin(trail: Trail, tool: string, seen: Seen): string | undefined {
  const from = originOf(trail, seen);
  if (from === undefined) return undefined;
  const param = from.param === "" ? "" : `.${parameterName(from.param)}`;
  return `\`${tool}${param}\` ${from.isFirst ? "first " : ""}seen in the result of \`${named(from.tool)}\``;
}

/** In whose answer what the call says was found, or else what it does; undefined where nothing was. */
export function sourceOf(trail: Trail, seen: Seen): string | undefined {
  const { act, matches } = seen;
  const asking = act.window < 0 ? undefined : trail.results[matches.windows.result[act.window] ?? 0];
  return originOf(trail, seen)?.tool ?? asking?.tool;
}

function originOf(
  trail: Trail,
  { matches, act }: Seen,
): { readonly param: string; readonly tool: string; readonly isFirst: boolean } | undefined {
  const found = matches.origins.filter(({ results }) => results > 0);
  const inAct = found.filter(({ bestWindow }) => Math.abs(bestWindow - act.window) <= 2);
  const told = (inAct.length > 0 ? inAct : found).toSorted((a, b) => weightOf(b) - weightOf(a))[0];
  const result = told === undefined ? undefined : trail.results[matches.windows.result[told.bestWindow] ?? 0];
  if (told === undefined || result === undefined) return undefined;
  const isFirst = matches.windows.result[told.bestWindow] === told.first;
  return { param: told.value.param, tool: result.tool, isFirst };
}

function weightOf({ value, leastCue, results }: ValueOrigin): number {
  return 2 * Math.min(value.names.length, 1) + leastCue - results / 8;
}

function action(trail: Trail, { act, matches }: Seen): string | undefined {
  if (act.window < 0) return undefined;
  const result = trail.results[matches.windows.result[act.window] ?? 0];
  const where =
    act.values > 0 ? "the same passage asks to" : `a passage of \`${named(result?.tool ?? "")}\` asks to`;
  return `${where} ${actionName(act.asked)}${act.cue >= 4 ? ", in the tone of an instruction to an agent" : ""}`;
}

function habit(tool: string, { unusual }: Seen): string | undefined {
  if (unusual.isKnown === 0) return undefined;
  const param = unusual.param === undefined ? tool : `${tool}.${parameterName(unusual.param)}`;
  if (unusual.overLargest > 0.7 || unusual.number > 4)
    return `\`${param}\` is far from this caller's usual numbers`;
  if (unusual.newTool === 1) return `this caller never used \`${tool}\``;
  if (unusual.newNames > 0) return `this caller never used what \`${param}\` names`;
  return unusual.newEdge === 1 ? `this caller never used \`${tool}\` after what it did before` : undefined;
}

function harm({ tool }: Seen): string | undefined {
  return tool.destroys ? "it may destroy or move something for good" : undefined;
}

/** Names come from servers and callers, too. */
function named(name: string): string {
  return name.slice(0, longestName).replaceAll(/[^\p{L}\p{N}_.[\]/:-]/gu, "?");
}

const longestParameter = 40;
const mostDigits = 4;

/** A caller chooses the names of members: one that looks like an account, a card or a token is a value, and isn't told. */
function parameterName(name: string): string {
  const isName = name.length <= longestParameter && /^[\p{L}\p{Nd}_.[\]-]+$/u.test(name);
  return isName && name.replaceAll(/\P{Nd}/gu, "").length <= mostDigits ? name : "*";
}
