/** Single members of JSON text put in and taken out where they stand; every other byte stays as it is. */
import { utf8 } from "../kernel/bytes.ts";
import { type Place, scanJson, type Shape, spliced, tolerantScanLimits } from "./json-scan.ts";

const space: ReadonlySet<number | undefined> = new Set([0x20, 0x09, 0x0a, 0x0d]);
const quote = 0x22;
const comma = 0x2c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
/** A member that comes more often than this is somebody's joke. */
const maxRepeats = 16;

/**
 * The object in `bytes` with `value`, JSON text without line breaks, at `path`; objects on the way that aren't there
 * are made. The same bytes if something on the way is no object.
 */
export function withMember(bytes: Uint8Array, path: readonly string[], value: string): Uint8Array {
  let place = scanJson(bytes, shapeOf(path), tolerantScanLimits);
  for (const [i, name] of path.entries()) {
    if (bytes[place.start] !== openBrace) return bytes;
    const next = place.members?.get(name);
    if (next === undefined) return inserted(bytes, place, nested(path.slice(i), value));
    place = next;
  }
  return spliced(bytes, place, utf8(value));
}

/** The object in `bytes` without the member at `path`, however often it is there. */
export function withoutMember(bytes: Uint8Array, path: readonly string[]): Uint8Array {
  let left = bytes;
  for (let i = 0; i < maxRepeats; i++) {
    const place = memberAt(left, path);
    if (place === undefined) return left;
    left = spliced(left, memberSpan(left, place), new Uint8Array(0));
  }
  return left;
}

function memberAt(bytes: Uint8Array, path: readonly string[]): Place | undefined {
  let place: Place | undefined = scanJson(bytes, shapeOf(path), tolerantScanLimits);
  for (const name of path) place = place?.members?.get(name);
  return place;
}

function shapeOf(path: readonly string[]): Shape {
  const [first = "", ...rest] = path;
  return { [first]: rest.length === 0 ? true : shapeOf(rest) };
}

function nested(path: readonly string[], value: string): string {
  const inner = path.slice(1).reduceRight((text, name) => `{${JSON.stringify(name)}:${text}}`, value);
  return `${JSON.stringify(path[0])}:${inner}`;
}

/** As the first member. */
function inserted(bytes: Uint8Array, { start }: Place, member: string): Uint8Array {
  const at = start + 1;
  const isEmpty = bytes[behindSpace(bytes, at, 1)] === closeBrace;
  return spliced(bytes, { start: at, end: at }, utf8(isEmpty ? member : `${member},`));
}

/** From the quote before the name of the member whose value is at `place` to its end, with one of the commas beside it. */
function memberSpan(bytes: Uint8Array, place: Place): Place {
  const colon = behindSpace(bytes, place.start - 1, -1);
  // No name that is looked for has a quote in it, so the next one is where it begins.
  const nameEnd = behindSpace(bytes, colon - 1, -1);
  let start = nameEnd - 1;
  while (bytes[start] !== quote) start--;
  const after = behindSpace(bytes, place.end, 1);
  if (bytes[after] === comma) return { start, end: after + 1 };
  const before = behindSpace(bytes, start - 1, -1);
  return { start: bytes[before] === comma ? before : start, end: place.end };
}

/** The first place from `at` on, in that direction, that is no white space. */
function behindSpace(bytes: Uint8Array, at: number, step: 1 | -1): number {
  let here = at;
  while (space.has(bytes[here])) here += step;
  return here;
}
