/** Algorithms that somebody counts as broken: what follows for those that rest on them. */
import { Refusal } from "../../kernel/refusal.ts";
import {
  isSignatureSuiteId,
  signatureSuite,
  signatureSuiteIds,
  type SignatureSuiteId,
} from "./signatures.ts";
import { type HashId, hashIds } from "./symmetric.ts";

export interface Fallen {
  readonly id: HashId | SignatureSuiteId;
  /** From then on; undefined if nobody knows since when, or it doesn't matter. */
  readonly fromUnixMs: number | undefined;
}

/** What still stands when some algorithms have fallen. */
export interface Standing {
  readonly fallen: readonly Fallen[];
  readonly hash: (id: HashId) => boolean;
  readonly signature: (id: SignatureSuiteId) => boolean;
}

export const everythingStands: Standing = { fallen: [], hash: () => true, signature: () => true };

export function standingWithout(fallen: readonly Fallen[]): Standing {
  const ids = new Set<string>(fallen.map(({ id }) => id));
  const hash = (id: HashId): boolean => !ids.has(id);
  const signature = (id: SignatureSuiteId): boolean => {
    const { restsOn } = signatureSuite(id);
    return !ids.has(id) && (restsOn === undefined || hash(restsOn));
  };
  return { fallen, hash, signature };
}

/**
 * `SHA-256`, or `SHA-256@2034-05-01` for one that fell on that UTC day.
 * @throws Refusal `bad_config` for what is in no table
 */
export function readFallen(text: string): Fallen {
  const [name = "", day, ...more] = text.split("@");
  const id = hashIds.find((hash) => hash === name) ?? (isSignatureSuiteId(name) ? name : undefined);
  if (id === undefined) {
    const known = [...hashIds, ...signatureSuiteIds].join(", ");
    throw new Refusal("bad_config", `There is no algorithm "${name.slice(0, 64)}" here; there are ${known}.`);
  }
  if (more.length > 0 || (day !== undefined && !isDay(day))) {
    throw new Refusal(
      "bad_config",
      `"${text.slice(0, 80)}": a UTC day was expected, as in ${id}@2034-05-01.`,
    );
  }
  return { id, fromUnixMs: day === undefined ? undefined : Date.parse(day) };
}

function isDay(text: string): boolean {
  const at = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(text) : Number.NaN;
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(text);
}
