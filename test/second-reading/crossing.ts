/** How one generation of keys leads to the next: docs/formats/log.md "Generations of keys". */
import { demand, toUtf8, utf8 } from "./bytes.ts";
import { demandAllRequired, type Head, signersOf } from "./checkpoint.ts";
import { type Entry, readEntry } from "./entry.ts";
import { factsOf, type Generation, linesOf, readGenerations } from "./key-file.ts";
import { demandInclusion } from "./merkle.ts";
import { readProof } from "./proof.ts";

export interface Crossing {
  readonly to: number;
  readonly before: Generation;
  readonly after: Generation;
  readonly index: number;
  readonly entry: Entry;
  readonly entryBytes: Uint8Array;
  readonly head: Head;
}

/** @throws {Wrong} unless the crossing holds by itself; that its keys and its head are the log's is still to be seen */
export function readCrossing(bytes: Uint8Array, to: number): Crossing {
  const { extra, index, hashes, head } = readProof(bytes);
  demand(extra !== undefined, "has no keys");
  const text = utf8(extra);
  const split = text.indexOf("\n\n");
  demand(split >= 0, "has no entry behind its keys");
  const generations = readGenerations(text.slice(0, split + 1));
  const [before, after] = generations;
  demand(generations.length === 2 && before !== undefined && after !== undefined, "isn't of two generations");
  demand(after.number === to, `leads to generation ${after.number}`);

  const entryBytes = toUtf8(text.slice(split + 2));
  const entry = readEntry(entryBytes);
  demand(entry.eventType === "log.rotate", "isn't of a rotation");
  for (const [name, value] of Object.entries({ ...factsOf(after, ""), ...factsOf(before, "before.") }))
    demand(entry.facts[name] === value, `has an entry whose ${name} is another than that of its keys`);

  demand(head.size === index + 1, "has a head that doesn't end with its entry");
  demandInclusion(entryBytes, index, head, hashes);
  const keys = [...before.keys, ...after.keys];
  demandAllRequired(keys, signersOf(head, keys));
  return { to, before, after, index, entry, entryBytes, head };
}

export function sameKeys(a: Generation, b: Generation): boolean {
  return linesOf(a) === linesOf(b);
}
