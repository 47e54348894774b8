/** Servers' tools as the API says them; names and sentences are as servers have them. */
import { z } from "zod";

export const toolAnswer = z.object({
  server: z.string(),
  tool: z.string(),
  state: z.enum(["pinned", "changed", "new", "held", "removed"]),
  isCalled: z.boolean(),
  effect: z.enum(["read-only", "any"]),
  firstSeen: z.string(),
  /** Under which it is called. */
  pinnedHash: z.string().exactOptional(),
  /** Of what the server says now, where that is something else. */
  offeredHash: z.string().exactOptional(),
  /** A sentence each. */
  findings: z.array(z.string()),
});

export const toolChangesAnswer = z.object({
  ...toolAnswer.shape,
  /** Unified, a line each. */
  diff: z.array(z.string()),
});

export const toolVersionAnswer = z.object({
  version: z.int(),
  at: z.string(),
  what: z.string(),
  who: z.string(),
  because: z.string(),
  tools: z.int(),
  isNow: z.boolean(),
});
