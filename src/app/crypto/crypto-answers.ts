/** Cryptography as the control API says it: clocks, profiles, plans, peers, the migration. */
import { z } from "zod";

const when = z.iso.datetime();
const names = z.array(z.string());

export const clockAnswer = z.object({
  /** `own`: what this gateway shows; `issued`: what it has certified. */
  kind: z.enum(["own", "root", "issued", "join token", "delegation", "manifest"]),
  who: z.string(),
  /** What it is used for, and how it stands. */
  what: z.string(),
  algorithm: z.string().nullable(),
  /** Null of what has no end yet. */
  until: when.nullable(),
  /** What becomes of it then, in words. */
  renewal: z.string(),
});
export type ClockAnswer = z.output<typeof clockAnswer>;

const spot = z.object({ level: z.enum(["high", "medium", "low"]), where: z.string(), why: z.string() });

const profile = z.object({
  name: z.string(),
  summary: z.string(),
  groups: names,
  identities: names,
  ciphers: names,
  log: names,
  /** Algorithms that keep it from being applied today. */
  forbidden: names,
});

export const profilesAnswer = z.object({
  configured: z.string(),
  inForce: z.string(),
  /** Null of a state folder from before that was written down. */
  since: when.nullable(),
  /** Still taken, until then. */
  outgoing: z.array(z.object({ profile: z.string(), until: when })),
  profiles: z.array(profile),
  /** The worst first. */
  weakSpots: z.array(spot),
});

const planRow = z.object({
  verdict: z.enum(["breaks", "may break", "renews", "goes on"]),
  what: z.string(),
  who: z.string(),
  because: z.string(),
  remedy: z.string().exactOptional(),
  /** How many of them there are. */
  count: z.int(),
});

export const planAnswer = z.object({
  from: z.string(),
  to: z.string(),
  isPossible: z.boolean(),
  doesBreak: z.boolean(),
  overlapMs: z.number(),
  changes: z.array(z.object({ what: z.string(), gone: names, added: names })),
  configConflicts: names,
  /** The worst first. */
  rows: z.array(planRow),
  /** Rows beyond those that are listed. */
  more: z.int(),
  /** To be said when it is applied: what would change and whom it would break. */
  planDigest: z.string(),
});
export type PlanAnswer = z.output<typeof planAnswer>;

export const appliedAnswer = z.object({ before: z.string(), after: z.string(), outgoingUntil: when });

export const peerAnswer = z.object({
  direction: z.enum(["incoming", "outgoing"]),
  peer: z.string(),
  best: z.string(),
  last: z.string(),
  since: z.string(),
  expires: z.string(),
  firstSeen: z.string(),
  lastSeen: z.string(),
  links: z.int(),
  regressions: z.array(
    z.object({
      kind: z.string(),
      confidence: z.string(),
      says: z.string(),
      verdict: z.enum(["refuse", "flag"]),
    }),
  ),
});

const step = z.object({
  at: z.string(),
  owner: z.string().exactOptional(),
  why: z.string(),
  how: names,
  ends: z.string(),
  doneWhen: z.string(),
  score: z.number(),
});

const progress = z.object({
  atUnixMs: z.number(),
  servers: z.int(),
  hybridServers: z.int(),
  links: z.int(),
  hybridLinks: z.int(),
});

const urgency = z.object({
  dataClass: z.string(),
  servers: z.int(),
  shelfLifeYears: z.number(),
  isAssumed: z.boolean(),
  yearsLeft: z.number(),
  lateByYears: z.number(),
});

export const migrationAnswer = z.object({
  assumptions: z.object({ quantumYear: z.number(), migrationYears: z.number() }),
  urgency: z.array(urgency),
  phases: z.array(
    z.object({
      id: z.string(),
      title: z.string(),
      steps: z.array(step),
      /** Steps beyond those that are listed. */
      more: z.int(),
    }),
  ),
  /** Oldest first; the last one is now. */
  progress: z.array(progress),
});
