/**
 * Conditions that values which were seen all meet, as narrow as the evidence is wide: sets where values repeat, ranges of
 * numbers, hosts, domains and folders, shapes of texts. Nothing here knows what an argument means.
 */
import { limits } from "../../expr/limits.ts";
import { type Clause, literal } from "./literal.ts";
import { roundedDown, roundedUp } from "./plain-figures.ts";
import { isSecret } from "./secret-names.ts";
import { secretClause, stringClause } from "./string-clause.ts";

/** Where a value stands in a condition, and whether there may be another loop around it. */
export interface ClausePlace {
  readonly path: string;
  readonly depth: number;
  /** It stands under a name that says so: values are kept out of the condition. */
  readonly isSecret?: boolean;
}

/** Members of an object are limited this deep: `args.a.b`. */
const maxDepth = 3;
/** More names than that are data, not arguments. */
const maxNames = 60;

/** @param values all that were seen there, one for each call that had it */
function clauseOf(values: readonly unknown[], place: ClausePlace): Clause | undefined {
  if (place.isSecret === true) return secretOf(values, place);
  const byKind = Map.groupBy(values, kindOf);
  const alternatives: Clause[] = [];
  for (const [kind, some] of byKind) {
    const clause = kindClauses[kind](some, place);
    if (clause === undefined) return undefined;
    alternatives.push(clause);
  }
  const [first] = alternatives;
  if (first === undefined || alternatives.length === 1) return first;
  return {
    text: `(${alternatives.map(({ text }) => text).join(" || ")})`,
    says: alternatives.map(({ says }) => says).join(", or "),
  };
}

function secretOf(values: readonly unknown[], { path }: ClausePlace): Clause | undefined {
  const areTexts = values.every((value) => typeof value === "string");
  return areTexts ? secretClause(values, path) : undefined;
}

type Kind = "null" | "boolean" | "number" | "string" | "list" | "object";

function kindOf(value: unknown): Kind {
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return "list";
  const kind = typeof value;
  return kind === "boolean" || kind === "number" || kind === "string" ? kind : "object";
}

const kindClauses: Readonly<
  Record<Kind, (values: readonly unknown[], place: ClausePlace) => Clause | undefined>
> = {
  null: (_values, { path }) => ({ text: `${path} == null`, says: "null" }),
  boolean: (values, { path }) => {
    const seen = [...new Set(values)];
    return seen.length === 1
      ? { text: `${path} == ${String(seen[0])}`, says: `always ${String(seen[0])}` }
      : { text: `${path} in [true, false]`, says: "true or false" };
  },
  number: (values, place) => numberClause(values as readonly number[], place),
  string: (values, { path }) => stringClause(values as readonly string[], path),
  list: (values, place) => listClause(values as readonly (readonly unknown[])[], place),
  object: (values, place) => objectClause(values as readonly Readonly<Record<string, unknown>>[], place),
};

/** So many values of a number are told apart, if each came often; more are a range. */
const maxNumbers = 3;
const oftenNumber = 5;

function numberClause(values: readonly number[], { path }: ClausePlace): Clause {
  const seen = [...new Set(values)].toSorted((a, b) => a - b);
  const [least = 0] = seen;
  const most = seen.at(-1) ?? least;
  const areFew = seen.length <= maxNumbers && values.length >= oftenNumber * seen.length;
  if (areFew && seen.every(Number.isSafeInteger)) {
    return seen.length === 1
      ? { text: `${path} == ${least}`, says: `always ${least}` }
      : { text: `${path} in [${seen.join(", ")}]`, says: `one of ${seen.join(", ")}` };
  }
  return {
    text: `${path} >= ${roundedDown(least)} && ${path} <= ${roundedUp(most)}`,
    says: least === most ? `${least}` : `${least} to ${most}`,
  };
}

function listClause(lists: readonly (readonly unknown[])[], place: ClausePlace): Clause {
  const { path } = place;
  const longest = lists.reduce((most, list) => Math.max(most, list.length), 0);
  if (longest === 0) return { text: `size(${path}) == 0`, says: "empty" };
  const size = `size(${path}) <= ${roundedUp(longest)}`;
  const items = lists.flat();
  const isFlat = items.every((item) => ["string", "number", "boolean", "null"].includes(kindOf(item)));
  // INVARIANT: at most one loop stands inside another; what is inside of one isn't looped through.
  const each =
    isFlat && !place.path.startsWith("item") ? clauseOf(items, { ...place, path: "item" }) : undefined;
  const says = `up to ${longest}${each === undefined ? "" : `, each ${each.says}`}`;
  return { text: each === undefined ? size : `${size} && ${path}.all(item, ${each.text})`, says };
}

function objectClause(
  objects: readonly Readonly<Record<string, unknown>>[],
  place: ClausePlace,
): Clause | undefined {
  if (place.depth >= maxDepth) return undefined;
  const clauses = memberClauses(objects, place);
  if (clauses === undefined) return undefined;
  return {
    text: `(${clauses.map(({ text }) => text).join(" && ")})`,
    says: clauses.map(({ says }) => says).join("; "),
  };
}

/** The conditions on an object's members, its names first; undefined where they are too many to tell. */
export function memberClauses(
  objects: readonly Readonly<Record<string, unknown>>[],
  place: ClausePlace & { readonly isDeclared?: (name: string) => boolean },
): readonly Clause[] | undefined {
  const { path, depth } = place;
  const names = [...new Set(objects.flatMap((object) => Object.keys(object)))].toSorted();
  if (names.length > maxNames) return undefined;
  const members = names.flatMap((name) => {
    const at = memberPath(name, place);
    const own = objects.filter((object) => Object.hasOwn(object, name)).map((object) => object[name]);
    const clause = clauseOf(own, { path: at.path, depth: depth + 1, isSecret: isSecret(name) });
    if (clause === undefined) return [];
    const says = `${name}: ${clause.says}`;
    return own.length === objects.length
      ? [{ text: clause.text, says }]
      : [{ text: `(!${at.has} || ${clause.text})`, says: `${says}, or absent` }];
  });
  return [namesClause(path, names), ...members];
}

/** What wasn't given by anybody isn't given. */
function namesClause(path: string, names: readonly string[]): Clause {
  if (names.length === 0) return { text: `size(${path}) == 0`, says: "nothing is given" };
  return {
    text: `${path}.all(name, name in [${names.map(literal).join(", ")}])`,
    says: `given: ${names.join(", ")}`,
  };
}

/** How a member is written, and how it is asked whether it is there. */
export function memberPath(
  name: string,
  {
    path,
    isDeclared = () => true,
  }: { readonly path: string; readonly isDeclared?: (name: string) => boolean },
): { readonly path: string; readonly has: string } {
  if (/^[A-Za-z_]\w*$/.test(name) && !reserved.has(name) && isDeclared(name)) {
    return { path: `${path}.${name}`, has: `has(${path}.${name})` };
  }
  return { path: `${path}[${literal(name)}]`, has: `(${literal(name)} in ${path})` };
}

/** CEL's words, which are no names. */
const reserved: ReadonlySet<string> = new Set(
  "as break const continue else false for function if import in let loop namespace null package return true var void while".split(
    " ",
  ),
);

/** A value as it was seen, exactly; undefined for one that can't be written or is too long to be. */
export function exactClause(value: unknown, path: string): string | undefined {
  if (typeof value === "string") {
    return value.length > maxExactChars ? undefined : `${path} == ${literal(value)}`;
  }
  const text = exactText(value);
  return text === undefined || text.length > maxExactChars ? undefined : `${path} == ${text}`;
}

const maxExactChars = 200;

function exactText(value: unknown): string | undefined {
  switch (kindOf(value)) {
    case "null":
      return "null";
    case "string":
      return literal(value as string);
    case "boolean":
    case "number":
      return String(value);
    case "list": {
      const items = (value as readonly unknown[]).map(exactText);
      return items.includes(undefined) || items.length > limits.literalElements
        ? undefined
        : `[${items.join(", ")}]`;
    }
    case "object":
    default:
      return undefined;
  }
}
