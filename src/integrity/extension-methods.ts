/**
 * The extension's own methods, which the serving end answers itself, and which messages are signed at all
 * (docs/formats/message-signature.md). `attest` has its format in batch.ts.
 */
import { type SignatureMode, signatureModes } from "../model/message-proof.ts";
import type { Era } from "../wire/frame.ts";
import { nameIn } from "./claims.ts";
import { type Fields, listIn, numericDateIn, objectIn, textIn, whole } from "./fields.ts";
import { type KeySet, readKeySet, writeKeySet } from "./key-set.ts";

/** The ends tell each other their keys; both messages are signed directly, with one of the keys they say. */
export const messageKeysMethod = "dev.latticegate/message-keys";
/** The ends keep their promises. Its messages aren't signed: their statements are. */
export const attestMethod = "dev.latticegate/attest";

/** Requests whose results are empty in the legacy era, and of which nothing depends. */
const unsignedLegacy: ReadonlySet<string> = new Set([
  "ping",
  "logging/setLevel",
  "resources/subscribe",
  "resources/unsubscribe",
]);

/** Whether a request and its answer are signed between ends that sign. */
export function isSigned({ method, era }: { readonly method: string; readonly era: Era }): boolean {
  if (method === "initialize" || method === attestMethod) return false;
  return era === "modern" || !unsignedLegacy.has(method);
}

/** What a serving end says of itself. */
export interface ServingEnd {
  /** The audience of calls to it. */
  readonly audience: string;
  readonly keySet: KeySet;
  readonly modes: ServingModes;
  /** Since when it remembers what it has sent and seen; what it promised before, it doesn't know any more. */
  readonly sinceUnixMs?: number;
}

/** What a calling end says of itself. */
export interface CallingEnd {
  readonly keySet: KeySet;
  /** What it promised before, it can't keep any more. */
  readonly sinceUnixMs?: number;
}

/** How it wants calls signed at least. */
export interface ServingModes {
  /** Calls of tools. */
  readonly default: SignatureMode;
  /** Patterns of the names of tools that only read: these, and all else, may be batched. */
  readonly readOnly: readonly string[];
}

const maxPatterns = 1024;
const maxPatternLength = 256;

/** The params of `message-keys`, without `_meta`. */
export function writeKeysRequest({ keySet, sinceUnixMs }: CallingEnd): Fields {
  const since = sinceUnixMs !== undefined && { since: sinceUnixMs / 1000 };
  return { keys: writeKeySet(keySet), ...since };
}

export function readKeysRequest(params: unknown): CallingEnd | undefined {
  const fields = objectIn(params);
  const keySet = readKeySet(fields?.["keys"]);
  const sinceUnixMs = numericDateIn(fields?.["since"]);
  return keySet && { keySet, ...(sinceUnixMs !== undefined && { sinceUnixMs }) };
}

/** The result of `message-keys`, without `_meta`. */
export function writeKeysAnswer({ audience, keySet, modes, sinceUnixMs }: ServingEnd): Fields {
  const since = sinceUnixMs !== undefined && { since: sinceUnixMs / 1000 };
  return { server: audience, keys: writeKeySet(keySet), modes, ...since };
}

export function readKeysAnswer(result: unknown): ServingEnd | undefined {
  const fields = objectIn(result) ?? {};
  const sinceUnixMs = numericDateIn(fields["since"]);
  const said = whole({
    audience: nameIn(fields["server"]),
    keySet: readKeySet(fields["keys"]),
    modes: modesIn(fields["modes"]),
  });
  return said && { ...said, ...(sinceUnixMs !== undefined && { sinceUnixMs }) };
}

function modesIn(value: unknown): ServingModes | undefined {
  const fields = objectIn(value) ?? {};
  return whole({
    default: signatureModes.find((mode) => mode === fields["default"]),
    readOnly: listIn(fields["readOnly"], maxPatterns, (pattern) => textIn(pattern, maxPatternLength)),
  });
}
