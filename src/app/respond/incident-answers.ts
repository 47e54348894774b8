/** Incidents as the API says them. */
import { z } from "zod";

const moment = z.object({
  atUnixMs: z.number(),
  /** Of the entry it stands in. */
  callId: z.string(),
  /** The signal's kind; of what was done the event. */
  kind: z.string(),
  score: z.number(),
  says: z.string(),
  caller: z.string().exactOptional(),
  /** `server/tool`, or the server alone. */
  target: z.string().exactOptional(),
  /** Of what was done: its id. */
  response: z.string().exactOptional(),
});

const names = z.array(z.string());

export const incidentSchema = z.object({
  id: z.string(),
  state: z.enum(["open", "closed"]),
  /** One sentence. */
  title: z.string(),
  /** From 0 to 1: to put the worst first; no probability. */
  score: z.number(),
  /** Whether a rule saw it, not a model. */
  isHard: z.boolean(),
  openedUnixMs: z.number(),
  lastUnixMs: z.number(),
  closedUnixMs: z.number().exactOptional(),
  closedBy: z.string().exactOptional(),
  closedBecause: z.string().exactOptional(),
  kinds: z.record(z.string(), z.object({ score: z.number(), times: z.number() })),
  findings: z.number(),
  callers: names,
  sessions: names,
  targets: names,
  sources: names,
  timeline: z.array(moment),
  done: z.array(moment),
  normal: z.string(),
  keys: names,
});

export const incidentAnswer = z.object({
  incident: incidentSchema,
  /** As a person reads it. */
  story: z.object({
    title: z.string(),
    what: z.string(),
    normal: z.string(),
    done: z.string(),
    /** What to do next, each with the command to type. */
    next: z.array(z.object({ says: z.string(), command: z.string() })),
    tags: names,
  }),
});

export const suppressionAnswer = z.object({
  id: z.string(),
  kind: z.string(),
  caller: z.string().exactOptional(),
  tool: z.string().exactOptional(),
  source: z.string().exactOptional(),
  untilUnixMs: z.number(),
  because: z.string(),
  by: z.string(),
  sinceUnixMs: z.number(),
});

export const heldBackAnswer = z.object({
  atUnixMs: z.number(),
  kind: z.string(),
  score: z.number(),
  threshold: z.number(),
  why: z.string(),
  caller: z.string().exactOptional(),
  target: z.string().exactOptional(),
  source: z.string().exactOptional(),
  callId: z.string(),
  says: z.string(),
});
