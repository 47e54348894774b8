/** Conditions on texts: the values where they repeat; else hosts, domains, folders; else what they look like. */
import { limits } from "../../expr/limits.ts";
import { type Clause, literal, quoted } from "./literal.ts";
import { roomFor } from "./plain-figures.ts";

/** A set is written out up to so many values, none of them longer than people read. */
const maxValues = 24;
const maxValueChars = 120;
/** How often a value has to come, on average, for its set to be taken as whole; of prose, which repeats by chance, more often. */
const often = 2;
const oftenOfProse = 5;

export function stringClause(values: readonly string[], path: string): Clause | undefined {
  const seen = [...new Set(values)].toSorted();
  const general = hostsClause(seen, path) ?? momentsClause(seen, path);
  if (general !== undefined) return general;
  if (isSet(values, seen)) return setClause(seen, path);
  return (
    domainsClause(seen, path) ??
    foldersClause(seen, path) ??
    shapeClause(seen, path) ??
    proseClause(seen, path)
  );
}

/** Conditions on what is nobody's to read in a rule: its length. */
export function secretClause(values: readonly string[], path: string): Clause {
  const longest = roomFor(longestOf(values));
  return { text: `size(${path}) <= ${longest}`, says: "kept out of the rule" };
}

/** Whether what comes next is expected to be among what came. */
function isSet(values: readonly string[], seen: readonly string[]): boolean {
  if (seen.length > maxValues || seen.some((value) => value.length > maxValueChars)) return false;
  if (seen.length === 1) return values.length >= often || !isProse(seen[0] ?? "");
  return values.length >= seen.length * (seen.some(isProse) ? oftenOfProse : often);
}

/** Words rather than a name: what comes next is said in other words. */
export function isProse(text: string): boolean {
  return /\S\s+\S/.test(text);
}

/** The values themselves, of whatever kind they are. */
function setClause(seen: readonly string[], path: string): Clause {
  const [only] = seen;
  if (seen.length === 1 && only !== undefined) {
    return { text: `${path} == ${literal(only)}`, says: "always the same" };
  }
  return { text: `${path} in [${seen.map(literal).join(", ")}]`, says: `one of ${seen.length} values` };
}

const url = /^(https?:\/\/)?((?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,})(?::\d+)?(?:[/?#][^\s]*)?$/;

/** Addresses on the web: their hosts, and their schemes. */
function hostsClause(seen: readonly string[], path: string): Clause | undefined {
  const read = seen.map((text) => url.exec(text));
  if (read.includes(null) || !seen.some((text) => /\/|^www\./.test(text))) return undefined;
  const hosts = distinct(read.map((found) => found?.[2] ?? ""));
  const schemes = distinct(read.map((found) => found?.[1] ?? ""));
  const scheme = `(?:${schemes.map(quoted).join("|")})`;
  return patternClause(path, {
    pattern: `^${scheme}(?:${hosts.map(quoted).join("|")})(?::[0-9]+)?(?:[/?#]\\S*)?$`,
    says: `addresses on ${hosts.length} hosts`,
  });
}

const mail = /^[^\s@<>,;]+@((?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,})$/;

function domainsClause(seen: readonly string[], path: string): Clause | undefined {
  const read = seen.map((text) => mail.exec(text));
  if (read.includes(null)) return undefined;
  const domains = distinct(read.map((found) => found?.[1] ?? ""));
  return patternClause(path, {
    pattern: `^[^\\s@<>,;]+@(?:${domains.map(quoted).join("|")})$`,
    says: `mail addresses of ${domains.length} domains`,
  });
}

/** More folders than that are no folders any more. */
const maxFolders = 12;

function foldersClause(seen: readonly string[], path: string): Clause | undefined {
  const isPath = (text: string): boolean => /^(?:[\w.~-]*\/)+[^/\n]*$/.test(text) && !text.includes("..");
  if (!seen.every(isPath)) return undefined;
  const folders = topmost(seen.map((text) => text.slice(0, text.lastIndexOf("/") + 1)));
  if (folders.length > maxFolders) return undefined;
  const starts = folders.map((folder) => `${path}.startsWith(${literal(folder)})`).join(" || ");
  const longest = roomFor(longestOf(seen));
  return {
    text: `(${starts}) && !${path}.contains("..") && size(${path}) <= ${longest}`,
    says: `paths below ${folders.length} folders`,
  };
}

/** Without those that are below others. */
function topmost(folders: readonly string[]): readonly string[] {
  const all = distinct(folders);
  return all.filter((folder) => !all.some((other) => other !== folder && folder.startsWith(other)));
}

const day = "[0-9]{4}-[0-9]{2}-[0-9]{2}";
const hour = "[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.][0-9]+)?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?";

/** Points in time: new ones come every day, however often the old ones came. */
const moments = [
  ["dates", `^${day}$`],
  ["dates with times", `^${day}${hour}$`],
  ["dates, with times or without", `^${day}(?:${hour})?$`],
] as const;

function momentsClause(seen: readonly string[], path: string): Clause | undefined {
  const found = looksLike(moments, seen);
  return found && patternClause(path, found);
}

/** What all values may look like, the narrowest first. */
const shapes = [
  ["digits", "^[0-9]+$"],
  ["UUIDs", "^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"],
  ["letters and digits", "^[A-Za-z0-9]+$"],
  ["identifiers", "^[A-Za-z0-9_-]+$"],
] as const;

function shapeClause(seen: readonly string[], path: string): Clause | undefined {
  const found = looksLike(shapes, seen);
  if (found === undefined) return undefined;
  const longest = roomFor(longestOf(seen));
  const clause = patternClause(path, found);
  return clause && { ...clause, text: `${clause.text} && size(${path}) <= ${longest}` };
}

function looksLike(
  kinds: readonly (readonly [string, string])[],
  seen: readonly string[],
): { readonly says: string; readonly pattern: string } | undefined {
  const [says, pattern] =
    kinds.find(([, each]) => seen.every((text) => new RegExp(each, "u").test(text))) ?? [];
  return says === undefined || pattern === undefined ? undefined : { says, pattern };
}

/** Whether it is a point in time, as momentsClause has them. */
export function isMoment(text: string): boolean {
  return looksLike(moments, [text]) !== undefined;
}

/** Whatever else: its length, its lines, and what of the outside it names. */
function proseClause(seen: readonly string[], path: string): Clause {
  const longest = longestOf(seen);
  const parts = [`size(${path}) <= ${roomFor(longest)}`];
  const says = [`texts of up to ${longest} characters`];
  if (!seen.some((text) => text.includes("\n"))) {
    parts.push(`!${path}.contains("\\n")`);
    says.push("of one line");
  }
  const named = namedClause(seen, path);
  if (named !== undefined) {
    parts.push(named.text);
    says.push(named.says);
  }
  return { text: parts.join(" && "), says: says.join(", ") };
}

/** As conditions count it: characters, not code units. */
function longestOf(texts: readonly string[]): number {
  return texts.reduce((most, text) => Math.max(most, Array.from(text).length), 0);
}

/** Hosts, mail domains, file names: words with dots in them. What is named outside of these is a text's way out. */
const dotted = /[\w-]+(?:\.+[\w-]+)+/g;
const maxNamed = 16;

function namedClause(seen: readonly string[], path: string): Clause | undefined {
  const words = distinct(seen.flatMap((text) => text.match(dotted) ?? [])).filter(
    (word) => !/^\d+(?:\.\d+)+$/.test(word),
  );
  const known = words.length === 0 ? "" : `${words.map(quoted).join("|")}|`;
  const word = `(?:${known}[0-9]+(?:[.][0-9]+)+|[\\w-]+)`;
  const pattern = `^[^\\w-]*(?:${word}(?:[.]*[^\\w.-][^\\w-]*|[.]*$))*$`;
  if (words.length <= maxNamed && pattern.length <= limits.patternChars) {
    const says = words.length === 0 ? "that name no host" : `that name no host but ${words.length} known`;
    return { text: `${path}.matches(${literal(pattern)})`, says };
  }
  if (seen.some((text) => /:\/\/|www\./i.test(text))) return undefined;
  return { text: `!${path}.matches("(?i)://|www[.]")`, says: "without links" };
}

function patternClause(
  path: string,
  { pattern, says }: { readonly pattern: string; readonly says: string },
): Clause | undefined {
  if (pattern.length > limits.patternChars) return undefined;
  return { text: `${path}.matches(${literal(pattern)})`, says };
}

function distinct(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)].toSorted();
}
