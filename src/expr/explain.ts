/** What a condition read, in words that fit on a line and, where asked, give no content away. */
import type { Code, Run } from "./code.ts";
import { limits } from "./limits.ts";
import { Dictionary, Duration, Flow, Halt, List, Timestamp, type Value, valueInWords } from "./values.ts";

/** One path and the value that stood there. */
export interface Explained {
  readonly path: string;
  readonly value: string;
}

/** @throws Exhausted */
export function explain(
  reads: ReadonlyMap<string, Code | undefined>,
  at: Run,
  secret: (path: string) => boolean,
): readonly Explained[] {
  const explained: Explained[] = [];
  for (const [path, code] of reads) {
    if (code === undefined) continue;
    const value = code.run(at);
    const words =
      value instanceof Halt ? haltInWords(value, path) : secret(path) ? sizeInWords(value) : inWords(value);
    explained.push({ path, value: words });
  }
  return explained;
}

function haltInWords(halt: Halt, path: string): string {
  if (halt.missing !== undefined) return "not known yet";
  return halt.why.startsWith(`${path} `) ? halt.why.slice(path.length + 1) : halt.why;
}

/** Of a secret only what it is and how large. */
function sizeInWords(value: Value): string {
  if (typeof value === "string") return `a string of ${value.length} characters`;
  if (value instanceof List) return `a list of ${value.items.length}`;
  return valueInWords(value);
}

function inWords(value: Value): string {
  if (typeof value === "string") return quoted(value, limits.explainedChars);
  if (value instanceof List) return listInWords(value);
  if (value instanceof Dictionary) return `an object with ${Object.keys(value.members).length} members`;
  if (value instanceof Flow) return flowInWords(value);
  if (value instanceof Timestamp) return timeInWords(value);
  if (value instanceof Duration) return durationInWords(value.ms);
  return String(value);
}

function flowInWords({ known }: Flow): string {
  const labels = known.labels();
  return labels.length === 0 ? "nothing with a label was read" : `read: ${labels.join(", ")}`;
}

function timeInWords({ unixMs }: Timestamp): string {
  const date = new Date(unixMs);
  return Number.isNaN(date.getTime()) ? "a time out of range" : date.toISOString();
}

/** In the largest unit that leaves it whole. */
function durationInWords(ms: number): string {
  const units = [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["m", 60_000],
    ["s", 1000],
  ] as const;
  const unit = units.find(([, unitMs]) => ms !== 0 && ms % unitMs === 0);
  return unit === undefined ? (ms === 0 ? "0s" : `${ms}ms`) : `${ms / unit[1]}${unit[0]}`;
}

/** Its first elements, if they are plain. */
function listInWords({ items }: List): string {
  const shown: string[] = [];
  let room: number = limits.explainedChars;
  for (const item of items) {
    const text = plainInWords(item);
    if (text === undefined) return `a list of ${items.length}`;
    room -= text.length + 2;
    if (room < 0) return `a list of ${items.length}: ${[...shown, "…"].join(", ")}`;
    shown.push(text);
  }
  return `[${shown.join(", ")}]`;
}

function plainInWords(item: unknown): string | undefined {
  if (typeof item === "string") return quoted(item, 40);
  return typeof item === "number" || typeof item === "bigint" || typeof item === "boolean"
    ? String(item)
    : undefined;
}

/** In quotes, with everything but visible ASCII escaped: it may come from a stranger and is read on a terminal. */
function quoted(text: string, chars: number): string {
  const shown = JSON.stringify(text.slice(0, chars)).replaceAll(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return text.length > chars ? `${shown}… (${text.length} characters)` : shown;
}
