/** Single members of JSON text put in and taken out where they stand; every other byte stays as it is. */
import { utf8 } from "../kernel/bytes.ts";
import { type Place, scanElements, scanJson, type Shape, spliced, tolerantScanLimits } from "./json-scan.ts";

/** Text to stand in the place of some bytes; an insertion where those are none. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** The bytes with all edits made, which don't overlap; each says its offsets in `bytes`. */
export function edited(bytes: Uint8Array, edits: readonly Edit[]): Uint8Array {
  if (edits.length === 0) return bytes;
  let length = bytes.length;
  for (const { start, end, text } of edits) length += Buffer.byteLength(text) - (end - start);
  const whole = Buffer.allocUnsafe(length);
  let [from, at] = [0, 0];
  for (const { start, end, text } of inOrder(edits)) {
    whole.set(bytes.subarray(from, start), at);
    at += start - from;
    at += whole.write(text, at);
    from = end;
  }
  whole.set(bytes.subarray(from), at);
  return whole;
}

function inOrder<T extends { readonly start: number }>(places: readonly T[]): readonly T[] {
  return places.length === 1 ? places : places.toSorted((a, b) => a.start - b.start);
}

/** Puts a member, name and value, in front of the others of the object at `place`. */
export function insertion(bytes: Uint8Array, { start }: Pick<Place, "start">, member: string): Edit {
  const at = start + 1;
  const isEmpty = bytes[behindSpace(bytes, at, 1)] === closeBrace;
  return { start: at, end: at, text: isEmpty ? member : `${member},` };
}

/** Take out the members whose values are at these places, each with one of the commas beside it. */
export function removals(bytes: Uint8Array, places: readonly Place[]): readonly Edit[] {
  return memberSpans(bytes, places).map(({ start, end }) => ({ start, end, text: "" }));
}

const space: ReadonlySet<number | undefined> = new Set([0x20, 0x09, 0x0a, 0x0d]);
const quote = 0x22;
const comma = 0x2c;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/**
 * The object in `bytes` with `value`, JSON text without line breaks, at `path`; objects on the way that aren't there
 * are made. The same bytes if something on the way is no object.
 */
export function withMember(bytes: Uint8Array, path: readonly string[], value: string): Uint8Array {
  let place = scanJson(bytes, shapeOf(path), tolerantScanLimits);
  for (const [i, name] of path.entries()) {
    if (bytes[place.start] !== openBrace) return bytes;
    const next = place.members?.get(name);
    if (next === undefined) return edited(bytes, [insertion(bytes, place, nested(path.slice(i), value))]);
    place = next;
  }
  return spliced(bytes, place, utf8(value));
}

/**
 * The object in `bytes`, or each object of the array, without the member at `path`: however often that is there, and
 * however often each of the objects on the way. The same bytes if it isn't there.
 * @throws Refusal `bad_json`
 */
export function withoutMember(bytes: Uint8Array, path: readonly string[]): Uint8Array {
  const shape = shapeOf(path);
  const top = scanJson(bytes, shape, tolerantScanLimits);
  let found = [top, ...scanElements(bytes, top, shape, tolerantScanLimits)];
  for (const name of path) found = found.flatMap((place) => occurrences(place.members?.get(name)));
  return edited(bytes, removals(bytes, found));
}

/** All of one name in one object. */
function occurrences(last: Place | undefined): Place[] {
  const places: Place[] = [];
  for (let place = last; place !== undefined; place = place.earlier) places.push(place);
  return places;
}

function shapeOf(path: readonly string[]): Shape {
  const [first = "", ...rest] = path;
  return { [first]: rest.length === 0 ? true : shapeOf(rest) };
}

function nested(path: readonly string[], value: string): string {
  const inner = path.slice(1).reduceRight((text, name) => `{${JSON.stringify(name)}:${text}}`, value);
  return `${JSON.stringify(path[0])}:${inner}`;
}

/** Each from the quote before the name of the member whose value is at its place to its end, with one of the commas beside it. */
function memberSpans(bytes: Uint8Array, places: readonly Place[]): readonly Place[] {
  const spans: Place[] = [];
  for (const { start: value, end } of inOrder(places)) {
    let start = nameStart(bytes, value);
    const after = behindSpace(bytes, end, 1);
    if (bytes[after] === comma) {
      spans.push({ start, end: after + 1 });
      continue;
    }
    // The comma before it may go with the members before it; then it is the one before those.
    let before = behindSpace(bytes, start - 1, -1);
    for (let last = spans.at(-1); last !== undefined && last.end === before + 1; last = spans.at(-1)) {
      ({ start } = last);
      before = behindSpace(bytes, start - 1, -1);
      spans.pop();
    }
    spans.push({ start: bytes[before] === comma ? before : start, end });
  }
  return spans;
}

function nameStart(bytes: Uint8Array, value: number): number {
  const colon = behindSpace(bytes, value - 1, -1);
  // No name that is looked for has a quote in it, so the next one is where it begins.
  let start = behindSpace(bytes, colon - 1, -1) - 1;
  while (bytes[start] !== quote) start--;
  return start;
}

/** The first place from `at` on, in that direction, that is no white space. */
function behindSpace(bytes: Uint8Array, at: number, step: 1 | -1): number {
  let here = at;
  while (space.has(bytes[here])) here += step;
  return here;
}
