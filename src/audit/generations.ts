/**
 * From the keys somebody has to all generations of a log's keys: forwards, each crossing is signed by the generation
 * before it; backwards, its entry stands in the log that the newer keys sign. And which generation may sign a head
 * of which size.
 */
import { hasSameKeys, type LogGeneration, type LogKey, maxGenerations } from "../crypto/log-key.ts";
import type { NoteKeyRole } from "../crypto/note-keys.ts";
import { type Crossing, crossingPath, readCrossing } from "./crossing.ts";
import { everythingStands, type Standing } from "../crypto/suites/fallen.ts";
import { type Head, type HeadReading, readHead } from "./head.ts";
import type { LogFiles } from "./log-walk.ts";

export interface CrossingFault {
  readonly what: "missing" | "crossing";
  readonly path: string;
  readonly text: string;
}

export interface Generations {
  /** Oldest first; those from the first of the log on, if all crossings are there. */
  readonly known: LogKey;
  /** How each of them but the first came, by its number. */
  readonly crossings: ReadonlyMap<number, Crossing>;
  readonly faults: readonly CrossingFault[];
}

/** The crossings of a log, unread: up to the first that isn't there, and those below the newest generation known. */
export async function findCrossings(
  files: LogFiles,
  logKey: LogKey,
): Promise<ReadonlyMap<number, Uint8Array>> {
  const newest = logKey.at(-1)?.number ?? 1;
  const found = new Map<number, Uint8Array>();
  for (let number = 2; number <= maxGenerations; number++) {
    const bytes = await files(crossingPath(number));
    if (bytes === undefined && number > newest) break;
    if (bytes !== undefined) found.set(number, bytes);
  }
  return found;
}

/** @param files of the crossings by the generation they lead to; reading them is the caller's */
export function walkGenerations(
  files: ReadonlyMap<number, Uint8Array>,
  logKey: LogKey,
  standing: Standing = everythingStands,
): Generations {
  const known = new Map(logKey.map((generation) => [generation.number, generation]));
  const crossings = new Map<number, Crossing>();
  const faults: CrossingFault[] = [];
  const [newest] = [...known.keys()].slice(-1);
  const cross = (number: number): boolean => {
    const taken = take(files.get(number), number, known, standing);
    if ("text" in taken) faults.push({ ...taken, path: crossingPath(number) });
    else {
      crossings.set(number, taken);
      for (const { number: of, keys } of [taken.from, taken.to]) {
        // Keys that came by hand stay what they are.
        if (!known.has(of)) known.set(of, { number: of, keys });
      }
    }
    return !("text" in taken);
  };
  for (let number = newest ?? 1; number > 1 && cross(number); number--);
  const last = Math.max(newest ?? 1, ...files.keys());
  for (let number = (newest ?? 1) + 1; number <= last && cross(number); number++);
  return {
    known: [...known.values()].sort((a, b) => a.number - b.number),
    crossings,
    faults: [...faults, ...outOfOrder(crossings)],
  };
}

/** A head counts if the generation signed it that signs at its size. */
export function readDueHead(
  bytes: Uint8Array,
  generations: Generations,
  standing: Standing = everythingStands,
  mustSign?: readonly NoteKeyRole[],
): HeadReading {
  const reading = readHead(bytes, generations.known, standing, mustSign);
  const why = reading.kind === "signed" ? whyWrongGeneration(reading.head, generations) : undefined;
  return why === undefined || reading.kind !== "signed"
    ? reading
    : { kind: "unsigned", body: reading.head, why };
}

/** Why a head, or what else is signed for a size, isn't by the generation that signs there; undefined if it is. */
export function whyWrongGeneration(
  head: Pick<Head, "size" | "generations">,
  { known, crossings }: Generations,
): string | undefined {
  const due = generationAt(head.size, crossings) ?? known.at(-1)?.number;
  if (due === undefined || head.generations.includes(due)) return undefined;
  const [by = 0] = head.generations;
  if (by > due) return `generation ${by} signs no head of ${head.size} entries; it came later`;
  const end = crossings.get(by + 1)?.head.size;
  const ended = end === undefined ? "" : `, which ended with the head of ${end} entries`;
  return `it is signed by generation ${by} of the log's keys${ended}; generation ${due} signs since`;
}

/** The generation that signs heads of that size, as far as crossings say. */
function generationAt(size: number, crossings: ReadonlyMap<number, Crossing>): number | undefined {
  const begun = [...crossings].filter(([, { head }]) => head.size <= size).map(([number]) => number);
  if (begun.length > 0) return Math.max(...begun);
  return crossings.size === 0 ? undefined : Math.min(...crossings.keys()) - 1;
}

/** The crossing to a generation, if it agrees with the keys that are known on either side of it. */
function take(
  bytes: Uint8Array | undefined,
  number: number,
  known: ReadonlyMap<number, LogGeneration>,
  standing: Standing,
): Crossing | Pick<CrossingFault, "what" | "text"> {
  const path = crossingPath(number);
  const fault = (what: CrossingFault["what"], text: string): Pick<CrossingFault, "what" | "text"> => {
    return { what, text };
  };
  if (number > maxGenerations)
    return fault("crossing", `${path}: a log has at most ${maxGenerations} generations of keys`);
  if (bytes === undefined) {
    return fault("missing", `${path} is missing: nothing leads from generation ${number - 1} to ${number}`);
  }
  const reading = readCrossing(bytes, number, standing);
  if (reading.kind === "bad") return fault("crossing", `${path} doesn't hold: ${reading.why}`);
  const { crossing } = reading;
  for (const side of [crossing.from, crossing.to]) {
    const had = known.get(side.number);
    if (had !== undefined && !hasSameKeys(had.keys, side.keys)) {
      return fault("crossing", `${path} has other keys of generation ${side.number} than are known`);
    }
  }
  return crossing;
}

/** A generation begins after the one before it. */
function outOfOrder(crossings: ReadonlyMap<number, Crossing>): readonly CrossingFault[] {
  return [...crossings].flatMap(([number, { head }]) => {
    const before = crossings.get(number - 1)?.head.size ?? 0;
    const path = crossingPath(number);
    const text = `${path} doesn't hold: it is at ${head.size} entries, the one before at ${before}`;
    return head.size > before ? [] : [{ what: "crossing" as const, path, text }];
  });
}
