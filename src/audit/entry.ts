/**
 * Audit entries as bytes: a SEP-3004 record in its canonical form, with `event_hash` in front, chained to the
 * one before. What Latticegate adds stands under `extensions["dev.latticegate/entry"]` (docs/formats/entry.md).
 *
 * Writing is on the path of every call, so it concatenates by hand; reading is generic and strict.
 */
import { sha256, sha256Hex } from "../crypto/hash.ts";
import { fromUtf8, toHex, utf8 } from "../kernel/bytes.ts";
import type { Hash } from "../merkle/hashing.ts";
import type { EntryDraft, EntryOutcome } from "../model/entry.ts";
import { canonicalJson, cutMark, isTooDeep, maxDepth, quote } from "./canonical.ts";

/** A record never takes more, so that 256 of them fit in 2 MiB. */
export const maxEntryBytes = 8192;
export const entryExtension = "dev.latticegate/entry";

export interface SealedEntry {
  readonly bytes: Uint8Array;
  /** 64 hexadecimal digits: what the next entry's `previous_hash` is. */
  readonly eventHash: string;
}

/** An entry read back. */
export interface Entry extends Omit<EntryDraft, "event"> {
  /** An `EntryEvent`, or what another writer registered. */
  readonly event: string;
  readonly eventId: string;
  readonly previousHash: string | null;
  readonly eventHash: string;
}

export type EntryReading =
  | { readonly kind: "entry"; readonly entry: Entry }
  | { readonly kind: "unreadable"; readonly why: string };

/** How long core fields, facts, and the list of facts may be: the first row that fits is taken. */
const limits = [
  { core: 2048, fact: 1024, facts: 1024 },
  { core: 1024, fact: 256, facts: 64 },
  { core: 512, fact: 32, facts: 24 },
] as const;
type Limits = (typeof limits)[number];
const maxCallIdUnits = 128;
const plainFactName = /^[a-z0-9_][a-z0-9_.-]{0,63}$/;
/** `{"event_hash":"` + 64 digits + `",`, which takes the place of the opening brace. */
const hashHeader = `{"event_hash":"`;
const headerBytes = hashHeader.length + 64 + 2;
const openingBrace = 0x7b;

/**
 * The record of `draft` after the entry whose `event_hash` is `previousHash` (null for a log's first).
 * Never throws: text that SEP-3004 §2.3 doesn't allow is normalised, text that is too long is cut and marked.
 */
export function sealEntry(draft: EntryDraft, previousHash: string | null): SealedEntry {
  let preimage = "";
  let length = 0;
  for (const limit of limits) {
    preimage = preimageOf(draft, previousHash, limit);
    length = Buffer.byteLength(preimage);
    if (length <= maxEntryBytes - headerBytes) break;
  }
  const bytes = Buffer.allocUnsafe(headerBytes - 1 + length);
  bytes.write(preimage, headerBytes - 1);
  const eventHash = sha256Hex(bytes.subarray(headerBytes - 1));
  // `event_hash` sorts before every other member, so the record is the preimage with one more in front.
  bytes.write(`${hashHeader}${eventHash}",`, 0, "latin1");
  return { bytes, eventHash };
}

/** The entry in `bytes`: canonical to the byte, complete, and with the `event_hash` that it must have. */
export function readEntry(bytes: Uint8Array, hash: Hash = sha256): EntryReading {
  if (bytes.length > maxEntryBytes) return unreadable(`it has more than ${maxEntryBytes} bytes`);
  const text = fromUtf8(bytes);
  const record = text === undefined ? undefined : parse(text);
  if (record === undefined) return unreadable("it is no JSON object");
  if (canonicalJson(record) !== text) {
    return unreadable(
      isTooDeep(record) ? `it is nested deeper than ${maxDepth}` : "it isn't in canonical form",
    );
  }
  // SEP-3004 §2.8: reserved; nobody here verifies an anchor, and `event_hash` doesn't cover it.
  if ((record["anchor_witness"] ?? null) !== null) return unreadable("anchor_witness isn't null");
  return readRecord(record, bytes, hash);
}

/** @param bytes the record's canonical form */
function readRecord(record: Readonly<Record<string, unknown>>, bytes: Uint8Array, hash: Hash): EntryReading {
  const { event_id: eventId, event_type: event, outcome, tool_name: tool } = record;
  const { principal_id: principal, previous_hash: previousHash, event_hash: eventHash } = record;
  if (typeof eventId !== "string" || typeof event !== "string" || typeof principal !== "string") {
    return unreadable("event_id, event_type or principal_id is missing");
  }
  const atUnixMs = readTime(record["occurred_at"]);
  if (atUnixMs === undefined) return unreadable("occurred_at is no UTC time in milliseconds");
  if (!isOutcome(outcome)) return unreadable("outcome is none of allowed, denied, deferred, error");
  if (tool !== null && typeof tool !== "string") return unreadable("tool_name is neither text nor null");
  if (previousHash !== null && !isDigest(previousHash)) return unreadable("previous_hash is no SHA-256");
  if (!isDigest(eventHash) || eventHash !== eventHashOf(record, bytes, hash)) {
    return unreadable("its event_hash isn't that of its content");
  }
  const facts = readFacts(record["extensions"]);
  if (facts === undefined) return unreadable("extensions has none, or isn't an object of them");
  const callId = eventId.endsWith(`/${event}`) ? eventId.slice(0, -event.length - 1) : eventId;
  const core = { event, atUnixMs, callId, principal, tool, outcome, facts };
  return { kind: "entry", entry: { ...core, eventId, previousHash, eventHash } };
}

function unreadable(why: string): EntryReading {
  return { kind: "unreadable", why };
}

/** SEP-3004 §2.4: the core without `event_hash`, and the extensions. */
function preimageOf(draft: EntryDraft, previousHash: string | null, limit: Limits): string {
  const callId = quote(draft.callId, maxCallIdUnits);
  return (
    `{"event_id":${callId.slice(0, -1)}/${draft.event}","event_type":"${draft.event}"` +
    `,"extensions":{"${entryExtension}":{${factsOf(draft.facts, limit)}}}` +
    `,"occurred_at":"${new Date(draft.atUnixMs).toISOString()}","outcome":"${draft.outcome}"` +
    `,"previous_hash":${previousHash === null ? "null" : `"${previousHash}"`}` +
    `,"principal_id":${quote(draft.principal, limit.core)}` +
    `,"tool_name":${draft.tool === null ? "null" : quote(draft.tool, limit.core)}}`
  );
}

function factsOf(facts: Readonly<Record<string, string>>, limit: Limits): string {
  const names = Object.keys(facts).sort();
  if (names.length > limit.facts || !names.every((name) => plainFactName.test(name))) {
    return unusualFacts(facts, limit);
  }
  let text = "";
  for (const name of names) {
    text += `${text === "" ? "" : ","}"${name}":${quote(facts[name] ?? "", limit.fact)}`;
  }
  return text;
}

/** Names made plain, the first of equal ones kept, and the surplus cut with a fact that says so. */
function unusualFacts(facts: Readonly<Record<string, string>>, limit: Limits): string {
  const plain = new Map<string, string>();
  for (const [name, value] of Object.entries(facts)) {
    const safe = name.toLowerCase().replaceAll(/[^a-z0-9_.-]/g, "_");
    const start = /^[.-]/.test(safe) || safe === "" ? `_${safe}` : safe;
    if (plain.size < limit.facts - 1 && !plain.has(start.slice(0, 64))) plain.set(start.slice(0, 64), value);
  }
  if (plain.size < Object.keys(facts).length) plain.set("facts", cutMark);
  const rows = [...plain].sort(([a], [b]) => (a < b ? -1 : 1));
  return rows.map(([name, value]) => `"${name}":${quote(value, limit.fact)}`).join(",");
}

function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const protectedCore = [
  "event_id",
  "event_type",
  "extensions",
  "occurred_at",
  "outcome",
  "previous_hash",
  "principal_id",
  "tool_name",
] as const;

/** Members of the record that SEP-3004 doesn't name are ignored (§2.1), so they aren't hashed either. */
function eventHashOf(
  record: Readonly<Record<string, unknown>>,
  bytes: Uint8Array,
  hash: Hash,
): string | undefined {
  // Without other members than these the rest of the canonical form is the canonical form of the rest.
  const isCore = protectedCore.every((name) => Object.hasOwn(record, name));
  if (isCore && Object.keys(record).length === protectedCore.length + 1) {
    const preimage = new Uint8Array(bytes.subarray(headerBytes - 1));
    preimage[0] = openingBrace;
    return toHex(hash(preimage));
  }
  const body = Object.fromEntries(protectedCore.map((name) => [name, record[name]]));
  const text = canonicalJson(body);
  return text === undefined ? undefined : toHex(hash(utf8(text)));
}

function readTime(text: unknown): number | undefined {
  if (typeof text !== "string") return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) || new Date(ms).toISOString() !== text ? undefined : ms;
}

function readFacts(extensions: unknown): Readonly<Record<string, string>> | undefined {
  if (!isObject(extensions) || Object.keys(extensions).length === 0) return undefined;
  const ours = extensions[entryExtension] ?? {};
  if (!isObject(ours) || !Object.values(ours).every((value) => typeof value === "string")) return undefined;
  return ours as Readonly<Record<string, string>>;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isOutcome(value: unknown): value is EntryOutcome {
  return value === "allowed" || value === "denied" || value === "deferred" || value === "error";
}

function isDigest(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
}
