/**
 * What one session has read: the labels, exactly; and fingerprints of what was labelled, so that it is known again in
 * what the session says later. INVARIANT: what isn't remembered any more is never taken for what wasn't read.
 */
import { decodingsOf } from "../wire/decodings.ts";
import { chosenOf, type FingerprintKey, pieceLetters, piecesOf, rareIn, wholeOf } from "./fingerprints.ts";
import { charsOf, lettersOf, plain, textsIn } from "../wire/plain-text.ts";

/** What was read; `unreadable` is too long to be looked through, or no text. */
export type Reading = { readonly kind: "value"; readonly value: unknown } | { readonly kind: "unreadable" };

/** True or false; or, in words, why it can't be told. */
export type Told = boolean | { readonly why: string };

export interface SessionMemory {
  readonly labels: string[];
  /** Bits of labels of which not all is remembered. */
  forgotten: number;
  /** By fingerprint, bits of the labels it was read under; the oldest first. */
  readonly passages: Map<number, number>;
  /** The same, of which each alone says where it is from. */
  readonly rare: Map<number, number>;
  /** What the session said itself before it read it. */
  readonly own: Set<number>;
}

/** Of a session: about 100 bytes each, 450,000 letters. */
const maxFingerprints = 100_000;
/** A label is a bit of a number. */
const maxLabels = 30;
/** Of one value, what it says in other words included. */
const maxSaidChars = 65_536;
/** Letters of a passage, known again by pieces that overlap or nearly meet. */
const passageLetters = 20;
const gapLetters = 4;
/** Of a text that is shorter than two passages, this part must have been read. */
const wholeShare = 0.75;

export function freshMemory(): SessionMemory {
  return { labels: [], forgotten: 0, passages: new Map(), rare: new Map(), own: new Set() };
}

export function sizeOf({ passages, rare, own }: SessionMemory): number {
  return passages.size + rare.size + own.size;
}

/** All but the labels. */
export function forgetTexts(memory: SessionMemory): void {
  for (const kept of [memory.passages, memory.rare, memory.own]) kept.clear();
  memory.forgotten = ~0;
}

/** What a session says before it reads it isn't from there. */
export function noteSaid(memory: SessionMemory, value: unknown, key: FingerprintKey): void {
  const { values = [], names = [] } = textsIn(value) ?? {};
  let room = maxSaidChars;
  for (const text of [...values, ...names]) {
    room -= text.length;
    if (room < 0) break;
    const { letters, rare } = readText(text);
    for (const hash of piecesOf(letters, key)) memory.own.add(hash);
    for (const each of rare) memory.own.add(wholeOf(each.letters, key));
  }
  // Forgotten, it only counts as read.
  trim(memory.own, maxFingerprints);
}

/** Of one answer: nobody waits for more to be looked through. */
const maxReadChars = 128 * 1024;

/** @param isFound whether the text is to be known again */
export function noteRead(
  memory: SessionMemory,
  {
    labels,
    reading,
    isFound,
  }: { readonly labels: readonly string[]; readonly reading: Reading; readonly isFound: boolean },
  key: FingerprintKey,
): void {
  let bits = 0;
  for (const label of labels) bits |= bitOf(memory, label);
  if (bits === 0) return;
  const texts = isFound && reading.kind === "value" ? textsIn(reading.value) : undefined;
  if (texts === undefined) memory.forgotten |= bits;
  else {
    let room = maxReadChars;
    for (const text of texts.values) {
      room -= text.length;
      if (room < 0) memory.forgotten |= bits;
      else noteText(memory, text, { bits, key });
    }
    // Names are most often the words of a schema, and no data.
    for (const text of texts.names) noteRare(memory, text, { bits, key });
  }
  for (const kept of [memory.passages, memory.rare]) {
    for (const [hash, gone] of kept) {
      if (kept.size <= maxFingerprints) break;
      kept.delete(hash);
      memory.forgotten |= gone;
    }
  }
}

export function hasSeen({ labels }: SessionMemory, label: string): boolean {
  return labels.includes(label);
}

/** Whether the value has, exactly or nearly, something of what was read under that label. */
export function carries(
  memory: SessionMemory,
  {
    label,
    value,
    spend,
  }: { readonly label: string; readonly value: unknown; readonly spend: (chars: number) => void },
  key: FingerprintKey,
): Told {
  const at = memory.labels.indexOf(label);
  if (at === -1) return false;
  const bit = at < maxLabels ? 1 << at : 0;
  const texts = textsIn(value);
  if (texts === undefined || charsOf(texts) > maxSaidChars)
    return { why: "what is said is too long to be looked through." };
  spend(charsOf(texts));
  const { values, names } = texts;
  // What was cut in two stands next to its other half.
  const said = [...values, ...names, ...(values.length > 1 ? [values.join("")] : [])];
  let isAll = true;
  for (const text of said) {
    const decoded = decodingsOf(text);
    isAll &&= decoded.isAll;
    if ([text, ...decoded.texts].some((each) => isFrom(memory, each, { bit, key }))) return true;
  }
  if (!isAll) return { why: "what is said is encoded in too many ways." };
  if (at < maxLabels && (memory.forgotten & bit) === 0) return false;
  return { why: `not all that was read under "${label}" is remembered.` };
}

interface Looking {
  readonly bit: number;
  readonly key: FingerprintKey;
}

function isFrom({ passages, rare: known }: SessionMemory, text: string, { bit, key }: Looking): boolean {
  const { letters, rare } = readText(text);
  const has = (of: Map<number, number>, hash: number): boolean => ((of.get(hash) ?? 0) & bit) !== 0;
  if (rare.some((each) => has(known, wholeOf(each.letters, key)))) return true;
  let [covered, run, end] = [0, 0, -1];
  for (const [at, hash] of piecesOf(letters, key).entries()) {
    if (has(known, hash)) return true;
    if (!has(passages, hash)) continue;
    const fresh = Math.min(pieceLetters, at + pieceLetters - end);
    run = end !== -1 && at <= end + gapLetters ? run + fresh : pieceLetters;
    covered += fresh;
    end = at + pieceLetters;
    if (run >= passageLetters) return true;
  }
  return letters.length < 2 * passageLetters && covered > 0 && covered >= letters.length * wholeShare;
}

function noteRare(
  memory: SessionMemory,
  text: string,
  { bits, key }: { readonly bits: number; readonly key: FingerprintKey },
): void {
  const { own } = memory;
  for (const { letters, isCode } of rareIn(plain(text))) {
    add(memory.rare, wholeOf(letters, key), { bits, own });
    if (isCode) for (const hash of piecesOf(letters, key)) add(memory.rare, hash, { bits, own });
  }
}

function noteText(
  memory: SessionMemory,
  text: string,
  { bits, key }: { readonly bits: number; readonly key: FingerprintKey },
): void {
  const decoded = decodingsOf(text);
  if (!decoded.isAll) memory.forgotten |= bits;
  for (const each of [text, ...decoded.texts]) {
    const hashes = piecesOf(lettersOf(plain(each)), key);
    for (const at of chosenOf(hashes)) add(memory.passages, hashes[at] ?? 0, { bits, own: memory.own });
    noteRare(memory, each, { bits, key });
  }
}

function add(
  to: Map<number, number>,
  hash: number,
  { bits, own }: { readonly bits: number; readonly own: ReadonlySet<number> },
): void {
  if (!own.has(hash)) to.set(hash, (to.get(hash) ?? 0) | bits);
}

function readText(text: string): { readonly letters: string; readonly rare: ReturnType<typeof rareIn> } {
  const read = plain(text);
  return { letters: lettersOf(read), rare: rareIn(read) };
}

/** Those beyond the first thirty are known by name, and what was read under them isn't. */
function bitOf(memory: SessionMemory, label: string): number {
  const at = memory.labels.indexOf(label);
  const place = at === -1 ? memory.labels.push(label) - 1 : at;
  return place < maxLabels ? 1 << place : 0;
}

function trim(kept: Set<number>, most: number): void {
  for (const first of kept) {
    if (kept.size <= most) return;
    kept.delete(first);
  }
}
