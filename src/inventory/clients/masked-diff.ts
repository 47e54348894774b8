/** What changes in a configuration, as a unified diff in which no secret stands. */
import { printable } from "../../kernel/printable.ts";
import type { ClientKind } from "./client-kinds.ts";
import { configDocument, isTable, type Value } from "./config-document.ts";
import { secretsOf, secretsOfArgument, withoutSecrets } from "./secrets.ts";

const contextLines = 3;
const maxLineChars = 400;
const hidden = "<secret>";

export interface Change {
  readonly file: string;
  readonly before: string;
  readonly after: string;
  readonly format: ClientKind["format"];
}

/** @returns lines; none if nothing changes */
export function maskedDiff({ file, before, after, format }: Change): readonly string[] {
  if (before === after) return [];
  const [old, now] = [linesOf(before), linesOf(after)];
  const mask = masker([before, after], format);
  const hunks = hunksOf(changesOf(old, now), old.length);
  return [
    `--- ${printable(file, 1000)}`,
    `+++ ${printable(file, 1000)}`,
    ...hunks.flatMap((hunk) =>
      hunkLines(hunk, old, now).map((line) => line.slice(0, 1) + mask(line.slice(1))),
    ),
  ];
}

function linesOf(text: string): readonly string[] {
  return text.replace(/^\uFEFF/, "").split(/\r?\n/);
}

/** Lines `[from, to)` of the old text become those of the new one. */
interface LineChange {
  readonly old: readonly [number, number];
  readonly now: readonly [number, number];
}

/** How far a line is looked for again; what moved further is shown as taken out and put in. */
const maxLook = 400;

/** Not the shortest diff: each difference ends at the nearest line that both have. */
function changesOf(old: readonly string[], now: readonly string[]): readonly LineChange[] {
  const changes: LineChange[] = [];
  let [o, n] = [0, 0];
  while (o < old.length || n < now.length) {
    if (o < old.length && old[o] === now[n]) {
      o += 1;
      n += 1;
      continue;
    }
    const { skipOld, skipNow } = nearestMatch(old, now, o, n);
    changes.push({ old: [o, o + skipOld], now: [n, n + skipNow] });
    o += skipOld;
    n += skipNow;
  }
  return changes;
}

function nearestMatch(
  old: readonly string[],
  now: readonly string[],
  o: number,
  n: number,
): { readonly skipOld: number; readonly skipNow: number } {
  const look = Math.min(maxLook, Math.max(old.length - o, now.length - n) * 2);
  for (let sum = 1; sum <= look; sum += 1) {
    for (let skipNow = 0; skipNow <= sum; skipNow += 1) {
      const skipOld = sum - skipNow;
      if (o + skipOld >= old.length || n + skipNow >= now.length) continue;
      const line = old[o + skipOld];
      if (line === now[n + skipNow] && line?.trim() !== "") return { skipOld, skipNow };
    }
  }
  return { skipOld: old.length - o, skipNow: now.length - n };
}

interface Hunk {
  readonly from: number;
  readonly to: number;
  readonly changes: readonly LineChange[];
}

function hunksOf(changes: readonly LineChange[], length: number): readonly Hunk[] {
  const hunks: Hunk[] = [];
  for (const change of changes) {
    const from = Math.max(0, change.old[0] - contextLines);
    const to = Math.min(length, change.old[1] + contextLines);
    const last = hunks.at(-1);
    if (last !== undefined && from <= last.to)
      hunks[hunks.length - 1] = { from: last.from, to, changes: [...last.changes, change] };
    else hunks.push({ from, to, changes: [change] });
  }
  return hunks;
}

function hunkLines({ from, to, changes }: Hunk, old: readonly string[], now: readonly string[]): string[] {
  const lines: string[] = [];
  let at = from;
  for (const change of changes) {
    lines.push(...old.slice(at, change.old[0]).map((line) => ` ${line}`));
    lines.push(...old.slice(...change.old).map((line) => `-${line}`));
    lines.push(...now.slice(...change.now).map((line) => `+${line}`));
    [, at] = change.old;
  }
  lines.push(...old.slice(at, to).map((line) => ` ${line}`));
  const first = changes[0]?.now[0] ?? 0;
  const before = (changes[0]?.old[0] ?? 0) - from;
  const added = lines.filter((line) => !line.startsWith("-")).length;
  return [`@@ -${from + 1},${to - from} +${first - before + 1},${added} @@`, ...lines];
}

/** Values under these keys are shown of none: whether one is a secret is for nobody to guess. */
const hiddenTables = new Set(["env", "headers", "http_headers", "requestInit"]);
const leastHidden = 3;

function masker(texts: readonly string[], format: ClientKind["format"]): (line: string) => string {
  const found = new Set<string>();
  for (const text of texts) collect(configDocument(text, format).root, undefined, false, found);
  const values = [...found].toSorted((a, b) => b.length - a.length);
  return (line) => {
    let masked = line;
    for (const value of values) masked = masked.replaceAll(value, hidden);
    return printable(withoutSecrets([masked])[0] ?? "", maxLineChars);
  };
}

function collect(value: Value, key: string | undefined, isHidden: boolean, found: Set<string>): void {
  if (isTable(value)) {
    for (const [name, one] of value) collect(one, name, isHidden || hiddenTables.has(name), found);
  } else if (Array.isArray(value)) {
    const command = value.map((one) => (typeof one === "string" ? one : ""));
    value.forEach((one, at) => {
      const isSecret = typeof one === "string" && secretsOfArgument(command, at).length > 0;
      collect(one, key, isHidden || isSecret, found);
    });
  } else if (typeof value === "string" && (isHidden || secretsOf(key, value).length > 0)) note(value, found);
}

/** As it is, as JSON writes it, and line by line, as TOML may. */
function note(value: string, found: Set<string>): void {
  const forms = [value, JSON.stringify(value).slice(1, -1), ...value.split(/\r?\n/)];
  for (const form of forms) if (form.trim().length >= leastHidden) found.add(form);
}
