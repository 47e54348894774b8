/**
 * What a session's tools have answered, as far as a later call is compared with it: words in order, in blocks of twenty, and
 * an index from each word to its blocks. A window is two blocks next to each other. Bounded: 256 Ki characters, 64 Ki words.
 */
import { encodedIn } from "../text/encoded.ts";
import { undisguised } from "./disguised.ts";
import { keptText } from "./kept-text.ts";
import { said } from "./said.ts";
import { actionsOf, cuesOf, isLead, isSilent, markCue } from "./vocabulary.ts";
import { eachWordOfResult, mostWordsPerChar, type TextSink } from "./result-words.ts";

const wordsPerBlock = 20;
/** More than anybody reads: few short messages mustn't push out what was read before. */
const maxResults = 4096;
const maxWords = 64 * 1024;
const maxChars = 256 * 1024;
/** The last block of a result may have room left. */
const maxBlocks = Math.ceil((maxChars * mostWordsPerChar) / wordsPerBlock) + maxResults;
/** Texts of one result that are read. */
const maxTexts = 256;

interface PastResult {
  readonly tool: string;
  /** Of the call in its session, from 0. */
  readonly seq: number;
  readonly isTrusted: boolean;
  readonly chars: number;
  readonly firstBlock: number;
  readonly blocks: number;
}

/** One per session; `noteResult` and `noteCall` change it. */
export interface Trail {
  results: PastResult[];
  /** Of words in order; the index is made of them anew when results are dropped. */
  words: Uint32Array<ArrayBuffer>;
  wordBlocks: Uint16Array<ArrayBuffer>;
  wordCount: number;
  blockCount: number;
  /** By block: what it asks for, what it names, what it sounds like, how much of it is prose. */
  asks: Int32Array<ArrayBuffer>;
  names: Int32Array<ArrayBuffer>;
  cues: Int32Array<ArrayBuffer>;
  prose: Uint8Array<ArrayBuffer>;
  /** Shingles of four words, in a filter of bits. */
  shingles: Uint32Array<ArrayBuffer>;
  heads: Int32Array<ArrayBuffer>;
  next: Int32Array<ArrayBuffer>;
  calls: PastCall[];
  callCount: number;
  writes: number;
  /** Words that the caller said in its calls before any result did: nobody put them into its mouth. */
  own: Set<number>;
}

interface PastCall {
  readonly tool: string;
  readonly seq: number;
}

const firstWords = 1024;
const shingleBits = 1 << 18;

export function freshTrail(): Trail {
  return {
    results: [],
    words: new Uint32Array(firstWords),
    wordBlocks: new Uint16Array(firstWords),
    wordCount: 0,
    blockCount: 0,
    asks: new Int32Array(64),
    names: new Int32Array(64),
    cues: new Int32Array(64),
    prose: new Uint8Array(64),
    shingles: new Uint32Array(0),
    heads: new Int32Array(firstWords).fill(-1),
    next: new Int32Array(firstWords),
    calls: [],
    callCount: 0,
    writes: 0,
    own: new Set(),
  };
}

export interface Result {
  readonly server?: string;
  readonly tool: string;
  /** All texts: content blocks, and leaves of structured content. */
  readonly texts: readonly string[];
  /** Nobody but the operator writes there: it says nothing against a call that it is described there. */
  readonly isTrusted?: boolean;
}

/** Takes in what a tool answered; what is older than the bounds allow is forgotten. */
export function noteResult(trail: Trail, { tool, texts, isTrusted = false }: Result): void {
  const read = texts.slice(0, maxTexts).map(said).flatMap(readings);
  const chars = read.reduce((sum, { length }) => sum + length, 0);
  if (chars === 0) return;
  forget(trail, chars);
  const firstBlock = trail.blockCount;
  const writer = new Writer(trail);
  eachWordOfResult(read, writer, Math.min(maxWords - trail.wordCount, maxWords / 2));
  writer.end();
  trail.results.push({
    tool: keptText(tool, 128),
    seq: Math.max(0, trail.callCount - 1),
    isTrusted,
    chars,
    firstBlock,
    blocks: trail.blockCount - firstBlock,
  });
}

/** The text, and what else a model reads in it: encoded, or disguised. */
function readings(text: string): readonly string[] {
  const more = [...encodedIn(text).found.map((each) => said(each.text)), ...undisguised(text)];
  return more.length === 0 ? [text] : [text, ...more];
}

/** Other words in the slot of a word that are passed over; only who looks for such words finds so many. */
const maxStrays = 4096;

/** Whether a result that is remembered has this word, or may have it. */
export function isInResults({ heads, next, words }: Trail, word: number): boolean {
  let strays = 0;
  for (let at = heads[word & (heads.length - 1)] ?? -1; at !== -1; at = next[at] ?? -1)
    if (words[at] === word || ++strays > maxStrays) return true;
  return false;
}

/** Bytes it holds, about. */
export function trailBytes(trail: Trail): number {
  const { words, wordBlocks, asks, names, cues, prose, shingles, heads, next } = trail;
  const arrays = [words, wordBlocks, asks, names, cues, prose, shingles, heads, next];
  return (
    arrays.reduce((sum, { byteLength }) => sum + byteLength, 0) +
    trail.own.size * 32 +
    trail.results.length * 128 +
    4096
  );
}

/** Drops the oldest until there is room for so many more characters. */
function forget(trail: Trail, chars: number): void {
  let held = trail.results.reduce((sum, result) => sum + result.chars, 0);
  let drop = 0;
  let words = trail.wordCount;
  while (
    drop < trail.results.length &&
    (trail.results.length - drop >= maxResults || held + chars > maxChars || words > maxWords / 2)
  ) {
    held -= trail.results[drop]?.chars ?? 0;
    drop++;
    words = trail.wordCount - firstWordOf(trail, trail.results[drop]?.firstBlock ?? trail.blockCount);
  }
  if (drop > 0) dropOldest(trail, drop);
}

function firstWordOf(trail: Trail, block: number): number {
  let low = 0;
  let high = trail.wordCount;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((trail.wordBlocks[middle] ?? 0) < block) low = middle + 1;
    else high = middle;
  }
  return low;
}

function dropOldest(trail: Trail, drop: number): void {
  const kept = trail.results.slice(drop);
  const block = kept[0]?.firstBlock ?? trail.blockCount;
  const word = firstWordOf(trail, block);
  for (const each of [trail.asks, trail.names, trail.cues, trail.prose])
    each.copyWithin(0, block, trail.blockCount);
  trail.words.copyWithin(0, word, trail.wordCount);
  trail.wordBlocks.copyWithin(0, word, trail.wordCount);
  trail.wordCount -= word;
  trail.blockCount -= block;
  for (let i = 0; i < trail.wordCount; i++) trail.wordBlocks[i] = (trail.wordBlocks[i] ?? 0) - block;
  trail.results = kept.map((each) => ({ ...each, firstBlock: each.firstBlock - block }));
  reindex(trail);
}

function reindex(trail: Trail): void {
  trail.heads.fill(-1);
  trail.shingles.fill(0);
  let [a, b, c] = [0, 0, 0];
  for (let i = 0; i < trail.wordCount; i++) {
    link(trail, i);
    const d = trail.words[i] ?? 0;
    noteShingle(trail, fourWords(a, b, c, d));
    a = b;
    b = c;
    c = d;
  }
}

/** A word has one entry a block, so that saying it again and again doesn't make it dearer to find. */
function link(trail: Trail, index: number): void {
  if (isEarlierInBlock(trail, index)) return;
  const slot = (trail.words[index] ?? 0) & (trail.heads.length - 1);
  trail.next[index] = trail.heads[slot] ?? -1;
  trail.heads[slot] = index;
}

function isEarlierInBlock({ words, wordBlocks }: Trail, index: number): boolean {
  for (let at = index - 1; at >= 0 && wordBlocks[at] === wordBlocks[index]; at--)
    if (words[at] === words[index]) return true;
  return false;
}

/** Of four words. */
export function shingleOf(words: readonly number[]): number {
  const [a = 0, b = 0, c = 0, d = 0] = words;
  return fourWords(a, b, c, d);
}

/** No list, no loop: it is made for each word that is read. */
function fourWords(a: number, b: number, c: number, d: number): number {
  let hash = 0x9e3779b9;
  hash = mixed(hash, a);
  hash = mixed(hash, b);
  hash = mixed(hash, c);
  return mixed(hash, d) >>> 0;
}

function mixed(hash: number, word: number): number {
  return Math.imul(hash ^ word, 0x85ebca6b) + (hash >>> 13);
}

function noteShingle(trail: Trail, shingle: number): void {
  if (trail.shingles.length === 0) trail.shingles = new Uint32Array(shingleBits / 32);
  const bit = shingle % shingleBits;
  trail.shingles[bit >>> 5] = (trail.shingles[bit >>> 5] ?? 0) | (1 << (bit & 31));
}

export function hasShingle(trail: Trail, shingle: number): boolean {
  if (trail.shingles.length === 0) return false;
  const bit = shingle % shingleBits;
  return ((trail.shingles[bit >>> 5] ?? 0) & (1 << (bit & 31))) !== 0;
}

/** Writes words of one result at the end of a trail. */
class Writer implements TextSink {
  readonly #trail: Trail;
  #inBlock = 0;
  #plainWords = 0;
  #afterLead = false;
  #thirdLast = 0;
  #secondLast = 0;
  #last = 0;

  constructor(trail: Trail) {
    this.#trail = trail;
  }

  word(hash: number, shape: number, opens: boolean): void {
    const trail = this.#trail;
    if (this.#inBlock === 0) this.#openBlock();
    const block = trail.blockCount - 1;
    const actions = actionsOf(hash);
    if (actions !== 0) {
      trail.names[block] = (trail.names[block] ?? 0) | actions;
      if (opens || this.#afterLead) trail.asks[block] = (trail.asks[block] ?? 0) | actions;
    }
    trail.cues[block] = (trail.cues[block] ?? 0) | cuesOf(hash);
    this.#afterLead = isLead(hash);
    if (shape === 0) this.#plainWords++;
    if (!isSilent(hash)) this.#keep(hash, block);
    if (++this.#inBlock >= wordsPerBlock) this.#closeBlock();
  }

  mark(): void {
    if (this.#inBlock === 0) return;
    const block = this.#trail.blockCount - 1;
    this.#trail.cues[block] = (this.#trail.cues[block] ?? 0) | markCue;
  }

  endText(): void {
    this.#afterLead = false;
  }

  end(): void {
    if (this.#inBlock > 0) this.#closeBlock();
  }

  #openBlock(): void {
    const trail = this.#trail;
    if (trail.blockCount >= trail.asks.length) growBlocks(trail);
    const block = trail.blockCount++;
    trail.asks[block] = 0;
    trail.names[block] = 0;
    trail.cues[block] = 0;
    this.#plainWords = 0;
  }

  #closeBlock(): void {
    const share = this.#plainWords / Math.max(1, this.#inBlock);
    this.#trail.prose[this.#trail.blockCount - 1] = Math.min(255, Math.round(share * 200));
    this.#inBlock = 0;
  }

  #keep(hash: number, block: number): void {
    const trail = this.#trail;
    if (trail.wordCount >= maxWords || block >= maxBlocks) return;
    if (trail.wordCount >= trail.words.length) growWords(trail);
    const index = trail.wordCount++;
    trail.words[index] = hash;
    trail.wordBlocks[index] = block;
    link(trail, index);
    noteShingle(trail, fourWords(this.#thirdLast, this.#secondLast, this.#last, hash));
    this.#thirdLast = this.#secondLast;
    this.#secondLast = this.#last;
    this.#last = hash;
  }
}

function growWords(trail: Trail): void {
  trail.words = grown(trail.words, new Uint32Array(trail.words.length * 2));
  trail.wordBlocks = grown(trail.wordBlocks, new Uint16Array(trail.wordBlocks.length * 2));
  trail.next = new Int32Array(trail.words.length);
  trail.heads = new Int32Array(trail.words.length).fill(-1);
  for (let i = 0; i < trail.wordCount; i++) link(trail, i);
}

function growBlocks(trail: Trail): void {
  trail.asks = grown(trail.asks, new Int32Array(trail.asks.length * 2));
  trail.names = grown(trail.names, new Int32Array(trail.names.length * 2));
  trail.cues = grown(trail.cues, new Int32Array(trail.cues.length * 2));
  trail.prose = grown(trail.prose, new Uint8Array(trail.prose.length * 2));
}

function grown<T extends { set: (from: T) => void }>(from: T, to: T): T {
  to.set(from);
  return to;
}
