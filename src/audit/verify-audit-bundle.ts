/**
 * Verifies an audit bundle with nothing but the fingerprint of one generation of the log's keys, which must come from
 * elsewhere: what the bundle says of its keys counts only where it leads from that fingerprint. It assumes that whoever
 * handed the bundle over may have changed any of it (docs/formats/bundle.md).
 */
import { sha256 } from "../crypto/hash.ts";
import { hasSameKeys, keysHash, type LogGeneration, type LogKey, readLogKey } from "../crypto/log-key.ts";
import { utf8 } from "../kernel/bytes.ts";
import { leafHash } from "../merkle/hashing.ts";
import { type AuditBundle, readAuditBundle } from "./audit-bundle.ts";
import { type BundleFinding, judgeBundleEntries, type ReadEntries } from "./bundle-entries.ts";
import type { IndexedEntry } from "./chain.ts";
import { readCrossing } from "./crossing.ts";
import { readEntry } from "./entry.ts";
import { type Generations, readDueHead, walkGenerations } from "./generations.ts";
import { judgeKeptHead, type KeptHeadRelation } from "./kept-head.ts";
import { rotationEvent } from "./rotation.ts";
import type { Link } from "./tampered-entries.ts";

export type BundleVerdict =
  | {
      readonly kind: "intact";
      readonly origin: string;
      /** Index of the first entry, and how many there are. */
      readonly first: number;
      readonly count: number;
      /** Entries under the head, in this bundle or not. */
      readonly size: number;
      readonly root: Uint8Array;
      /** When the head was signed; undefined if no signature on it says so. */
      readonly headAtUnixS: number | undefined;
      /** `ed25519`, `ml-dsa-65`, … */
      readonly signedBy: readonly string[];
      /** The generation of keys that signed the head, and the one that the fingerprint is of. */
      readonly generation: number;
      readonly givenGeneration: number;
      /** How the log relates to the head that was kept; undefined without one. */
      readonly keptHead: KeptHeadRelation | undefined;
    }
  | { readonly kind: "broken"; readonly findings: readonly BundleFinding[] };

export interface BundleTrust {
  /** `keysHash` of any generation of the log's keys, in hexadecimal; colons, spaces and case don't count. */
  readonly fingerprint: string;
  /** A head of this log that was kept elsewhere. */
  readonly seen?: Uint8Array;
}

/** Findings beyond this many are not told: the first are what matters. */
const maxFindings = 32;

/** Never throws, whatever `bytes` are. */
export function verifyBundle(bytes: Uint8Array, trust: BundleTrust): BundleVerdict {
  const reading = readAuditBundle(bytes);
  if (reading.kind === "bundle") return judgeBundle(reading.bundle, trust);
  return broken([{ what: "format", text: `this is no whole audit bundle: ${reading.why}` }]);
}

/** The same of one that was read already. */
export function judgeBundle(bundle: AuditBundle, { fingerprint, seen }: BundleTrust): BundleVerdict {
  const wanted = fingerprint.replaceAll(/[\s:]/g, "").toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(wanted)) {
    const text = "that is no fingerprint: 64 hexadecimal digits were expected";
    return broken([{ what: "fingerprint", text }]);
  }
  const crossings = new Map([...bundle.crossings].map(([number, text]) => [number, utf8(text)]));
  const named = keysIn(bundle.keys);
  if (typeof named === "string") return broken([{ what: "keys", text: named }]);
  const given = withFingerprint(wanted, named, crossings);
  if (given === undefined) return broken([strangersKeys]);
  const generations = walkGenerations(crossings, [given]);
  const head = readDueHead(utf8(bundle.checkpoint), generations);
  if (head.kind === "unreadable") return broken([unsigned(head.why)]);
  const claimed = head.kind === "signed" ? head.head : head.body;
  const entries = entriesOf(bundle);
  const kept = seen && judgeKeptHead(readDueHead(seen, generations), claimed, { ...bundle, ...entries });
  const findings = [
    ...generations.faults.map(({ what, path, text }) => ({ what, text: inBundle(path, text) })),
    ...otherKeys(named, generations),
    ...(head.kind === "signed" ? [] : [unsigned(head.why)]),
    ...judgeBundleEntries(bundle, entries, { claimed, generations }),
    ...(kept?.kind === "finding" ? [kept.finding] : []),
  ];
  if (findings.length > 0 || head.kind !== "signed") return broken(findings);
  const { origin, size, root, atUnixS: headAtUnixS, signedBy } = head.head;
  return {
    kind: "intact",
    origin,
    first: bundle.first,
    count: bundle.entries.length,
    size,
    root,
    headAtUnixS,
    signedBy,
    generation: head.head.generations.at(-1) ?? given.number,
    givenGeneration: given.number,
    keptHead: kept?.relation,
  };
}

/** What the person said, not the bundle: nothing of the bundle's own keys is shown that might be taken for it. */
const strangersKeys: BundleFinding = {
  what: "fingerprint",
  text: "no keys in the bundle have the fingerprint that you gave: it is of another log, or made by somebody else, or older or newer than these keys",
};

function broken(findings: readonly BundleFinding[]): BundleVerdict {
  return { kind: "broken", findings: findings.slice(0, maxFindings) };
}

function unsigned(why: string): BundleFinding {
  return { what: "signature", text: `the head isn't to be trusted: ${why}` };
}

/** Crossings are members here, not files. */
function inBundle(path: string, text: string): string {
  const number = /(\d+)\.tlog-proof$/.exec(path)?.[1];
  return number === undefined ? text : text.replace(path, `the crossing to generation ${number}`);
}

function keysIn(text: string): LogKey | string {
  try {
    return readLogKey(text);
  } catch (error) {
    return `the keys in the bundle can't be read: ${error instanceof Error ? error.message : ""}`;
  }
}

/** A crossing has the keys of the two generations that meet there. */
function withFingerprint(
  wanted: string,
  named: LogKey,
  crossings: ReadonlyMap<number, Uint8Array>,
): LogGeneration | undefined {
  const has = ({ keys }: LogGeneration): boolean => keysHash(keys) === wanted;
  const among = named.find(has);
  if (among !== undefined) return among;
  for (const [number, bytes] of crossings) {
    const reading = readCrossing(bytes, number);
    const found = reading.kind === "crossing" && [reading.crossing.from, reading.crossing.to].find(has);
    if (found) return found;
  }
  return undefined;
}

/** Keys that the bundle claims and nothing leads to. */
function otherKeys(named: LogKey, { known }: Generations): readonly BundleFinding[] {
  return named.flatMap(({ number, keys }) => {
    const led = known.find((generation) => generation.number === number);
    if (led !== undefined && hasSameKeys(led.keys, keys)) return [];
    const text = `the bundle has keys of generation ${number} to which nothing leads from those with your fingerprint`;
    return [{ what: "keys", text } as const];
  });
}

function entriesOf({ entries, first }: AuditBundle): ReadEntries {
  const [links, leaves, rotations]: [Link[], Uint8Array[], IndexedEntry[]] = [[], [], []];
  for (const [i, text] of entries.entries()) {
    const bytes = utf8(text);
    leaves.push(leafHash(sha256, bytes));
    const reading = readEntry(bytes);
    if (reading.kind === "unreadable") {
      links.push(reading);
      continue;
    }
    const { eventHash, previousHash, event } = reading.entry;
    links.push({ kind: "entry", eventHash, previousHash });
    if (event === rotationEvent) rotations.push({ index: first + i, entry: reading.entry });
  }
  return { links, leaves, rotations };
}
