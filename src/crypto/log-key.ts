/**
 * A log's public key: the keys of each generation, which sign its heads one generation after the other
 * (docs/formats/log.md). The text form is a list of C2SP verifier keys with a comment before each generation.
 */
import { toHex, utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { sha256 } from "./hash.ts";
import { type NoteVerifier, noteVerifier } from "./note-keys.ts";
import { logFloors } from "./suites/signatures.ts";

export interface LogGeneration {
  /** From 1. */
  readonly number: number;
  readonly keys: readonly NoteVerifier[];
}

/** Generations that follow one another, newest last. */
export type LogKey = readonly LogGeneration[];

/** Bound on a log key file: sixteen generations of four keys. Older ones are found by the crossings in the log. */
const maxLogKeys = 64;
/** How often a log's keys may rotate; each costs a verifier a file and eight signatures. */
export const maxGenerations = 1024;

/**
 * A log's public key file: one vkey a line. `# generation N` begins a generation, without it the first is 1; empty
 * lines and other lines that start with `#` don't count. All keys have one name, the log's origin.
 * @throws Refusal `bad_config`
 */
export function readLogKey(text: string): LogKey {
  const generations: { number: number; keys: NoteVerifier[] }[] = [];
  let count = 0;
  for (const line of text.split("\n").map((line) => line.trim())) {
    const number = numberIn(line, generations.length === 0);
    if (number === undefined && line.startsWith("# generation")) throw noNumber(line);
    if (number !== undefined) {
      requireNext(number, generations.at(-1));
      generations.push({ number, keys: [] });
    }
    if (!isKey(line)) continue;
    count++;
    if (count > maxLogKeys) break;
    generations.at(-1)?.keys.push(noteVerifier(line));
  }
  requireOneName(generations.flatMap(({ keys }) => keys));
  const isWhole = count > 0 && count <= maxLogKeys && generations.at(-1)?.keys.length !== 0;
  if (isWhole) return generations;
  const found = count > maxLogKeys ? "more" : count === 0 ? "none" : "a generation without any";
  throw new Refusal("bad_config", `A log key file has 1 to ${maxLogKeys} keys; this one has ${found}.`);
}

/** The public key file of the newest of these generations, as many as it may hold. */
export function formatLogKey(
  generations: readonly { readonly number: number; readonly keys: readonly { readonly vkey: string }[] }[],
): string {
  let room = maxLogKeys;
  const newest = generations.toReversed().filter(({ keys }) => (room -= keys.length) >= 0);
  return newest
    .toReversed()
    .map(({ number, keys }) => `# generation ${number}\n${keyLines(keys)}`)
    .join("");
}

/** SHA-256 of a generation's lines in the key file, in lower-case hexadecimal: how an entry names its keys. */
export function keysHash(keys: readonly { readonly vkey: string }[]): string {
  return toHex(sha256(utf8(keyLines(keys))));
}

/** Why no head of a generation with such keys counts; undefined if its heads do. */
export function weaknessOfKeys(keys: readonly NoteVerifier[]): string | undefined {
  const has = new Set<string>(keys.map(({ suiteId }) => suiteId));
  if (logFloors.some((floor) => floor.every((id) => has.has(id)))) return undefined;
  return `it needs keys of ${logFloors.map((floor) => floor.join(" and ")).join(", or of ")}`;
}

/** Whether both are the same generation to a verifier: the keys without which no head counts are the same. */
export function hasSameKeys(a: readonly NoteVerifier[], b: readonly NoteVerifier[]): boolean {
  const required = (keys: readonly NoteVerifier[]): string =>
    keys
      .filter(({ role }) => role === "required")
      .map(({ vkey }) => vkey)
      .sort()
      .join("\n");
  return required(a) === required(b);
}

function isKey(line: string): boolean {
  return line !== "" && !line.startsWith("#");
}

/** Of the generation that begins with a line; undefined if none does. */
function numberIn(line: string, isFirst: boolean): number | undefined {
  const digits = /^# generation ([1-9][0-9]{0,3})$/.exec(line)?.[1];
  if (digits !== undefined) return Number(digits);
  return isFirst && isKey(line) ? 1 : undefined;
}

function noNumber(line: string): Refusal {
  return new Refusal(
    "bad_config",
    `"${line.slice(0, 40)}" begins no generation of a log key file; "# generation 1" does.`,
  );
}

function requireNext(number: number, last: LogGeneration | undefined): void {
  if (last === undefined || (last.keys.length > 0 && number === last.number + 1)) return;
  throw new Refusal("bad_config", `A log key file has its generations in order; ${number} isn't next.`);
}

function requireOneName(keys: readonly NoteVerifier[]): void {
  const [first] = keys;
  const other = keys.find(({ name }) => name !== first?.name);
  if (first === undefined || other === undefined) return;
  throw new Refusal(
    "bad_config",
    `A log key file has the keys of one log; this one has keys of ${first.name} and of ${other.name}.`,
  );
}

function keyLines(keys: readonly { readonly vkey: string }[]): string {
  return keys.map(({ vkey }) => `${vkey}\n`).join("");
}
