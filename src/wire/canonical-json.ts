/**
 * The canonical form of JSON text (RFC 8785, JCS), from the text itself: one pass, nothing is built but the result.
 * It is total where JCS isn't: a number that JCS would change the value of stands as it was written (integers beyond
 * 2^53, -0, more digits than a double has), and a lone surrogate as its escape in lower-case hex. So two texts have
 * one form only if they say the same, and whoever applies JCS strictly finds another form, or none, for those.
 */
import { isUtf8 } from "node:buffer";

/** In an omission: the object itself goes if nothing is left in it, or was in it. */
export const ifEmpty = Symbol("if empty");

/** Members that the canonical form is without, by name; a nested one is followed into an object. */
export interface Omission {
  readonly [member: string]: Omission | true;
  readonly [ifEmpty]?: true;
}

/** Nesting: as deep as what servers say is read (`tolerantScanLimits`), and every stack holds it. */
const maxDepth = 1000;

/**
 * The canonical form of a JSON text, as a string whose UTF-8 are the bytes to hash or sign.
 * @returns undefined if it has none: no JSON, no UTF-8, a member that comes twice, more than 1,000 levels
 */
export function canonicalJson(json: Uint8Array, without?: Omission): string | undefined {
  if (!isUtf8(json)) return undefined;
  const text = Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString("utf8");
  const writer = new Writer(text);
  try {
    const form = writer.value(without && leavingOut(without), 0);
    return writer.isAtEnd() ? form : undefined;
  } catch (error) {
    if (error instanceof NoCanonicalForm || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

class NoCanonicalForm extends Error {}

/** An omission as it is looked up in: most names of a message aren't in any. */
interface Without {
  readonly members: ReadonlyMap<string, Without | true>;
  readonly goesIfEmpty: boolean;
}

const known = new WeakMap<Omission, Without>();

function leavingOut(omission: Omission): Without {
  const found = known.get(omission);
  if (found !== undefined) return found;
  const members = new Map(
    Object.entries(omission).map(([name, inner]) => [name, inner === true ? inner : leavingOut(inner)]),
  );
  const made = { members, goesIfEmpty: omission[ifEmpty] === true };
  known.set(omission, made);
  return made;
}

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

interface Member {
  readonly name: string;
  /** In canonical form: name, colon, value; empty if it is left out. */
  readonly text: string;
}

class Writer {
  readonly #text: string;
  #at = 0;
  /** Whether the string just read has an escape. */
  #escaped = false;
  /** What isn't written as it stood so far: a value with none is a piece of the text. */
  #changes = 0;
  /** Where the next one begins. */
  #backslashAt = -1;
  /** Line breaks between members are some, too. */
  readonly #hasControls: boolean;

  constructor(text: string) {
    this.#text = text;
    this.#hasControls = controls.test(text);
  }

  isAtEnd(): boolean {
    this.#space();
    return this.#at === this.#text.length;
  }

  value(without: Without | undefined, depth: number): string {
    this.#space();
    const code = this.#text.charCodeAt(this.#at);
    if (code === quote) return this.#string();
    if (code === openBrace) return this.#object(without, depth + 1);
    if (code === openBracket) return this.#array(depth + 1);
    return this.#scalar();
  }

  #object(without: Without | undefined, depth: number): string {
    const [start, changes] = [this.#at, this.#changes];
    this.#enter(depth);
    const members: Member[] = [];
    let isSorted = true;
    if (this.#text.charCodeAt(this.#at) === closeBrace) this.#at++;
    else {
      do {
        const member = this.#member(without, depth);
        const last = members.at(-1);
        if (last !== undefined && member.name <= last.name) isSorted = false;
        members.push(member);
      } while (this.#hasNext(closeBrace));
    }
    if (isSorted && this.#changes === changes) return this.#text.slice(start, this.#at);
    if (!isSorted) {
      this.#changes++;
      sort(members);
    }
    let body = "";
    for (const { text } of members) if (text !== "") body += body === "" ? text : `,${text}`;
    return `{${body}}`;
  }

  #member(without: Without | undefined, depth: number): Member {
    this.#space();
    if (this.#text.charCodeAt(this.#at) !== quote) throw new NoCanonicalForm();
    const [start, changes] = [this.#at, this.#changes];
    const written = this.#string();
    const name = this.#escaped ? String(JSON.parse(written)) : written.slice(1, -1);
    this.#space();
    if (this.#text.charCodeAt(this.#at++) !== colon) throw new NoCanonicalForm();
    const inner = without?.members.get(name);
    const value = this.value(inner === true ? undefined : inner, depth);
    if (inner === true || (value === "{}" && inner?.goesIfEmpty === true)) {
      this.#changes++;
      return { name, text: "" };
    }
    const isAsItStood = this.#changes === changes;
    return { name, text: isAsItStood ? this.#text.slice(start, this.#at) : `${written}:${value}` };
  }

  #array(depth: number): string {
    const [start, changes] = [this.#at, this.#changes];
    this.#enter(depth);
    if (this.#text.charCodeAt(this.#at) === closeBracket) {
      this.#at++;
      return "[]";
    }
    const values: string[] = [];
    do values.push(this.value(undefined, depth));
    while (this.#hasNext(closeBracket));
    return this.#changes === changes ? this.#text.slice(start, this.#at) : `[${values.join(",")}]`;
  }

  #enter(depth: number): void {
    if (depth > maxDepth) throw new NoCanonicalForm();
    this.#at++;
    this.#space();
  }

  /** After a member or element: whether another follows. */
  #hasNext(close: number): boolean {
    this.#space();
    const code = this.#text.charCodeAt(this.#at++);
    if (code === close) return false;
    if (code !== comma) throw new NoCanonicalForm();
    return true;
  }

  /** What needs no escape stands as it is, and what JCS escapes can't stand there without one. */
  #string(): string {
    const text = this.#text;
    const start = this.#at;
    let end = text.indexOf('"', start + 1);
    const escaped = this.#nextBackslash(start) < end;
    if (escaped) end = this.#escapedEnd(start);
    if (end === -1) throw new NoCanonicalForm();
    this.#at = end + 1;
    this.#escaped = escaped;
    const written = text.slice(start, end + 1);
    // A control character is found by the parser, or here.
    if (escaped) {
      this.#changes++;
      return JSON.stringify(JSON.parse(written));
    }
    if (this.#hasControls && controls.test(written)) throw new NoCanonicalForm();
    return written;
  }

  /** Of a string with escapes: where its last quote is. */
  #escapedEnd(start: number): number {
    for (let at = start + 1; at < this.#text.length; at++) {
      const code = this.#text.charCodeAt(at);
      if (code === quote) return at;
      if (code === backslash) at++;
    }
    return -1;
  }

  #nextBackslash(from: number): number {
    if (this.#backslashAt < from) {
      const at = this.#text.indexOf("\\", from);
      this.#backslashAt = at === -1 ? Infinity : at;
    }
    return this.#backslashAt;
  }

  #scalar(): string {
    scalar.lastIndex = this.#at;
    const [literal] = scalar.exec(this.#text) ?? [];
    if (literal === undefined) throw new NoCanonicalForm();
    this.#at += literal.length;
    if (literal.charCodeAt(0) > 0x39 || plainNumber.test(literal)) return literal;
    this.#changes++;
    return canonicalNumber(literal);
  }

  #space(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at++;
      this.#changes++;
    }
  }
}

// oxlint-disable-next-line no-control-regex -- those are what JSON's strings can't hold
const controls = /[\u0000-\u001f]/;
const scalar = /true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
/** Whole numbers that are written as ECMAScript would. */
const plainNumber = /^(?:0|-?[1-9][0-9]{0,14})$/;

/** By the code units of the names (RFC 8785 §3.2.3). */
function sort(members: Member[]): void {
  members.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (let i = 1; i < members.length; i++) {
    if (members[i]?.name === members[i - 1]?.name) throw new NoCanonicalForm();
  }
}

/** As ECMAScript writes the double (RFC 8785 §3.2.2.3), if that is the same number. */
function canonicalNumber(literal: string): string {
  const value = Number(literal);
  const shortest = String(value);
  return Number.isFinite(value) && !Object.is(value, -0) && isSameNumber(literal, shortest)
    ? shortest
    : literal;
}

function isSameNumber(a: string, b: string): boolean {
  const [one, other] = [decimal(a), decimal(b)];
  return one.digits === other.digits && (one.digits === "" || one.exponent === other.exponent);
}

/** 0.digits · 10^exponent, without zeroes at either end; the sign is the double's. */
function decimal(literal: string): { readonly digits: string; readonly exponent: number } {
  const [mantissa = "", power = "0"] = literal.replace(/^-/, "").toLowerCase().split("e");
  const [whole = "", fraction = ""] = mantissa.split(".");
  const all = whole + fraction;
  let [start, end] = [0, all.length];
  while (start < end && all.charCodeAt(start) === 0x30) start++;
  while (end > start && all.charCodeAt(end - 1) === 0x30) end--;
  return { digits: all.slice(start, end), exponent: whole.length - start + Number(power) };
}
