/**
 * Audit bundles: a run of a log's entries with all that is needed to verify them elsewhere, as one JSON document
 * (docs/formats/bundle.md). Written and read here, judged in verify-audit-bundle.ts. Not to be confused with the
 * entry bundles that the log itself is stored in (bundle.ts).
 */
import { maxGenerations } from "../crypto/log-key.ts";
import { fromBase64, fromUtf8, toBase64 } from "../kernel/bytes.ts";
import { hashBytes } from "../merkle/hashing.ts";
import { maxRangePath } from "../merkle/range.ts";
import { maxNoteBytes } from "./checkpoint.ts";
import { maxTlogProofBytes } from "./tlog-proof.ts";
import { maxEntryBytes } from "./entry.ts";

export interface AuditBundle {
  /** Text of a log key file. Nothing is trusted because it stands here. */
  readonly keys: string;
  /** The signed head, as text. */
  readonly checkpoint: string;
  /** The texts of the log's crossings by the generation that they lead to. */
  readonly crossings: ReadonlyMap<number, string>;
  /** Index of the first entry. */
  readonly first: number;
  readonly entries: readonly string[];
  /** The roots of the largest subtrees of the head's tree without an entry of these, from left to right. */
  readonly path: readonly Uint8Array[];
}

export type AuditBundleReading =
  | { readonly kind: "bundle"; readonly bundle: AuditBundle }
  | { readonly kind: "bad"; readonly why: string };

const auditBundleFormat = "dev.latticegate/audit-bundle@v1";
/** What a browser holds as one string, with room. */
export const maxAuditBundleBytes = 256 * 1024 * 1024;
/** Seconds of work for a browser. */
export const maxAuditBundleEntries = 200_000;
/** Sixteen generations of four keys have under 256 KiB. */
const maxKeysLength = 256 * 1024;

const members = ["format", "keys", "checkpoint", "crossings", "first", "entries", "path"] as const;
type Members = Readonly<Record<(typeof members)[number], unknown>>;

/** The document, piece by piece: one form and no other, an entry a line. */
export function* auditBundlePieces(bundle: AuditBundle): Generator<string, void, void> {
  const crossings = Object.fromEntries([...bundle.crossings].sort(([a], [b]) => a - b));
  yield `{"format":${JSON.stringify(auditBundleFormat)},\n`;
  yield `"keys":${JSON.stringify(bundle.keys)},\n`;
  yield `"checkpoint":${JSON.stringify(bundle.checkpoint)},\n`;
  yield `"crossings":${JSON.stringify(crossings)},\n`;
  yield `"first":${bundle.first},\n"entries":[`;
  for (const [i, entry] of bundle.entries.entries())
    yield `${i === 0 ? "\n" : ",\n"}${JSON.stringify(entry)}`;
  yield `\n],\n"path":${JSON.stringify(bundle.path.map(toBase64))}}\n`;
}

/** Never throws. What is read is within the bounds, written in the one form, and not yet trusted in anything. */
export function readAuditBundle(bytes: Uint8Array): AuditBundleReading {
  if (bytes.length > maxAuditBundleBytes)
    return bad(`it has ${bytes.length} bytes; ${maxAuditBundleBytes} are the most`);
  const text = fromUtf8(bytes);
  if (text === undefined) return bad("it isn't UTF-8 text");
  const document = parsed(text);
  if (document === undefined) {
    const isCut = text.startsWith("{") && !text.trimEnd().endsWith("}");
    return bad(isCut ? "it is cut: its end is missing" : "it is no JSON document");
  }
  const reading = bundleOf(document);
  if (reading.kind === "bad") return reading;
  // Also finds members that are there twice, of which JSON's readers take either.
  const at = firstDifference(text, auditBundlePieces(reading.bundle));
  return at === undefined ? reading : bad(`from character ${at} on it isn't written as a bundle is`);
}

function bad(why: string): { readonly kind: "bad"; readonly why: string } {
  return { kind: "bad", why };
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function bundleOf(document: Readonly<Record<string, unknown>>): AuditBundleReading {
  if (document["format"] !== auditBundleFormat) return bad(`its format isn't ${auditBundleFormat}`);
  const extra = Object.keys(document).find((name) => !members.some((member) => member === name));
  if (extra !== undefined)
    return bad(`it has the member ${JSON.stringify(extra.slice(0, 64))}, which bundles don't have`);
  const missing = members.find((name) => !Object.hasOwn(document, name));
  if (missing !== undefined) return bad(`${missing} is missing`);
  const { keys, checkpoint, crossings, first, entries, path } = document as Members;
  if (!isText(keys, maxKeysLength)) return bad("keys is no text of a log key file");
  if (!isText(checkpoint, maxNoteBytes)) return bad("checkpoint is no text of a head");
  if (!isIndex(first)) return bad("first is no index of an entry");
  const whyEntries = whyNoEntries(entries);
  if (whyEntries !== undefined) return bad(whyEntries);
  const [crossingTexts, hashes] = [crossingsOf(crossings), pathOf(path)];
  if (crossingTexts === undefined) return bad("crossings aren't texts by the generation they lead to");
  if (hashes === undefined) return bad(`path isn't up to ${maxRangePath} hashes in base64`);
  const bundle = { keys, checkpoint, first, entries: entries as readonly string[] };
  return { kind: "bundle", bundle: { ...bundle, crossings: crossingTexts, path: hashes } };
}

function whyNoEntries(entries: unknown): string | undefined {
  if (!Array.isArray(entries) || entries.length === 0 || entries.length > maxAuditBundleEntries)
    return `entries aren't 1 to ${maxAuditBundleEntries}`;
  const at = entries.findIndex((entry) => !isText(entry, maxEntryBytes));
  return at === -1 ? undefined : `number ${at} of its entries is no text of up to ${maxEntryBytes} bytes`;
}

function crossingsOf(value: unknown): ReadonlyMap<number, string> | undefined {
  if (!isObject(value)) return undefined;
  const crossings = new Map<number, string>();
  for (const [name, text] of Object.entries(value)) {
    const number = /^[1-9][0-9]{0,3}$/.test(name) ? Number(name) : 0;
    if (number < 2 || number > maxGenerations || !isText(text, maxTlogProofBytes)) return undefined;
    crossings.set(number, text);
  }
  return crossings;
}

function pathOf(value: unknown): readonly Uint8Array[] | undefined {
  if (!Array.isArray(value) || value.length > maxRangePath) return undefined;
  const hashes = value.flatMap((text) => (typeof text === "string" ? (fromBase64(text) ?? []) : []));
  return hashes.length === value.length && hashes.every(({ length }) => length === hashBytes)
    ? hashes
    : undefined;
}

/** Where `text` stops being the pieces one after the other; undefined if it is. Nothing of that size is made twice. */
function firstDifference(text: string, pieces: Iterable<string>): number | undefined {
  let at = 0;
  for (const piece of pieces) {
    if (!text.startsWith(piece, at)) return at;
    at += piece.length;
  }
  return at === text.length ? undefined : at;
}

/** Lone surrogates would become other characters as UTF-8. */
function isText(value: unknown, maxLength: number): value is string {
  return typeof value === "string" && value.length <= maxLength && value.isWellFormed();
}

function isIndex(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
