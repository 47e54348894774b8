/** Where in a trail a call is described: each value against each window of earlier results, over the index. */
import type { CallValue } from "./call-values.ts";
import { hasShingle, shingleOf, type Trail } from "./trail.ts";
import { cueScore } from "./vocabulary.ts";

/** One window: two blocks next to each other of one result. */
interface Windows {
  readonly count: number;
  /** Values whose words all stand in it (of long ones: most). */
  readonly covered: Uint8Array;
  /** Weight of the call's words that stand in it. */
  readonly shared: Float32Array;
  /** Index of its result. */
  readonly result: Uint16Array;
}

export interface ValueOrigin {
  readonly value: CallValue;
  /** How many results have it, and which of them was first. */
  readonly results: number;
  readonly first: number;
  readonly isOnlyInLast: boolean;
  /** What the most and the least steering window with it sounds like; 0 where there is none. */
  readonly mostCue: number;
  readonly leastCue: number;
  readonly prose: number;
  readonly bestWindow: number;
}

export interface Matches {
  readonly windows: Windows;
  readonly origins: readonly ValueOrigin[];
  /** Weight of all words of the call. */
  readonly weight: number;
  /** Not so where the index was made so crowded that a word may stand where it wasn't looked for. */
  readonly isWhole: boolean;
  /** Cue score around a window, its neighbours too; 0 in results that the operator vouches for. */
  readonly cueAt: (window: number) => number;
}

/** Entries that are looked at for one call: tens of milliseconds. A table's words in each of many rows make half as many. */
const maxSteps = 4_000_000;

export function matchesOf(trail: Trail, values: readonly CallValue[], toolWords: readonly number[]): Matches {
  const search = new Search(trail);
  for (const word of toolWords) search.share(word, 1);
  const origins = values.filter(({ words }) => words.length > 0).map((value) => search.originOf(value));
  return {
    windows: search.windows,
    origins,
    weight: search.weight,
    isWhole: search.steps < maxSteps,
    cueAt: (window) => search.cueAt(window),
  };
}

class Search {
  readonly windows: Windows;
  weight = 0;
  steps = 0;
  readonly #trail: Trail;
  readonly #hits: Uint8Array;
  readonly #cues: Float32Array;
  #touched: number[] = [];

  constructor(trail: Trail) {
    const count = trail.blockCount;
    this.#trail = trail;
    this.#hits = new Uint8Array(count);
    this.#cues = new Float32Array(count).fill(-1);
    this.windows = {
      count,
      covered: new Uint8Array(count),
      shared: new Float32Array(count),
      result: new Uint16Array(count),
    };
    for (const [index, { firstBlock, blocks }] of trail.results.entries())
      this.windows.result.fill(index, firstBlock, firstBlock + blocks);
  }

  /** Adds a word's weight to all windows it stands in. */
  share(word: number, weight: number): void {
    this.weight += weight;
    this.#each(word, (window) => {
      this.windows.shared[window] = (this.windows.shared[window] ?? 0) + weight;
    });
  }

  originOf(value: CallValue): ValueOrigin {
    for (const word of value.words) this.#hit(word, value.names.includes(word) ? 3 : 1);
    const needed = value.words.length <= 5 ? value.words.length : Math.ceil(value.words.length * 0.6);
    const covering = this.#touched.filter((window) => (this.#hits[window] ?? 0) >= needed);
    for (const window of this.#touched) this.#hits[window] = 0;
    this.#touched = [];
    const { own } = this.#trail;
    const telling = value.names.length > 0 ? value.names : value.words;
    // What the caller said first is its own, wherever it stands by now.
    if (telling.every((word) => own.has(word))) return this.#origin(value, []);
    for (const window of covering)
      this.windows.covered[window] = Math.min(255, (this.windows.covered[window] ?? 0) + 1);
    return this.#origin(value, covering);
  }

  cueAt(window: number): number {
    const known = this.#cues[window] ?? -1;
    if (known >= 0) return known;
    const result = this.#trail.results[this.windows.result[window] ?? 0];
    if (result === undefined || result.isTrusted) return 0;
    let families = 0;
    const from = Math.max(result.firstBlock, window - 2);
    const to = Math.min(result.firstBlock + result.blocks, window + 4);
    for (let block = from; block < to; block++) families |= this.#trail.cues[block] ?? 0;
    return (this.#cues[window] = cueScore(families));
  }

  #hit(word: number, weight: number): void {
    this.weight += weight;
    this.#each(word, (window) => {
      if ((this.#hits[window] ?? 0) === 0) this.#touched.push(window);
      this.#hits[window] = Math.min(255, (this.#hits[window] ?? 0) + 1);
      this.windows.shared[window] = (this.windows.shared[window] ?? 0) + weight;
    });
  }

  #origin(value: CallValue, covering: readonly number[]): ValueOrigin {
    let [mostCue, leastCue, prose, bestWindow] = [0, covering.length === 0 ? 0 : Infinity, 0, -1];
    const results = new Set<number>();
    for (const window of covering) {
      const cue = this.cueAt(window);
      if (bestWindow === -1 || cue > mostCue) bestWindow = window;
      mostCue = Math.max(mostCue, cue);
      leastCue = Math.min(leastCue, cue);
      prose = Math.max(prose, (this.#trail.prose[window] ?? 0) / 200);
      results.add(this.windows.result[window] ?? 0);
    }
    const last = this.#trail.results.length - 1;
    return {
      value,
      results: results.size,
      first: Math.min(...results),
      isOnlyInLast: results.size === 1 && results.has(last),
      mostCue,
      leastCue,
      prose,
      bestWindow,
    };
  }

  /** Each window with the word once: entries come newest first, so blocks descend. */
  #each(word: number, visit: (window: number) => void): void {
    const { heads, next, words, wordBlocks } = this.#trail;
    const windows = this.windows.result;
    let lastBlock = -1;
    for (
      let at = heads[word & (heads.length - 1)] ?? -1;
      at !== -1 && this.steps < maxSteps;
      at = next[at] ?? -1
    ) {
      this.steps++;
      if (words[at] !== word) continue;
      const block = wordBlocks[at] ?? 0;
      if (block === lastBlock) continue;
      // The window that begins here was visited if the block after it has the word, too.
      if (block !== lastBlock - 1 || windows[block] !== windows[lastBlock]) visit(block);
      if (block > 0 && windows[block - 1] === windows[block]) visit(block - 1);
      lastBlock = block;
    }
  }
}

/** The largest share of a long value that is copied from results, in runs of four words. */
export function copiedShare(trail: Trail, values: readonly CallValue[]): number {
  let most = 0;
  for (const { sequence } of values) {
    const runs = Math.min(sequence.length, 200) - 3;
    if (runs < 4) continue;
    let copied = 0;
    for (let i = 0; i < runs; i++) if (hasShingle(trail, shingleOf(sequence.slice(i, i + 4)))) copied++;
    most = Math.max(most, copied / runs);
  }
  return most;
}
