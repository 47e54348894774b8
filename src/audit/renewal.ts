/**
 * A renewal: the log's history up to a head, wrapped under another hash and signed anew, so that it stays proven when
 * the hash or the signatures of its time fall (docs/formats/renewal.md; RFC 4998 §5.3, hash-tree renewal). Its files:
 * the note, the head that it wraps, and the list of everything else that it wraps.
 */
import type { LogKey } from "../crypto/log-key.ts";
import type { CheckpointBody, NoteSigner } from "../crypto/note-keys.ts";
import { everythingStands, type Standing } from "../crypto/suites/fallen.ts";
import { hashSuite, type RenewalHash, renewalHashes } from "../crypto/suites/symmetric.ts";
import { fromBase64, toBase64, toHex } from "../kernel/bytes.ts";
import type { Hash } from "../merkle/hashing.ts";
import { tileWidth } from "../merkle/tiles.ts";
import type { EntryDraft } from "../model/entry.ts";
import { noteBytes, readNote } from "./checkpoint.ts";
import type { Entry } from "./entry.ts";
import { whoSigned } from "./head.ts";
import type { RotationCause } from "./rotation.ts";

export const renewalEvent = "log.renew";
export const renewalsFolder = "renewals";
/** One a week for twenty years. */
export const maxRenewals = 1024;

export function renewalPath(number: number): string {
  return `${renewalsFolder}/${number}`;
}

/** The head that it wraps. */
export function renewedHeadPath(number: number): string {
  return `${renewalPath(number)}.checkpoint`;
}

/** The list of its evidence. */
export function renewedFilesPath(number: number): string {
  return `${renewalPath(number)}.files`;
}

/** `size` and `root` are of the entries, by the new hash. */
export interface RenewalBody extends CheckpointBody {
  readonly number: number;
  readonly atUnixMs: number;
  readonly hash: RenewalHash;
  /**
   * Entries from here on stand in the tree themselves; of those before, some by their SHA-256 leaf hashes, since they
   * had been removed. A multiple of 256; 0 if all do.
   */
  readonly from: number;
  readonly evidence: { readonly count: number; readonly root: Uint8Array };
}

/** One that the log's keys vouch for. */
export interface Renewal extends RenewalBody {
  readonly generations: readonly number[];
  readonly signedBy: readonly string[];
  /** Of the whole note, by the new hash, in hexadecimal: how its entry names it. */
  readonly note: string;
}

export type RenewalReading =
  | { readonly kind: "signed"; readonly renewal: Omit<Renewal, "note"> }
  | { readonly kind: "bad"; readonly why: string };

const format = "dev.latticegate/renewal@v1";
const count = "(0|[1-9][0-9]{0,15})";
const shape = new RegExp(
  `^${format}\n([^\n]{1,255})\nrenewal ([1-9][0-9]{0,3})\nmade ([0-9TZ:.-]{24})\nhash ([A-Z0-9-]{1,16})` +
    `\nentries ${count} ([A-Za-z0-9+/=]+)(?:\nfrom ([1-9][0-9]{0,15}))?\nevidence ${count} ([A-Za-z0-9+/=]+)\n$`,
);

export function renewalBody(parts: Omit<RenewalBody, "text">): RenewalBody {
  const { origin, number, atUnixMs, hash, size, root, from, evidence } = parts;
  const fromLine = from === 0 ? "" : `\nfrom ${from}`;
  const text =
    `${format}\n${origin}\nrenewal ${number}\nmade ${new Date(atUnixMs).toISOString()}\nhash ${hash}` +
    `\nentries ${size} ${toBase64(root)}${fromLine}\nevidence ${evidence.count} ${toBase64(evidence.root)}\n`;
  return { ...parts, text };
}

/** Undefined if `text` isn't exactly what `renewalBody` writes. */
export function readRenewalBody(text: string): RenewalBody | undefined {
  const [, origin = "", number, made = "", name, size, root, since = "0", files, filesRoot] =
    shape.exec(text) ?? [];
  const hash = renewalHashes.find((id) => id === name);
  const roots = [root, filesRoot].map((base64) => fromBase64(base64 ?? ""));
  const [entriesRoot, evidenceRoot] = roots;
  if (hash === undefined || entriesRoot === undefined || evidenceRoot === undefined) return undefined;
  if (roots.some((each) => each?.length !== hashSuite(hash).digestBytes)) return undefined;
  const atUnixMs = Date.parse(made);
  const numbers = [atUnixMs, Number(size), Number(files)];
  if (!numbers.every(Number.isSafeInteger) || new Date(atUnixMs).toISOString() !== made) return undefined;
  const from = Number(since);
  if (from % tileWidth !== 0 || from > Number(size)) return undefined;
  const evidence = { count: Number(files), root: evidenceRoot };
  const of = { origin, number: Number(number), atUnixMs, hash, size: Number(size), root: entriesRoot, from };
  return { ...of, evidence, text };
}

/** A generation vouches for one with all its required keys and its hash-based one. */
export function readRenewal(
  bytes: Uint8Array,
  logKey: LogKey,
  standing: Standing = everythingStands,
): RenewalReading {
  const note = readNote(bytes);
  const body = note === undefined ? undefined : readRenewalBody(note.text);
  if (note === undefined || body === undefined) return { kind: "bad", why: "it is no signed renewal" };
  if (!standing.hash(body.hash))
    return { kind: "bad", why: `it was made with ${body.hash}, which has fallen` };
  // Cosignatures are over a tree of SHA-256.
  const keys = logKey.map(({ number, keys }) => ({
    number,
    keys: keys.filter(({ role }) => role !== "cosignature"),
  }));
  const text = { body, lines: note.signatures, mustSign: ["required", "daily"] } as const;
  const signed = whoSigned(text, keys, standing);
  if (typeof signed === "string") return { kind: "bad", why: signed };
  const { generations, signedBy } = signed;
  return { kind: "signed", renewal: { ...body, generations, signedBy } };
}

/** The bytes of the note. @param signers of the generation that signs, but for its cosigner */
export async function signRenewal(body: RenewalBody, signers: readonly NoteSigner[]): Promise<Uint8Array> {
  const atUnixS = Math.floor(body.atUnixMs / 1000);
  const signatures = await Promise.all(
    signers.map(async ({ name, keyId, sign }) => ({
      name,
      keyId,
      signature: await sign({ ...body, atUnixS }),
    })),
  );
  return noteBytes({ text: body.text, signatures });
}

/** @param note the whole file; @param hash the function of the renewal's hash */
export function noteDigest(note: Uint8Array, hash: Hash): string {
  return toHex(hash(note));
}

/** The entry that says of a renewal that it was made. */
export function renewalDraft(
  { number, hash, size, root, from, evidence }: RenewalBody,
  note: string,
  { atUnixMs, callId, principal, by }: RotationCause,
): EntryDraft {
  const facts = {
    by,
    renewal: String(number),
    hash,
    size: String(size),
    root: toBase64(root),
    ...(from > 0 && { from: String(from) }),
    evidence: String(evidence.count),
    "evidence.root": toBase64(evidence.root),
    note,
  };
  return { event: renewalEvent, atUnixMs, callId, principal, tool: null, outcome: "allowed", facts };
}

/** What such an entry names; undefined if it is none, NaN for one that names no renewal. */
export function renewalNamed({
  event,
  facts,
}: Pick<Entry, "event" | "facts">): { readonly number: number; readonly note: string } | undefined {
  if (event !== renewalEvent) return undefined;
  const digits = /^[1-9][0-9]{0,3}$/.exec(facts["renewal"] ?? "")?.[0];
  return { number: Number(digits ?? Number.NaN), note: facts["note"] ?? "" };
}
