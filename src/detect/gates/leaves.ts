/** The texts within a value, each with where it stands: strings, numbers and names of members, up to a bound. */
import { placeIn } from "./places.ts";

export interface Leaf {
  readonly at: string;
  /** Of the member whose value it is, as it came. */
  readonly name?: string;
  readonly text: string;
}

export interface Limits {
  /** Characters of all texts together. */
  readonly chars: number;
  readonly leaves: number;
}

/** Arguments are seldom longer than a page; at 0.02 µs per character this is some milliseconds. */
export const defaultLimits: Limits = { chars: 256 * 1024, leaves: 5000 };

const maxDepth = 64;

export interface Leaves {
  readonly leaves: readonly Leaf[];
  /** Nothing was left out. */
  readonly isAll: boolean;
}

/** @param at what the value is called, such as `arguments` */
export function leavesOf(value: unknown, at: string, limits: Limits = defaultLimits): Leaves {
  const walk: Walk = { leaves: [], chars: limits.chars, left: limits.leaves, isAll: true };
  visit(value, { at, walk, depth: 0 });
  return { leaves: walk.leaves, isAll: walk.isAll };
}

/** As many of these texts as the limits allow, the last one cut. */
export function within(texts: readonly Leaf[], limits: Limits = defaultLimits): Leaves {
  const walk: Walk = { leaves: [], chars: limits.chars, left: limits.leaves, isAll: true };
  for (const text of texts) {
    if (!take(walk, text)) break;
  }
  return { leaves: walk.leaves, isAll: walk.isAll };
}

interface Walk {
  readonly leaves: Leaf[];
  chars: number;
  left: number;
  isAll: boolean;
}

interface Place {
  readonly at: string;
  readonly name?: string;
  readonly walk: Walk;
  readonly depth: number;
}

function visit(value: unknown, place: Place): boolean {
  const { walk, depth, at } = place;
  if (typeof value === "string" || typeof value === "number" || typeof value === "bigint")
    return take(walk, { at, text: String(value), ...(place.name !== undefined && { name: place.name }) });
  if (typeof value !== "object" || value === null) return true;
  if (depth >= maxDepth) {
    walk.isAll = false;
    return true;
  }
  if (!Array.isArray(value)) return visitMembers(value as Readonly<Record<string, unknown>>, place);
  for (let i = 0; i < value.length; i++)
    if (!visit(value[i], { at: placeIn(at, i, depth + 1), walk, depth: depth + 1 })) return false;
  return true;
}

function visitMembers(value: Readonly<Record<string, unknown>>, { at, walk, depth }: Place): boolean {
  for (const name in value) {
    if (!Object.hasOwn(value, name)) continue;
    const below = { at: placeIn(at, name, depth + 1), name, walk, depth: depth + 1 };
    // A name says something only where it isn't one.
    if (!plainName.test(name) && !take(walk, { at: below.at, text: name })) return false;
    if (!visit(value[name], below)) return false;
  }
  return true;
}

const plainName = /^[A-Za-z_][A-Za-z_-]{0,31}\d{0,3}$/;

function take(walk: Walk, leaf: Leaf): boolean {
  const { text } = leaf;
  if (text.length === 0) return true;
  if (walk.left <= 0 || walk.chars <= 0) {
    walk.isAll = false;
    return false;
  }
  walk.left -= 1;
  if (text.length > walk.chars) walk.isAll = false;
  const read = text.length > walk.chars ? text.slice(0, walk.chars) : text;
  walk.chars -= read.length;
  walk.leaves.push({ ...leaf, text: read });
  return true;
}
