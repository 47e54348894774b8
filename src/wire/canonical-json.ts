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
    const form = writer.value(without, 0);
    return writer.isAtEnd() ? form : undefined;
  } catch (error) {
    if (error instanceof NoCanonicalForm || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

class NoCanonicalForm extends Error {}

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
  /** In canonical form: name, colon, value. */
  readonly text: string;
}

class Writer {
  readonly #text: string;
  #at = 0;
  /** Whether the string just read has an escape. */
  #escaped = false;

  constructor(text: string) {
    this.#text = text;
  }

  isAtEnd(): boolean {
    this.#space();
    return this.#at === this.#text.length;
  }

  value(without: Omission | undefined, depth: number): string {
    this.#space();
    const code = this.#text.charCodeAt(this.#at);
    if (code === quote) return this.#string();
    if (code === openBrace) return this.#object(without, depth + 1);
    if (code === openBracket) return this.#array(depth + 1);
    return this.#scalar();
  }

  #object(without: Omission | undefined, depth: number): string {
    this.#enter(depth);
    const members: Member[] = [];
    let isSorted = true;
    let last = "";
    if (this.#text.charCodeAt(this.#at) === closeBrace) this.#at++;
    else {
      do {
        this.#space();
        if (this.#text.charCodeAt(this.#at) !== quote) throw new NoCanonicalForm();
        const written = this.#string();
        const name = this.#escaped ? String(JSON.parse(written)) : written.slice(1, -1);
        this.#space();
        if (this.#text.charCodeAt(this.#at++) !== colon) throw new NoCanonicalForm();
        if (members.length > 0 && name <= last) isSorted = false;
        last = name;
        members.push({ name, text: this.#member(written, omitted(without, name), depth) });
      } while (this.#hasNext(closeBrace));
    }
    if (!isSorted) sort(members);
    let body = "";
    for (const { text } of members) if (text !== "") body += body === "" ? text : `,${text}`;
    return `{${body}}`;
  }

  /** Name, colon and value; nothing if it is left out. */
  #member(written: string, without: Omission | true | undefined, depth: number): string {
    const value = this.value(without === true ? undefined : without, depth);
    if (without === true) return "";
    if (value === "{}" && without?.[ifEmpty] === true) return "";
    return `${written}:${value}`;
  }

  #array(depth: number): string {
    this.#enter(depth);
    if (this.#text.charCodeAt(this.#at) === closeBracket) {
      this.#at++;
      return "[]";
    }
    let body = "";
    do {
      const value = this.value(undefined, depth);
      body += body === "" ? value : `,${value}`;
    } while (this.#hasNext(closeBracket));
    return `[${body}]`;
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
    let at = start + 1;
    let escaped = false;
    for (;;) {
      const code = text.charCodeAt(at);
      if (code === quote) break;
      if (code === backslash) {
        escaped = true;
        at += 2;
      } else if (code >= 0x20) at++;
      else throw new NoCanonicalForm();
      if (at >= text.length) throw new NoCanonicalForm();
    }
    this.#at = at + 1;
    this.#escaped = escaped;
    const written = text.slice(start, at + 1);
    return escaped ? JSON.stringify(JSON.parse(written)) : written;
  }

  #scalar(): string {
    scalar.lastIndex = this.#at;
    const [literal] = scalar.exec(this.#text) ?? [];
    if (literal === undefined) throw new NoCanonicalForm();
    this.#at += literal.length;
    return plainNumber.test(literal) || literal.charCodeAt(0) > 0x39 ? literal : canonicalNumber(literal);
  }

  #space(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at++;
    }
  }
}

const scalar = /true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
/** Whole numbers that are written as ECMAScript would. */
const plainNumber = /^(?:0|-?[1-9][0-9]{0,14})$/;

function omitted(without: Omission | undefined, name: string): Omission | true | undefined {
  return without !== undefined && Object.hasOwn(without, name) ? without[name] : undefined;
}

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
