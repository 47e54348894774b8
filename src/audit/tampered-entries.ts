/**
 * What was done to a run of entries, told by the entries themselves: each has the hash of its own content and that of
 * the entry before it (SEP-3004 §2.6). Hashes prove nothing here, since whoever changes entries may hash them anew;
 * that entries were changed at all is told by the signed root. This says where to look.
 */

/** What the chain needs of an entry. */
export type Link =
  | { readonly kind: "entry"; readonly eventHash: string; readonly previousHash: string | null }
  | { readonly kind: "unreadable"; readonly why: string };

export interface TamperedEntry {
  readonly what: "changed" | "removed" | "added" | "reordered";
  readonly index: number;
  readonly text: string;
}

export interface Run {
  /** Index of the first entry. */
  readonly first: number;
  readonly links: readonly Link[];
  /** Whether as many entries were signed as there are, as far as that is known. */
  readonly isWhole: boolean;
}

/** Each may be looked for in the whole run; behind so many nothing new is told. */
const maxFaults = 64;

export function tamperedEntries(run: Run): readonly TamperedEntry[] {
  const placed = { ...run, places: placesOf(run.links) };
  const told: TamperedEntry[] = [];
  let [echoesUntil, faults] = [-1, 0];
  for (const [at, link] of run.links.entries()) {
    const found = faultAt(at, link, placed);
    if (found === undefined) continue;
    if (++faults > maxFaults) break;
    // Entries that changed places break the chain up to three times in a row; the first tells it.
    const isEcho = found.what === "reordered" && at <= echoesUntil;
    if (found.what === "reordered") echoesUntil = at + 2;
    if (!isEcho) told.push(found);
  }
  return told;
}

/** Where each hash stands first. */
function placesOf(links: readonly Link[]): ReadonlyMap<string, number> {
  const places = new Map<string, number>();
  links.forEach((link, at) => {
    if (link.kind === "entry" && !places.has(link.eventHash)) places.set(link.eventHash, at);
  });
  return places;
}

type Placed = Run & { readonly places: ReadonlyMap<string, number> };

function faultAt(at: number, link: Link, run: Placed): TamperedEntry | undefined {
  const index = run.first + at;
  if (link.kind === "unreadable") {
    return { what: "changed", index, text: `entry ${index} was changed: ${link.why}` };
  }
  const copyOf = run.places.get(link.eventHash) ?? at;
  if (copyOf === at) return brokenBefore(at, link.previousHash, run);
  const text = `entry ${index} was put in: it is a copy of entry ${run.first + copyOf}`;
  return { what: "added", index, text };
}

/** What is wrong between an entry and the one before it; undefined if nothing is, or it is told of the other. */
function brokenBefore(at: number, previousHash: string | null, run: Placed): TamperedEntry | undefined {
  const index = run.first + at;
  const place = run.places.get(previousHash ?? "");
  const before = run.links[at - 1];
  if (before === undefined) return beforeFirst(index, place, previousHash);
  if (before.kind === "unreadable" || before.eventHash === previousHash) return undefined;
  // A copy has been told.
  if (run.places.get(before.eventHash) !== at - 1) return undefined;
  if (previousHash === null || isMisplaced(at - 1, before.previousHash, run)) return reordered(index);
  if (place === undefined) return run.isWhole ? changed(index - 1) : removed(index);
  if (place > at || isClaimed(run, place + 1, at)) return reordered(index);
  return added(run, place + 1, at);
}

function beforeFirst(
  index: number,
  place: number | undefined,
  previousHash: string | null,
): TamperedEntry | undefined {
  if (place !== undefined) return reordered(index);
  return index === 0 && previousHash !== null ? removed(0) : undefined;
}

/** Whether the entry that one follows on stands behind it. */
function isMisplaced(at: number, previousHash: string | null, { places }: Placed): boolean {
  return previousHash !== null && (places.get(previousHash) ?? at) > at;
}

/** Whether an entry outside follows on one of those from `from` to, without, `to`: then they belong to the log. */
function isClaimed({ links }: Placed, from: number, to: number): boolean {
  const between = new Set(links.slice(from, to).map((link) => (link.kind === "entry" ? link.eventHash : "")));
  return links.some((link, at) => {
    const isOutside = at < from || at >= to;
    return isOutside && link.kind === "entry" && link.previousHash !== null && between.has(link.previousHash);
  });
}

function changed(index: number): TamperedEntry {
  const text =
    `entry ${index} was changed and hashed anew, or others were taken away or put in behind it: ` +
    `entry ${index + 1} follows on another`;
  return { what: "changed", index, text };
}

function removed(index: number): TamperedEntry {
  const text = `something was removed before entry ${index}: the entry that it follows on isn't there`;
  return { what: "removed", index, text };
}

function reordered(index: number): TamperedEntry {
  const text = `entries were put into another order, from entry ${index} on: it follows on one that stands elsewhere`;
  return { what: "reordered", index, text };
}

function added({ first }: Placed, from: number, to: number): TamperedEntry {
  const [index, last] = [first + from, first + to - 1];
  const who = index === last ? `entry ${index} was` : `entries ${index} to ${last} were`;
  return { what: "added", index, text: `${who} put in: entry ${last + 1} follows on entry ${index - 1}` };
}
