/** The values of a call's arguments, as words; bounded however large the call is. */
import { keptText } from "./kept-text.ts";
import { said } from "./said.ts";
import { isSilent } from "./vocabulary.ts";
import { eachWord } from "./words.ts";

/** Of numbers and texts together, unless there are more texts. */
const maxValues = 48;
const maxTexts = 256;
/** Members and items that are looked at. */
const maxSeen = 4096;
const maxDepth = 12;
const maxWordsOfValue = 96;
const maxWordsOfCall = 512;
const maxCharsOfValue = 4096;
/** As far as values are told from each other by their text. */
const keptChars = 80;
const keptCharsOfName = 64;

export interface CallValue {
  /** A path such as `recipient` or `participants[]`. */
  readonly param: string;
  /** Distinct words that say something. */
  readonly words: readonly number[];
  /** Those of them that name something: addresses, accounts, files, long numbers. */
  readonly names: readonly number[];
  /** All words in order, for shingles; of long values only. */
  readonly sequence: readonly number[];
  /** As written, cut. */
  readonly text: string;
  readonly chars: number;
  readonly number: number | undefined;
  readonly domain: string | undefined;
}

export function callValues(args: unknown): readonly CallValue[] {
  const values: CallValue[] = [];
  let room = maxWordsOfCall;
  for (const [param, leaf] of leavesOf(args)) {
    const value = valueOf(param, leaf, room);
    room -= value.words.length;
    values.push(value);
  }
  return values;
}

type Leaf = string | number | bigint;

/** All texts, and numbers as far as there is room beside them: numbers are the cheaper filler. */
function leavesOf(args: unknown): readonly (readonly [string, Leaf])[] {
  const leaves: [string, Leaf][] = [];
  let texts = 0;
  let seen = 0;
  const walk = (value: unknown, param: string, depth: number): void => {
    if (texts >= maxTexts || depth > maxDepth || ++seen > maxSeen) return;
    if (typeof value === "string") texts++;
    if (typeof value === "string" || typeof value === "number" || typeof value === "bigint")
      leaves.push([param, value]);
    else if (Array.isArray(value)) {
      const path = `${param}[]`;
      for (const each of value.slice(0, maxSeen)) walk(each, path, depth + 1);
    } else if (typeof value === "object" && value !== null) walkMembers(value, param, depth);
  };
  const walkMembers = (value: object, param: string, depth: number): void => {
    for (const name in value) {
      if (seen >= maxSeen || !Object.hasOwn(value, name)) break;
      const short = keptText(name, keptCharsOfName);
      const path = param === "" ? short : `${param}.${short}`;
      walk((value as Record<string, unknown>)[name], path.slice(0, 256), depth + 1);
    }
  };
  walk(args, "", 0);
  let room = Math.max(0, maxValues - texts);
  return leaves.filter(([, leaf]) => typeof leaf === "string" || room-- > 0);
}

function valueOf(param: string, leaf: Leaf, room: number): CallValue {
  const whole = String(leaf);
  const text = said(whole.slice(0, maxCharsOfValue));
  const distinct = new Set<number>();
  const names = new Set<number>();
  const sequence: number[] = [];
  const atMost = Math.min(maxWordsOfValue, Math.max(4, room));
  const word = (hash: number, shape: number): void => {
    if (isSilent(hash)) return;
    sequence.push(hash);
    distinct.add(hash);
    if (shape === 2) names.add(hash);
  };
  eachWord(text, { word, mark: () => undefined }, atMost);
  const isBareName = sequence.length === 1 && text.length >= 4 && /\d/.test(text) && !isDateOrSmall(text);
  const [only] = sequence;
  if (isBareName && only !== undefined) names.add(only);
  if (isDateOrSmall(text)) names.clear();
  return {
    param,
    words: [...distinct],
    names: [...names],
    sequence: whole.length > 60 ? sequence : [],
    text: keptText(text, keptChars),
    chars: whole.length,
    number: numberOf(leaf, text),
    domain: whole.length < 400 ? domainOf(text) : undefined,
  };
}

function numberOf(leaf: Leaf, text: string): number | undefined {
  const number =
    typeof leaf === "string" && !/^-?\d{1,15}(?:\.\d{1,9})?$/.test(text) ? Number.NaN : Number(leaf);
  return Number.isFinite(number) ? number : undefined;
}

function isDateOrSmall(text: string): boolean {
  return (
    text.length < 40 &&
    /^(?:\d{4}-\d{1,2}-\d{1,2}(?:[T ][\d:.+Z-]*)?|\d{1,2}:\d\d(?::\d\d)?|\d{1,3}|[12]\d{3}|\d{1,6}\.\d{1,2})$/.test(
      text,
    )
  );
}

function domainOf(text: string): string | undefined {
  const at =
    /@([a-z\d-]{1,63}(?:\.[a-z\d-]{1,63}){1,6})\s*$/i.exec(text) ??
    /^(?:https?:\/\/)?(?:www\.)?([a-z\d-]{1,63}(?:\.[a-z\d-]{1,63}){0,4}\.[a-z]{2,24})(?:[/:?#]|$)/i.exec(
      text,
    );
  return at?.[1]?.toLowerCase();
}
