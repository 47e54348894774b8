/** Names that look like another server's tool: a model may call the one where a person read the other. */
import type { ContentHash } from "./content-hash.ts";
import { skeleton } from "../../wire/posing-letters.ts";

/** What a server has pinned. */
export interface NamedTools {
  readonly server: string;
  readonly tools: ReadonlyMap<string, { readonly contentHash: ContentHash }>;
}

export interface LookAlike {
  readonly server: string;
  readonly tool: string;
  readonly how: Likeness;
}

type Likeness =
  /** The same declaration, byte for byte in canonical form. */
  | "same-tool"
  | "same-name"
  | "case"
  /** `read_file` and `read-file`, `readFile`. */
  | "separators"
  /** Letters of another script that look the same (UTS 39). */
  | "homoglyphs"
  | "one-letter";

/** Shorter names differ by a letter from many others. */
const minLengthForOneLetter = 5;
/** Shown at most: more of them say nothing more. */
const maxFound = 8;

export function lookAlikes(
  { name, contentHash }: { readonly name: string; readonly contentHash: ContentHash },
  others: readonly NamedTools[],
): readonly LookAlike[] {
  const forms = formsOf(name);
  const found = others.flatMap(({ server, tools }) => {
    const index = indexOf(tools);
    const near = new Set(keysOf(forms.skeleton).flatMap((key) => index.get(key) ?? []));
    return [...near].flatMap((tool): readonly LookAlike[] => {
      const isSame = tools.get(tool)?.contentHash === contentHash;
      const how = tool === name ? (isSame ? "same-tool" : "same-name") : likeness(forms, formsOf(tool));
      return how === undefined ? [] : [{ server, tool, how }];
    });
  });
  return found.slice(0, maxFound);
}

type Index = ReadonlyMap<string, readonly string[]>;

/** Of each server's tools once: pins are immutable. */
const indexes = new WeakMap<NamedTools["tools"], Index>();

function indexOf(tools: NamedTools["tools"]): Index {
  const known = indexes.get(tools);
  if (known !== undefined) return known;
  const index = new Map<string, string[]>();
  for (const name of tools.keys()) {
    for (const key of keysOf(formsOf(name).skeleton)) {
      const names = index.get(key);
      if (names === undefined) index.set(key, [name]);
      else names.push(name);
    }
  }
  indexes.set(tools, index);
  return index;
}

/** Longer names are only compared as a whole. */
const maxLengthForOneLetter = 64;

/** The skeleton and what is left of it without one letter: two that are one edit apart share one of these. */
function keysOf(whole: string): readonly string[] {
  if (whole.length < minLengthForOneLetter - 1 || whole.length > maxLengthForOneLetter) return [whole];
  const shorter = Array.from(whole, (_, i) => whole.slice(0, i) + whole.slice(i + 1));
  return [...new Set([whole, ...shorter])];
}

interface Forms {
  readonly name: string;
  readonly lower: string;
  readonly bare: string;
  readonly skeleton: string;
}

function formsOf(name: string): Forms {
  const lower = name.toLowerCase();
  const bare = lower.replace(/[\s._\-/:]+/g, "");
  return { name, lower, bare, skeleton: skeleton(bare) };
}

function likeness(a: Forms, b: Forms): Likeness | undefined {
  if (a.lower === b.lower) return "case";
  if (a.bare === b.bare) return a.bare === "" ? undefined : "separators";
  if (a.skeleton === b.skeleton) return "homoglyphs";
  const isLong = Math.min(a.bare.length, b.bare.length) >= minLengthForOneLetter;
  return isLong && isOneEditApart(a.skeleton, b.skeleton) ? "one-letter" : undefined;
}

/** One letter put in, left out, or another one; or two neighbours swapped. */
function isOneEditApart(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1) return false;
  const shorter = Math.min(a.length, b.length);
  let head = 0;
  while (head < shorter && a[head] === b[head]) head++;
  const [restA, restB] = [a.slice(head), b.slice(head)];
  if (restA.slice(1) === restB.slice(1) || restA.slice(1) === restB || restA === restB.slice(1)) return true;
  const isSwapped = restA[0] === restB[1] && restA[1] === restB[0];
  return isSwapped && restA.slice(2) === restB.slice(2);
}
