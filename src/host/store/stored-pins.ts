/** A server's pins as they stand in the state database, and back. */
import { z } from "zod";

import {
  acceptedChanges,
  noToolPins,
  type PendingReason,
  type ToolPins,
} from "../../integrity/tools/tool-pins.ts";
import { readTrust } from "../../integrity/tools/trust.ts";
import { Refusal } from "../../kernel/refusal.ts";

/** What is kept of one server's tools. */
export interface KeptTools {
  readonly pins: ToolPins;
  /**
   * By name, the form of which an operator said that it only reads: a tool that changes has to be called that again.
   */
  readonly readOnly: ReadonlyMap<string, string>;
}

export const nothingKept: KeptTools = { pins: noToolPins, readOnly: new Map() };

const pendingReasons = [
  "new",
  "changed",
  "hidden-text",
  "shadows",
  "look-alike",
  "unsigned",
  "rolled-back",
  "unreadable",
] as const satisfies readonly PendingReason[];

const hash = z.string();
const pinnedBy = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("first-use") }),
  z.strictObject({ kind: z.literal("rule"), accepted: z.array(z.enum(acceptedChanges)) }),
  z.strictObject({ kind: z.literal("manifest"), publisher: z.string() }),
  z.strictObject({ kind: z.literal("operator"), who: z.string() }),
  z.strictObject({ kind: z.literal("roll-back"), who: z.string(), toVersion: z.number() }),
]);

/** Entries in turn: a member's name may be one that objects don't take as it is. */
function mapOf<T>(value: z.ZodType<T>): z.ZodType<ReadonlyMap<string, T>> {
  return z
    .array(z.tuple([z.string(), value]))
    .transform((entries) => new Map(entries as readonly (readonly [string, T])[]));
}
/** What can't be read is the worst, as in a manifest. */
const trust = z.looseObject({}).transform((value) => readTrust(value) ?? z.NEVER);
const setOfTexts = z.array(z.string()).transform((texts) => new Set(texts));

const pinsSchema = z.strictObject({
  version: z.number(),
  pinned: mapOf(
    z.strictObject({
      contentHash: hash,
      sinceUnixMs: z.number(),
      by: pinnedBy,
      presence: z.enum(["listed", "missing", "comes-and-goes"]),
    }),
  ),
  pending: mapOf(
    z.strictObject({
      contentHash: hash.exactOptional(),
      reasons: z.array(z.enum(pendingReasons)),
      seenUnixMs: z.number(),
    }),
  ),
  history: z.array(
    z.strictObject({
      version: z.number(),
      atUnixMs: z.number(),
      changes: z.array(
        z.strictObject({
          name: z.string(),
          from: hash.exactOptional(),
          to: hash.exactOptional(),
          by: pinnedBy,
        }),
      ),
      why: z.string().exactOptional(),
    }),
  ),
  hasForgotten: z.literal(true).exactOptional(),
  forms: mapOf(z.string()),
  rolledBack: setOfTexts,
  firstUse: z.discriminatedUnion("kind", [
    z.strictObject({
      kind: z.literal("open"),
      cursors: setOfTexts,
      sinceUnixMs: z.number().exactOptional(),
    }),
    z.strictObject({ kind: z.literal("done") }),
  ]),
  publisher: z
    .strictObject({ fingerprint: z.string(), state: z.enum(["first-use", "approved"]) })
    .exactOptional(),
  manifest: z
    .strictObject({
      publisher: z.string(),
      issuedAtUnixMs: z.number(),
      expiresAtUnixMs: z.number(),
      nonce: z.string(),
      tools: mapOf(
        z.strictObject({
          name: z.string(),
          version: z.string().exactOptional(),
          contentHash: hash,
          trust: trust.exactOptional(),
        }),
      ),
    })
    .exactOptional(),
});

const keptSchema = z.strictObject({ v: z.literal(1), pins: pinsSchema, readOnly: mapOf(hash) });

/** @throws Refusal `bad_state` for what was written by nobody like us */
export function readPins(stored: unknown, server: string): KeptTools {
  if (stored === undefined) return nothingKept;
  const read = keptSchema.safeParse(stored);
  if (read.success) return { pins: read.data.pins, readOnly: read.data.readOnly };
  const message = `The state database holds the tools of "${server}" in a form that can't be read.`;
  throw new Refusal("bad_state", message, { cause: read.error });
}

/** JSON values alone. */
export function writePins({ pins, readOnly }: KeptTools): object {
  return { v: 1, pins: plain(pins), readOnly: plain(readOnly) };
}

function plain(value: unknown): unknown {
  if (value instanceof Map) return [...value].map(([name, each]) => [name, plain(each)]);
  if (value instanceof Set) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plain(each)]));
}
