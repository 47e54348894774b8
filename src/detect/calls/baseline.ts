/**
 * What one caller does usually, in 52 KB whatever it sends: which tools follow which, values and domains it used, how large
 * its numbers and how long its texts are. Everything is hashed: no value can be read out of it.
 */
import type { CallValue } from "./call-values.ts";
import { hashOf } from "./words.ts";

const ways = 4;
const edgeSlots = 2048;
const sketchSlots = 512;
const bloomBits = 16 * 1024 * 8;
const headerWords = 8;

/** One table of counts: the least recently used of four gives way. */
interface Counts {
  readonly keys: Uint32Array;
  readonly counts: Uint32Array;
  readonly used: Uint32Array;
}

/** One buffer, so that it can be stored as it is. */
export interface Baseline {
  readonly bytes: ArrayBuffer;
  /** Clock of uses, calls, sessions, distinct tools. */
  readonly header: Uint32Array;
  readonly edges: Counts;
  readonly bloom: Uint32Array;
  readonly sketches: Counts & { readonly sums: Float32Array };
}

const bytesOfBaseline = headerWords * 4 + edgeSlots * 12 + bloomBits / 8 + sketchSlots * (12 + 12);

export function freshBaseline(): Baseline {
  return baselineFrom(new ArrayBuffer(bytesOfBaseline));
}

/** @throws RangeError if these are the bytes of no baseline */
export function baselineFrom(bytes: ArrayBuffer): Baseline {
  if (bytes.byteLength !== bytesOfBaseline) throw new RangeError("These are the bytes of no baseline.");
  let at = 0;
  const words = (length: number): Uint32Array => {
    const array = new Uint32Array(bytes, at, length);
    at += length * 4;
    return array;
  };
  const counts = (slots: number): Counts => ({
    keys: words(slots),
    counts: words(slots),
    used: words(slots),
  });
  const [header, edges, bloom, sketches] = [
    words(headerWords),
    counts(edgeSlots),
    words(bloomBits / 32),
    counts(sketchSlots),
  ];
  return {
    bytes,
    header,
    edges,
    bloom,
    sketches: { ...sketches, sums: new Float32Array(bytes, at, sketchSlots * 3) },
  };
}

export interface LearnedCall {
  readonly tool: string;
  readonly values: readonly CallValue[];
}

/** Counts one session's calls, in order. */
export function learnCalls(baseline: Baseline, calls: readonly LearnedCall[]): void {
  let previous = "^";
  let beforeThat = "^";
  add(baseline.header, 2);
  for (const { tool, values } of calls) {
    add(baseline.header, 1);
    if (countOf(baseline.edges, toolKey(tool)) === 0) add(baseline.header, 3);
    for (const key of [toolKey(tool), edgeKey(previous, tool), pathKey(beforeThat, previous, tool)])
      count(baseline, baseline.edges, key);
    for (const value of values) learnValue(baseline, tool, value);
    beforeThat = previous;
    previous = tool;
  }
}

function learnValue(baseline: Baseline, tool: string, value: CallValue): void {
  const length = sketchSlot(baseline, paramKey("length", tool, value.param));
  sum(baseline, length, Math.log1p(value.chars));
  if (value.number !== undefined)
    sum(baseline, sketchSlot(baseline, paramKey("number", tool, value.param)), magnitude(value.number));
  setBits(baseline.bloom, valueKey(tool, value));
  for (const name of value.names) setBits(baseline.bloom, nameKey(name));
  if (value.domain !== undefined) setBits(baseline.bloom, hashOf(`domain ${value.domain}`));
}

/** How unusual a call is, for this caller; all zero without a baseline. */
export interface Unusual {
  readonly isKnown: number;
  /** Bits: how surprising this tool is after the two before. */
  readonly surprise: number;
  readonly newTool: number;
  readonly newEdge: number;
  /** Share of values never used with this parameter. */
  readonly newValues: number;
  /** Names (addresses, accounts, files) never used with anything. */
  readonly newNames: number;
  /** Standard deviations from the mean of its logarithm, at most 8. */
  readonly number: number;
  /** Logarithm of how many times it is the largest there was. */
  readonly overLargest: number;
  readonly length: number;
  readonly newDomain: number;
  /** The parameter that deviates most. */
  readonly param: string | undefined;
}

const nothingUnusual: Unusual = {
  isKnown: 0,
  surprise: 0,
  newTool: 0,
  newEdge: 0,
  newValues: 0,
  newNames: 0,
  number: 0,
  overLargest: 0,
  length: 0,
  newDomain: 0,
  param: undefined,
};

export function unusual(
  baseline: Baseline | undefined,
  { tool, values, before }: LearnedCall & { readonly before: readonly [string, string] },
): Unusual {
  const [beforeThat, previous] = before;
  if (baseline === undefined || (baseline.header[1] ?? 0) === 0) return nothingUnusual;
  const { edges } = baseline;
  const times = countOf(edges, toolKey(tool));
  return {
    isKnown: 1,
    surprise: surpriseOf(baseline, beforeThat, previous, tool),
    newTool: times === 0 ? 1 : 0,
    newEdge: countOf(edges, edgeKey(previous, tool)) === 0 ? 1 : 0,
    ...unusualValues(baseline, tool, values),
  };
}

function surpriseOf(baseline: Baseline, beforeThat: string, previous: string, tool: string): number {
  const { edges, header } = baseline;
  const tools = (header[3] ?? 0) + 5;
  const alone = (countOf(edges, toolKey(tool)) + 0.5) / ((header[1] ?? 0) + 0.5 * tools);
  const from = previous === "^" ? (header[2] ?? 0) : countOf(edges, toolKey(previous));
  const after = (countOf(edges, edgeKey(previous, tool)) + 2 * alone) / (from + 2);
  const fromBoth = countOf(edges, edgeKey(beforeThat, previous));
  const afterBoth = (countOf(edges, pathKey(beforeThat, previous, tool)) + 2 * after) / (fromBoth + 2);
  return Math.min(20, -Math.log2(afterBoth));
}

type UnusualValues = Pick<
  Unusual,
  "newValues" | "newNames" | "number" | "overLargest" | "length" | "newDomain" | "param"
>;

function unusualValues(baseline: Baseline, tool: string, values: readonly CallValue[]): UnusualValues {
  let [newValues, newNames, number, overLargest, length, newDomain] = [0, 0, 0, 0, 0, 0];
  let param: string | undefined;
  let most = 0;
  for (const value of values) {
    const isNew = hasBits(baseline.bloom, valueKey(tool, value)) ? 0 : 1;
    const names = value.names.filter((name) => !hasBits(baseline.bloom, nameKey(name))).length;
    const long = deviation(baseline, paramKey("length", tool, value.param), Math.log1p(value.chars));
    const large =
      value.number === undefined
        ? still
        : deviation(baseline, paramKey("number", tool, value.param), magnitude(value.number));
    const domain =
      value.domain !== undefined && !hasBits(baseline.bloom, hashOf(`domain ${value.domain}`)) ? 1 : 0;
    newValues += isNew;
    newNames += Math.min(names, 1);
    number = Math.max(number, large.z);
    overLargest = Math.max(overLargest, large.over);
    length = Math.max(length, long.z);
    newDomain = Math.max(newDomain, domain);
    const all = isNew + 2 * Math.min(names, 1) + large.z + 3 * large.over + long.z / 2 + domain;
    if (all > most) [most, param] = [all, value.param];
  }
  return {
    newValues: values.length === 0 ? 0 : newValues / values.length,
    newNames: Math.min(newNames, 4),
    number,
    overLargest,
    length,
    newDomain,
    param,
  };
}

const still = { z: 0, over: 0 };

function deviation(
  baseline: Baseline,
  key: number,
  value: number,
): { readonly z: number; readonly over: number } {
  const { sums } = baseline.sketches;
  const slot = slotOf(baseline.sketches, key);
  const n = slot === -1 ? 0 : (baseline.sketches.counts[slot] ?? 0);
  if (n < 3 || !Number.isFinite(value)) return still;
  const [sumOf = 0, squares = 0, largest = 0] = sums.subarray(slot * 3, slot * 3 + 3);
  const mean = sumOf / n;
  const spread = Math.sqrt(Math.max(squares / n - mean * mean, 0)) + 0.15;
  return { z: Math.min(8, Math.abs(value - mean) / spread), over: Math.min(8, Math.max(0, value - largest)) };
}

function magnitude(number: number): number {
  return Math.log1p(Math.min(Math.abs(number), 1e15));
}

const toolKey = (tool: string): number => hashOf(`tool ${tool}`);
const edgeKey = (from: string, to: string): number => hashOf(`edge ${from}\n${to}`);
const pathKey = (a: string, b: string, c: string): number => hashOf(`path ${a}\n${b}\n${c}`);
const paramKey = (what: string, tool: string, param: string): number => hashOf(`${what} ${tool}\n${param}`);
const valueKey = (tool: string, { param, text }: CallValue): number =>
  hashOf(`value ${tool}\n${param}\n${text.toLowerCase().slice(0, 80)}`);
const nameKey = (name: number): number => (Math.imul(name, 0x9e3779b1) ^ 0x5bd1e995) >>> 0;

function add(words: Uint32Array, at: number): void {
  words[at] = Math.min(0xffffffff, (words[at] ?? 0) + 1);
}

function slotOf({ keys, counts }: Counts, key: number): number {
  const set = (key % (keys.length / ways)) * ways;
  for (let way = set; way < set + ways; way++) if (keys[way] === key && (counts[way] ?? 0) > 0) return way;
  return -1;
}

function countOf(table: Counts, key: number): number {
  const slot = slotOf(table, key);
  return slot === -1 ? 0 : (table.counts[slot] ?? 0);
}

/** @returns its slot, which it took from the least recently used of its set if it is new */
function count(
  baseline: Baseline,
  table: Counts,
  key: number,
): { readonly slot: number; readonly isNew: boolean } {
  add(baseline.header, 0);
  let slot = slotOf(table, key);
  const isNew = slot === -1;
  if (isNew) {
    const set = (key % (table.keys.length / ways)) * ways;
    slot = set;
    for (let way = set; way < set + ways; way++)
      if ((table.used[way] ?? 0) < (table.used[slot] ?? 0)) slot = way;
    table.keys[slot] = key;
    table.counts[slot] = 0;
  }
  add(table.counts, slot);
  table.used[slot] = baseline.header[0] ?? 0;
  return { slot, isNew };
}

function sketchSlot(baseline: Baseline, key: number): number {
  const { slot, isNew } = count(baseline, baseline.sketches, key);
  if (isNew) baseline.sketches.sums.fill(0, slot * 3, slot * 3 + 3);
  return slot;
}

function sum({ sketches: { sums } }: Baseline, slot: number, value: number): void {
  if (!Number.isFinite(value)) return;
  const at = slot * 3;
  sums[at] = (sums[at] ?? 0) + value;
  sums[at + 1] = (sums[at + 1] ?? 0) + value * value;
  sums[at + 2] = Math.max(sums[at + 2] ?? 0, value);
}

const bloomSeeds = [0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f];

function bitOf(key: number, seed: number): number {
  const mixed = Math.imul(key ^ (key >>> 15), seed);
  return ((mixed ^ (mixed >>> 13)) >>> 0) % bloomBits;
}

function setBits(bloom: Uint32Array, key: number): void {
  for (const seed of bloomSeeds) {
    const bit = bitOf(key, seed);
    bloom[bit >>> 5] = (bloom[bit >>> 5] ?? 0) | (1 << (bit & 31));
  }
}

function hasBits(bloom: Uint32Array, key: number): boolean {
  return bloomSeeds.every((seed) => {
    const bit = bitOf(key, seed);
    return ((bloom[bit >>> 5] ?? 0) & (1 << (bit & 31))) !== 0;
  });
}
