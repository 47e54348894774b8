/** The log key file and its generations: docs/formats/log.md "Head" and "Generations of keys". */
import { decimal, demand, hash, hex, readBounded, toUtf8, utf8 } from "./bytes.ts";
import { type Key, readKey } from "./note.ts";

const mostKeys = 64;
const mostGenerations = 1024;
/** 64 of the largest keys, with room for comments. */
const mostKeyFileBytes = 512 * 1024;

export interface Generation {
  readonly number: number;
  readonly keys: readonly Key[];
}

export function readKeyFile(file: string): readonly Generation[] {
  return readGenerations(utf8(readBounded(file, mostKeyFileBytes)));
}

export function readGenerations(text: string): readonly Generation[] {
  const generations = group(text);
  demand(generations.length > 0, "a key file without keys");
  for (const [at, { number }] of generations.entries()) {
    const before = generations[at - 1];
    demand(before === undefined || number === before.number + 1, "generations that don't follow one another");
  }
  const keys = generations.flatMap((generation) => generation.keys);
  demand(keys.length <= mostKeys, `a key file of more than ${mostKeys} keys`);
  demand(new Set(keys.map(({ name }) => name)).size === 1, "a key file with keys of several names");
  demand(new Set(keys.map(({ id }) => id)).size === keys.length, "a key file that has a key id twice");
  for (const generation of generations) demandEnough(generation);
  return generations;
}

function group(text: string): readonly Generation[] {
  const generations: { number: number; keys: Key[] }[] = [];
  for (const line of text.split("\n")) {
    const heading = /^# generation (.*)$/.exec(line);
    if (heading !== null) {
      const number = decimal(heading[1] ?? "", "a generation");
      demand(number >= 1 && number <= mostGenerations, `a generation that isn't 1 to ${mostGenerations}`);
      generations.push({ number, keys: [] });
      continue;
    }
    if (line === "" || line.startsWith("#")) continue;
    if (generations.length === 0) generations.push({ number: 1, keys: [] });
    generations.at(-1)?.keys.push(readKey(line));
  }
  return generations;
}

/** Ed25519 with ML-DSA-65, or ML-DSA-87: "verifiers take none without the one or the other set". */
function demandEnough({ number, keys }: Generation): void {
  const kinds = keys.map(({ kind }) => kind.name);
  demand(new Set(kinds).size === kinds.length, `generation ${number} has two keys of a kind`);
  demand(
    kinds.includes("ml-dsa-87") || (kinds.includes("ed25519") && kinds.includes("ml-dsa-65")),
    `generation ${number} has too few keys`,
  );
}

export function linesOf({ keys }: Generation): string {
  return keys.map(({ line }) => `${line}\n`).join("");
}

/** As an entry `log.rotate` names a generation (docs/formats/entry.md "Rotations of the log's keys"). */
export function factsOf(generation: Generation, prefix: "" | "before."): Readonly<Record<string, string>> {
  const { number, keys } = generation;
  return {
    [`${prefix}generation`]: String(number),
    [`${prefix}algorithms`]: keys.map(({ kind }) => kind.name).join(" "),
    [`${prefix}key_ids`]: keys.map(({ id }) => id).join(" "),
    [`${prefix}keys`]: hex(hash(toUtf8(linesOf(generation)))),
  };
}
