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

const definition = z.object({
  hash: z.string(),
  /** Member by member, what hides in it shown as what it is. */
  text: z.string(),
  /** It goes on. */
  isCut: z.boolean(),
});

export const toolDefinitionAnswer = z.object({
  ...toolAnswer.shape,
  /** Null: none is pinned, or what was pinned was too long to keep. */
  pinned: definition.nullable(),
  /** Null: the server says what is pinned, or nothing. */
  offered: definition.nullable(),
  /** What became of the tool of that name, newest first. */
  history: z.array(
    z.object({
      version: z.int(),
      at: z.string(),
      what: z.enum(["pinned", "changed", "unpinned"]),
      hash: z.string().nullable(),
      who: z.string(),
      because: z.string(),
    }),
  ),
});

const traitName = z.enum(["read", "write", "destructive", "egress", "untrusted-input", "private-data"]);

export const toolMarksAnswer = z.object({
  tools: z.array(
    z.object({
      server: z.string(),
      tool: z.string(),
      /** What counts of the marks. */
      may: z.array(traitName),
      marks: z.array(
        z.object({
          mark: traitName,
          source: z.enum(["operator", "annotation", "schema", "description"]),
          because: z.string(),
        }),
      ),
      findings: z.array(z.object({ kind: z.string(), severity: z.string(), says: z.string() })),
    }),
  ),
  combinations: z.array(
    z.object({
      /** A caller, a virtual server, or `*` for whoever may call every server. */
      who: z.string(),
      kind: z.enum(["exfiltration", "sabotage"]),
      parts: z.array(z.object({ mark: traitName, tools: z.array(z.string()) })),
      isAcrossServers: z.boolean(),
      says: z.string(),
    }),
  ),
  /** Tools beyond those that are looked at. */
  left: z.int(),
});
