/**
 * One strict pass over JSON text (RFC 8259, I-JSON RFC 7493): nothing two parsers could read in two
 * ways is let through, and the places of the members a caller asks for are noted on the way.
 */
import { isAscii, isUtf8 } from "node:buffer";

import { concat } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";

/** In a shape: members it doesn't name are noted too. */
export const everyMember = Symbol("every member");

/** Members to note, by name; a nested shape is followed into an object. */
export interface Shape {
  readonly [member: string]: Shape | true;
  readonly [everyMember]?: true;
}

/** A value's place: byte offsets, end exclusive. */
export interface Place {
  readonly start: number;
  readonly end: number;
  /** The noted members, if the value is an object and the shape asked for some. */
  readonly members?: ReadonlyMap<string, Place>;
  /** Of a member that came more than once, which only a tolerant scan takes: the one of the same name before. */
  readonly earlier?: Place;
}

export interface ScanLimits {
  /** Nesting: real messages stay below 20, and every reader's stack is finite. */
  readonly depth: number;
  /** Members and elements in all: bounds the work a small message can cause. */
  readonly members: number;
  /** Takes what two readers may read in two ways; of a member that comes twice, the last counts, as most take it. */
  readonly isTolerant?: boolean;
}

export const defaultScanLimits: ScanLimits = { depth: 64, members: 100_000 };

/** For what a server says: it is its client's to judge, and a client that never got it would wait for ever. */
export const tolerantScanLimits: ScanLimits = { depth: 1000, members: Infinity, isTolerant: true };

/** @throws Refusal `bad_json`, or `bad_message` for a known member in another case; it names the byte, never the content */
export function scanJson(bytes: Uint8Array, shape?: Shape, limits: ScanLimits = defaultScanLimits): Place {
  if (limits.isTolerant !== true && !isUtf8(bytes)) throw new Refusal("bad_json", "Expected UTF-8.");
  const scanner = new Scanner(bytes, limits);
  const place = scanner.value(shape, 0);
  scanner.end();
  return place;
}

/** The value at a place that a scan has noted, with the members of it that the shape asks for. */
export function scanAt(
  bytes: Uint8Array,
  { start }: Pick<Place, "start">,
  shape: Shape,
  limits: ScanLimits = defaultScanLimits,
): Place {
  return new Scanner(bytes, limits, start).value(shape, 0);
}

/** The elements of an array at `place`, which a scan has noted; each with the members that its shape asks for. */
export function scanElements(
  bytes: Uint8Array,
  place: Place,
  shape?: Shape,
  limits: ScanLimits = defaultScanLimits,
): readonly Place[] {
  return bytes[place.start] === openBracket ? new Scanner(bytes, limits, place.start).elements(shape) : [];
}

/** The bytes with the value at `place` replaced; everything else stays as it is. */
export function spliced(bytes: Uint8Array, { start, end }: Place, value: Uint8Array): Uint8Array {
  return concat([bytes.subarray(0, start), value, bytes.subarray(end)]);
}

/** The text of a string whose place the scan noted. */
export function textAt(bytes: Uint8Array, { start, end }: Place): string {
  const raw = view(bytes).toString("utf8", start + 1, end - 1);
  return raw.includes("\\") ? String(JSON.parse(`"${raw}"`)) : raw;
}

const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;

/** Of most messages the engine finds the ends of strings: those are short, ASCII, and have no line break. */
const maxTextBytes = 64 * 1024;

/** Such a message as text, in which offsets are those of its bytes. */
function plainText(bytes: Buffer): string | undefined {
  if (bytes.length > maxTextBytes || !isAscii(bytes)) return undefined;
  const text = bytes.toString("latin1");
  return controls.test(text) ? undefined : text;
}

// oxlint-disable-next-line no-control-regex -- those are what JSON's strings can't hold
const controls = /[\u0000-\u001f]/;

/** From this many members on, a set finds a duplicate faster than a look at each. */
const fewMembers = 12;

class Scanner {
  /** As a Buffer, which has the quickest ways to text. */
  readonly #bytes: Buffer;
  readonly #text: string | undefined;
  readonly #limits: ScanLimits;
  readonly #isTolerant: boolean;
  #at = 0;
  #members = 0;
  /** Whether the string just scanned holds an escape. */
  #escaped = false;
  /** In the text, where the next one begins. */
  #backslashAt = -1;

  constructor(bytes: Uint8Array, limits: ScanLimits, at = 0) {
    this.#bytes = view(bytes);
    this.#text = at === 0 ? plainText(this.#bytes) : undefined;
    this.#limits = limits;
    this.#at = at;
    this.#isTolerant = limits.isTolerant === true;
  }

  end(): void {
    this.#space();
    if (this.#at < this.#bytes.length) throw this.#expected("the end of the message");
  }

  value(shape: Shape | true | undefined, depth: number): Place {
    this.#space();
    const start = this.#at;
    const byte = this.#bytes[start];
    if (byte === quote) this.#string();
    else if (byte === openBrace) return this.#object(shape === true ? undefined : shape, depth + 1);
    else if (byte === openBracket) this.#array(undefined, depth + 1);
    else this.#scalar(byte);
    return { start, end: this.#at };
  }

  #object(shape: Shape | undefined, depth: number): Place {
    const start = this.#at++;
    this.#deeper(depth);
    const noted = shape === undefined ? undefined : new Map<string, Place>();
    const names = this.#isTolerant ? undefined : new Names();
    const isAsked = noted !== undefined || names !== undefined;
    this.#space();
    if (this.#bytes[this.#at] === closeBrace) this.#at++;
    else {
      for (;;) {
        this.#space();
        const name = this.#name(isAsked);
        if (names?.has(name) === true) throw this.#expected("each member once");
        names?.add(name);
        this.#space();
        if (this.#bytes[this.#at++] !== colon) throw this.#expected('":"', -1);
        const wanted = shape && this.#wanted(shape, name);
        const place = this.value(wanted, depth);
        if (wanted !== undefined) note(noted, name, place);
        if (this.#next(closeBrace, "}")) break;
      }
    }
    return { start, end: this.#at, ...(noted && { members: noted }) };
  }

  elements(shape: Shape | undefined): readonly Place[] {
    const places: Place[] = [];
    this.#array((depth) => places.push(this.value(shape, depth)), 1);
    return places;
  }

  /**
   * What the shape asks of a member. Some servers read names without regard to case, so a member that is
   * a known one but for its case would mean one thing here and another there.
   */
  #wanted(shape: Shape, name: string): Shape | true | undefined {
    if (Object.hasOwn(shape, name)) return shape[name];
    const known = this.#isTolerant ? undefined : foldedNames(shape).get(folded(name));
    if (known !== undefined) {
      throw new Refusal(
        "bad_message",
        `Expected the member "${known}" in this spelling before byte ${this.#at}.`,
      );
    }
    return shape[everyMember];
  }

  #array(element: ((depth: number) => void) | undefined, depth: number): void {
    this.#at++;
    this.#deeper(depth);
    this.#space();
    if (this.#bytes[this.#at] === closeBracket) {
      this.#at++;
      return;
    }
    do {
      if (element === undefined) this.value(undefined, depth);
      else element(depth);
    } while (!this.#next(closeBracket, "]"));
  }

  /** After a member or element: true at the end of its object or array. */
  #next(close: number, text: string): boolean {
    if (++this.#members > this.#limits.members) {
      throw new Refusal(
        "bad_json",
        `The message has more than ${this.#limits.members} members and elements.`,
      );
    }
    this.#space();
    const byte = this.#bytes[this.#at++];
    if (byte === close) return true;
    if (byte !== comma) throw this.#expected(`"," or "${text}"`, -1);
    return false;
  }

  #deeper(depth: number): void {
    if (depth > this.#limits.depth) {
      throw new Refusal("bad_json", `The message is nested deeper than ${this.#limits.depth} levels.`);
    }
  }

  /** @returns nothing where nobody asks for it: then it isn't read */
  #name(isAsked: boolean): string {
    const start = this.#at;
    if (this.#bytes[start] !== quote) throw this.#expected("a member's name");
    this.#string();
    if (!isAsked) return "";
    const end = this.#at - 1;
    const raw = this.#text?.slice(start + 1, end) ?? this.#bytes.toString("utf8", start + 1, end);
    return this.#escaped ? String(JSON.parse(`"${raw}"`)) : raw;
  }

  #string(): void {
    const bytes = this.#bytes;
    let at = this.#at + 1;
    this.#escaped = false;
    const end = this.#text === undefined ? -1 : this.#text.indexOf('"', at);
    if (end !== -1 && !this.#hasEscape(at, end)) {
      this.#at = end + 1;
      return;
    }
    for (;;) {
      // Most of a long message is the inside of strings: this loop is all that is done there.
      while (at < bytes.length && plain[bytes[at] ?? 0] === 1) at++;
      const byte = bytes[at];
      if (byte === quote) break;
      if (byte === backslash) {
        this.#escaped = true;
        at = this.#escape(at);
      } else {
        this.#at = at;
        throw this.#expected("the end of a string");
      }
    }
    this.#at = at + 1;
  }

  /** Before the first quote. */
  #hasEscape(at: number, end: number): boolean {
    if (this.#backslashAt < at) {
      const next = this.#text?.indexOf("\\", at) ?? -1;
      this.#backslashAt = next === -1 ? Infinity : next;
    }
    return this.#backslashAt < end;
  }

  /** An escape sequence at `at`; returns the offset behind it. A surrogate stands only with its other half. */
  #escape(at: number): number {
    const kind = this.#bytes[at + 1];
    if (kind !== 0x75) {
      if (kind !== undefined && simpleEscapes.has(kind)) return at + 2;
      this.#at = at;
      throw this.#expected("an escape sequence");
    }
    const unit = this.#hex4(at + 2);
    if (unit < 0xd800 || unit > 0xdfff) return at + 6;
    const isPair = unit < 0xdc00 && this.#bytes[at + 6] === backslash && this.#bytes[at + 7] === 0x75;
    const low = isPair ? this.#hex4(at + 8) : 0;
    if (low >= 0xdc00 && low <= 0xdfff) return at + 12;
    if (this.#isTolerant) return at + 6;
    this.#at = at;
    throw this.#expected("no lone surrogate");
  }

  #hex4(at: number): number {
    let unit = 0;
    for (let i = at; i < at + 4; i++) {
      const digit = hexDigit(this.#bytes[i]);
      if (digit === -1) {
        this.#at = i;
        throw this.#expected("four hexadecimal digits");
      }
      unit = unit * 16 + digit;
    }
    return unit;
  }

  #scalar(byte: number | undefined): void {
    if (byte === 0x74) this.#word("true");
    else if (byte === 0x66) this.#word("false");
    else if (byte === 0x6e) this.#word("null");
    else this.#number();
  }

  #word(word: string): void {
    for (let i = 0; i < word.length; i++) {
      if (this.#bytes[this.#at + i] !== word.charCodeAt(i)) throw this.#expected("a value");
    }
    this.#at += word.length;
  }

  #number(): void {
    const start = this.#at;
    if (this.#bytes[this.#at] === 0x2d) this.#at++;
    if (this.#bytes[this.#at] === 0x30) this.#at++;
    else this.#digits("a value");
    let mayOverflow = this.#at - start > 300;
    if (this.#bytes[this.#at] === 0x2e) {
      this.#at++;
      this.#digits("a digit");
    }
    const exponent = this.#bytes[this.#at];
    if (exponent === 0x65 || exponent === 0x45) {
      mayOverflow = true;
      this.#at++;
      if (this.#bytes[this.#at] === 0x2b || this.#bytes[this.#at] === 0x2d) this.#at++;
      this.#digits("a digit");
    }
    // Beyond a double's range one reader sees infinity, another a big number.
    if (
      !this.#isTolerant &&
      mayOverflow &&
      !Number.isFinite(Number(this.#bytes.toString("latin1", start, this.#at)))
    ) {
      throw this.#expected("a number within the range of a double");
    }
  }

  #digits(what: string): void {
    const start = this.#at;
    for (;;) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined || byte < 0x30 || byte > 0x39) break;
      this.#at++;
    }
    if (this.#at === start) throw this.#expected(what);
  }

  #space(): void {
    for (;;) {
      const byte = this.#bytes[this.#at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return;
      this.#at++;
    }
  }

  #expected(what: string, offset = 0): Refusal {
    return new Refusal("bad_json", `Expected ${what} at byte ${this.#at + offset}.`);
  }
}

function note(noted: Map<string, Place> | undefined, name: string, place: Place): void {
  const earlier = noted?.get(name);
  noted?.set(name, earlier === undefined ? place : { ...place, earlier });
}

/** What a shape names, by how careless readers find it. */
const foldedByShape = new WeakMap<Shape, ReadonlyMap<string, string>>();

function foldedNames(shape: Shape): ReadonlyMap<string, string> {
  const known = foldedByShape.get(shape);
  if (known !== undefined) return known;
  const made = new Map(Object.keys(shape).map((name) => [name.toLowerCase(), name]));
  foldedByShape.set(shape, made);
  return made;
}

/** The names seen in one object. */
class Names {
  #few: string[] = [];
  #many: Set<string> | undefined;

  has(name: string): boolean {
    return this.#many === undefined ? this.#few.includes(name) : this.#many.has(name);
  }

  add(name: string): void {
    if (this.#many !== undefined) this.#many.add(name);
    else if (this.#few.push(name) > fewMembers) this.#many = new Set(this.#few);
  }
}

/** Simple case folding; the long s and the Kelvin sign fold to ASCII letters. */
export function folded(name: string): string {
  return name.replaceAll("\u017F", "s").replaceAll("\u212A", "k").toLowerCase();
}

/** By byte: 1 for what stands for itself within a string. */
const plain = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte === quote || byte === backslash ? 0 : 1,
);

const simpleEscapes: ReadonlySet<number> = new Set(Buffer.from('"\\/bfnrt'));

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
