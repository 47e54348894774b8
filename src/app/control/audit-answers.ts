/** The audit log as the control API says it. */
import { z } from "zod";

import { receiptAnswer } from "./calls-answers.ts";

/** An entry as it stands in the log. */
const recordAnswer = z.object({
  index: z.int(),
  /** base64url */
  bytes: z.string(),
  /** What it says of people by their names, where they're known; null for what can't be read. */
  named: z.object({ principal: z.string(), facts: z.record(z.string(), z.string()) }).nullable(),
});

export const recordsAnswer = z.object({
  /** Entries there are. */
  size: z.int(),
  /** The first that is there still, and why the ones before aren't. */
  first: z.int(),
  removed: z.string().nullable(),
  items: z.array(recordAnswer),
});

const foundEntry = z.object({
  index: z.int(),
  event: z.string(),
  atUnixMs: z.number(),
  callId: z.string(),
  principal: z.string(),
  tool: z.string().nullable(),
  /** Of a call that has ended: how it ended. */
  outcome: z.string(),
  facts: z.record(z.string(), z.string()),
  /** If asked for: its entry, and of a call that has ended, the one that says how. */
  records: z.array(recordAnswer).exactOptional(),
});

export const entriesAnswer = z.object({
  items: z.array(foundEntry),
  next: z.string().nullable(),
  /** What a person should know of the search. */
  notes: z.array(z.string()),
});

export const entryAnswer = z.object({
  entry: foundEntry,
  receipt: receiptAnswer.pick({ receipt: true, origin: true, logKey: true, crossings: true }),
});

export const headsAnswer = z.object({
  origin: z.string(),
  /** Entries there are. */
  size: z.int(),
  /** Null: no head was signed yet. */
  head: z.object({ size: z.int(), root: z.string() }).nullable(),
  generations: z.array(
    z.object({
      number: z.int(),
      state: z.enum(["signs", "ended"]),
      algorithms: z.array(z.string()),
      fingerprint: z.string(),
      fromSize: z.int().nullable(),
      toSize: z.int().nullable(),
      sinceUnixMs: z.number().nullable(),
    }),
  ),
});

export const witnessesAnswer = z.object({
  witnesses: z.array(
    z.object({
      name: z.string(),
      spiffeId: z.string().nullable(),
      size: z.int(),
      atUnixMs: z.number(),
      behind: z.int(),
      /** Null where the log's tiles don't tell any more. */
      agrees: z.boolean().nullable(),
    }),
  ),
  incidents: z.array(
    z.object({
      by: z.string(),
      kind: z.string(),
      says: z.string(),
      kept: z.int(),
      shown: z.int(),
      at: z.string(),
    }),
  ),
});

export const verdictAnswer = z.object({
  isIntact: z.boolean(),
  /** Sentences: what was verified, or what is wrong. */
  says: z.array(z.string()),
  size: z.int().nullable(),
  signedBy: z.array(z.string()),
});

export type EntriesAnswer = z.output<typeof entriesAnswer>;
export type RecordAnswer = z.output<typeof recordAnswer>;
export type VerdictAnswer = z.output<typeof verdictAnswer>;
