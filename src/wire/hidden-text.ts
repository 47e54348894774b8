/**
 * Text that a model reads and a person doesn't see: characters without a glyph, letters that pose as others, what is
 * encoded, what a page doesn't render, what moves a terminal's cursor. Each is found with what it says.
 */
import { hiddenCharacters } from "./hidden-characters.ts";
import { hiddenPayloads } from "./hidden-payloads.ts";
import { posingLetters } from "./posing-letters.ts";

export type HiddenKind =
  /** Has no glyph and no width. */
  | "zero-width"
  /** Changes the order in which text is shown. */
  | "bidi"
  /** U+E0000…U+E007F: ASCII once more, unseen. */
  | "tags"
  /** Unseen marks behind a character, of which 256 make a byte. */
  | "variation-selectors"
  /** Moves a terminal's cursor, colours or erases. */
  | "ansi"
  | "control"
  /** No character that is assigned, or one of no agreed meaning. */
  | "unassigned"
  /** Pushed out of sight by white space. */
  | "white-space"
  /** Letters that look like those of another script. */
  | "homoglyphs"
  /** Letters in another style, which look like ASCII and aren't. */
  | "styled"
  /** Base64, hexadecimal or escapes that decode to text. */
  | "encoded"
  /** What a page doesn't show: an HTML comment, an element that isn't displayed. */
  | "unrendered";

/** `hold`: nobody writes that for readers; `note`: it is also found in honest texts. */
export type Severity = "hold" | "note";

export interface HiddenSpan {
  readonly kind: HiddenKind;
  readonly severity: Severity;
  /** UTF-16 offsets, end exclusive. */
  readonly start: number;
  readonly end: number;
  /** What it is or what it says, in words. */
  readonly says: string;
  /** Whether `says` stands in place of the span or behind it. */
  readonly shown: "instead" | "behind";
}

const detectors = [hiddenCharacters, posingLetters, hiddenPayloads] as const satisfies readonly ((
  text: string,
) => readonly HiddenSpan[])[];

/** In the order of the text. Takes time in proportion to its length. */
export function hiddenText(text: string): readonly HiddenSpan[] {
  if (isPlain(text)) return [];
  return detectors.flatMap((find) => find(text)).toSorted((a, b) => a.start - b.start || b.end - a.end);
}

/** The text with each hidden span shown as what it is, in ⟨…⟩: safe on a terminal, and for a diff. */
export function revealed(text: string): string {
  const spans = hiddenText(text);
  const notes = spans.filter(({ shown }) => shown === "behind").toSorted((a, b) => a.end - b.end);
  let written = "";
  let at = 0;
  let noted = 0;
  const upTo = (end: number): void => {
    for (let note = notes[noted]; note !== undefined && note.end <= end; note = notes[++noted]) {
      written += `${unmarked(text.slice(at, note.end))}⟨${note.says}⟩`;
      at = Math.max(at, note.end);
    }
    written += unmarked(text.slice(at, end));
    at = Math.max(at, end);
  };
  for (const { start, end, says, shown } of spans) {
    if (shown === "behind") continue;
    // One that begins within another has been said with it.
    if (start >= at) {
      upTo(start);
      written += `⟨${says}⟩`;
    }
    at = Math.max(at, end);
  }
  upTo(text.length);
  return written;
}

/** Hidden text in a declaration: of each string and each member's name, with where it stands (RFC 6901). */
export interface HiddenAt extends Omit<HiddenSpan, "shown"> {
  readonly pointer: string;
}

/** More would only be more of the same. */
const maxFound = 100;

/** @param declaration JSON text whose depth is bounded, as `readToolList` reads it */
export function hiddenInDeclaration(declaration: string): readonly HiddenAt[] {
  const found: HiddenAt[] = [];
  walk(JSON.parse(declaration), "", (text, pointer) => {
    for (const { shown: _, ...span } of hiddenText(text)) {
      if (found.length < maxFound) found.push({ pointer, ...span });
    }
  });
  return found;
}

function walk(value: unknown, pointer: string, visit: (text: string, pointer: string) => void): void {
  if (typeof value === "string") visit(value, pointer);
  else if (Array.isArray(value)) {
    for (const [i, each] of value.entries()) walk(each, `${pointer}/${i}`, visit);
  } else if (typeof value === "object" && value !== null) {
    for (const [name, member] of Object.entries(value)) {
      const below = `${pointer}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
      visit(name, below);
      walk(member, below, visit);
    }
  }
}

/** Nothing can hide in short words of printable ASCII and single line breaks. */
function isPlain(text: string): boolean {
  return text.length < 24 && /^[\x20-\x7e\n\t]*$/.test(text) && !text.includes("<");
}

/** Our own mark, so that nothing in the text passes for what we say. */
function unmarked(text: string): string {
  return text.replaceAll("⟨", "⟨U+27E8⟩");
}
