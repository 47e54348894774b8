/** What the control API says of traffic: over time, as a map, and what is different since a moment. */
import { z } from "zod";

import { pathDocument } from "../crypto/live-document.ts";

import type { Frozen } from "../../control/route.ts";

const counted = {
  calls: z.int(),
  allowed: z.int(),
  denied: z.int(),
  held: z.int(),
  error: z.int(),
  /** On links with a post-quantum key exchange. */
  postQuantum: z.int(),
  requestBytes: z.int(),
  answerBytes: z.int(),
  /** All together; the mean is this by `calls`. */
  totalMs: z.number(),
  /** Calls whose risk was 0.6 or more. */
  risky: z.int(),
};

/** Calls by TLS group. */
const suites = z.record(z.string(), z.int());

const quantiles = z.object({ p50: z.number(), p90: z.number(), p99: z.number() });

const point = z.object({
  /** When the time that it counts began. */
  atUnixMs: z.number(),
  ...counted,
  suites,
  /** Null where there were no calls, or only calls of one caller or server are asked for. */
  ms: quantiles.nullable(),
  /** Null also where nothing watches calls. */
  risk: quantiles.nullable(),
});

export const trafficAnswer = z.object({
  fromUnixMs: z.number(),
  toUnixMs: z.number(),
  stepMs: z.int(),
  /** One for each step, also of those without calls; the last one goes on. */
  points: z.array(point),
  totals: z.object({ ...counted, suites, ms: quantiles.nullable(), risk: quantiles.nullable() }),
  /** Busiest first; null: callers that were erased, or too many to be told apart. */
  callers: z.array(z.object({ caller: z.string().nullable(), ...counted })),
  servers: z.array(z.object({ server: z.string(), ...counted })),
});

const posture = z.enum(["hybrid", "classical", "plain", "local", "unknown"]);

const restriction = z.object({
  id: z.string(),
  action: z.string(),
  because: z.string(),
  until: z.string(),
});

const node = z.object({
  /** `caller:spiffe://…`, `gateway`, `server:files`. */
  id: z.string(),
  kind: z.enum(["caller", "gateway", "server"]),
  name: z.string(),
  /** What it is, in words: `workload`, `client with a token`, `http, api.example.com`. */
  what: z.string(),
  /** The weakest of its links in that time. */
  posture,
  ...counted,
  lastSeenUnixMs: z.number().nullable(),
  /** In force now. */
  restrictions: z.array(restriction),
  /** Ids of open incidents that name it. */
  incidents: z.array(z.string()),
});

const link = z.object({
  from: z.string(),
  to: z.string(),
  posture,
  /** TLS groups by calls; empty for what isn't TLS. */
  suites,
  /** Algorithms of the certificates the far end proved itself with. */
  certificates: z.array(z.string()),
  /** Between peers: how the stream of the newest link that is open goes; null of all others. */
  path: pathDocument,
  ...counted,
});

export const mapAnswer = z.object({
  fromUnixMs: z.number(),
  toUnixMs: z.number(),
  nodes: z.array(node),
  links: z.array(link),
  /** Which callers called which servers, busiest first. */
  routes: z.array(z.object({ caller: z.string(), server: z.string(), ...counted })),
  /** Callers that there is no room for. */
  left: z.int(),
});

/** One thing that is different, in words for people. */
const changeAnswer = z.object({
  /** Entry of the log; `latticegate audit show` opens it. */
  index: z.int(),
  atUnixMs: z.number(),
  event: z.string(),
  /** What it is about: where in the control room to look. */
  area: z.enum([
    "gateway",
    "identity",
    "crypto",
    "tools",
    "policy",
    "approvals",
    "responses",
    "incidents",
    "audit",
    "people",
  ]),
  /** How much it matters. */
  weight: z.enum(["info", "notice", "warning"]),
  says: z.string(),
  by: z.string(),
});

export const changesAnswer = z.object({
  sinceUnixMs: z.number(),
  /** Newest first. */
  items: z.array(changeAnswer),
  next: z.string().nullable(),
});

/** What is known of a caller or a server. */
export const storyAnswer = z.object({
  node,
  firstSeenUnixMs: z.number().nullable(),
  /** By day or hour, as `/traffic`. */
  traffic: trafficAnswer,
  links: z.array(link),
  /** Others it was seen with, busiest first. */
  peers: z.array(z.object({ id: z.string(), name: z.string(), ...counted })),
  /** Newest first. */
  changes: z.array(changeAnswer),
});

export type MapAnswer = Frozen<z.input<typeof mapAnswer>>;
export type ChangesAnswer = Frozen<z.input<typeof changesAnswer>>;
export type StoryAnswer = Frozen<z.input<typeof storyAnswer>>;
