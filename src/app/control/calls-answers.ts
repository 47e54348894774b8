/** What the control API says of calls: in lists, on the live stream, and of one in full. */
import { z } from "zod";

import { pageOf } from "../../control/paging.ts";
import type { Frozen } from "../../control/route.ts";

const verdict = z.enum(["allowed", "denied", "held", "error"]);
const keyExchange = z.enum(["hybrid", "classical", "unknown"]);

/** The link a call came on, as far as its entries say it. */
const linkAnswer = z.object({
  keyExchange,
  /** E.g. `X25519MLKEM768`. */
  group: z.string().nullable(),
  /** NIST security category of the key exchange; 0 without ML-KEM. */
  level: z.number().nullable(),
  /** Algorithm of the caller's certificate, e.g. `ML-DSA-65`. */
  certificate: z.string().nullable(),
});

/** A call in a list, and on the live stream. */
const callAnswer = z.object({
  callId: z.string(),
  atUnixMs: z.number(),
  caller: z.string(),
  server: z.string(),
  /** `server/tool`, or the server and the protocol's method. */
  what: z.string(),
  tool: z.string().nullable(),
  method: z.string(),
  verdict,
  /** It hasn't ended yet. */
  isUnderWay: z.boolean(),
  rule: z.string().nullable(),
  /** How it ended: the code of a refusal, `answered`, `answer says it failed`; null while it is under way. */
  outcome: z.string().nullable(),
  ms: z.number().nullable(),
  /** 0 to 1; null where nothing watches calls. */
  risk: z.number().nullable(),
  /** Kinds of what was found in the call and its answer. */
  findings: z.array(z.string()),
  link: linkAnswer,
  requestBytes: z.int().nullable(),
  answerBytes: z.int().nullable(),
});

export const callsAnswer = pageOf(callAnswer);

/** How many calls, by what became of them. */
const callCounts = z.object({
  calls: z.int(),
  allowed: z.int(),
  denied: z.int(),
  held: z.int(),
  error: z.int(),
  /** Those that came on links with a post-quantum key exchange. */
  postQuantum: z.int(),
});

/** The data of an event `calls` of the live stream, ten times a second at most. */
export const liveBatch = z.object({
  /** Some of those that ended since the batch before, refused ones first. */
  calls: z.array(callAnswer),
  /** All of those that ended since the batch before. */
  counts: callCounts,
  /** All since the gateway began: what a batch that was missed can't make wrong. */
  totals: callCounts,
  atUnixMs: z.number(),
});

const stageAnswer = z.object({
  /** `judge`: identity, signatures, models, rules; `journal`: the decision is written; `server`: its answer; `answer`: judged, signed, recorded. */
  stage: z.enum(["judge", "journal", "server", "answer"]),
  /** Since the call came in. */
  fromMs: z.number(),
  ms: z.number(),
});

const ruleAnswer = z.object({
  rule: z.string(),
  effect: z.string(),
  isShadow: z.boolean(),
  because: z.string(),
  party: z.string(),
  counts: z.enum(["yes", "no", "unknown"]),
  why: z.array(z.string()),
  condition: z
    .object({
      text: z.string(),
      verdict: z.enum(["true", "false", "unknown", "error"]),
      values: z.array(z.object({ path: z.string(), value: z.string() })),
    })
    .nullable(),
});

const entryAnswer = z.object({
  /** In the log; `latticegate audit show` opens it. */
  index: z.int(),
  event: z.string(),
  atUnixMs: z.number(),
  outcome: z.string(),
  facts: z.record(z.string(), z.string()),
});

export const callDetail = z.object({
  call: callAnswer,
  /** For whom it was asked, who began first. */
  chain: z.array(z.string()),
  /** Why it was decided so, in words, where something says more than the rule's name. */
  because: z.string().nullable(),
  /** Empty where its times aren't kept any more: they are of the last calls since the gateway began. */
  stages: z.array(stageAnswer),
  risk: z
    .object({
      call: z.number().nullable(),
      session: z.number().nullable(),
      source: z.string().nullable(),
      because: z.string().nullable(),
    })
    .nullable(),
  /** `kind` and where in the call or the answer. */
  findings: z.array(
    z.object({ kind: z.string(), at: z.string().nullable(), in: z.enum(["call", "answer"]) }),
  ),
  link: linkAnswer.extend({
    version: z.string().nullable(),
    profile: z.string().nullable(),
    authentication: z.string().nullable(),
    regression: z.string().nullable(),
  }),
  /** The link to the server; null where it is on this machine, or the call didn't come so far. */
  serverLink: z
    .object({
      keyExchange: z.enum(["hybrid", "classical", "none"]),
      group: z.string().nullable(),
      level: z.number().nullable(),
      version: z.string().nullable(),
      certificate: z.string().nullable(),
    })
    .nullable(),
  /** Who signed the call and its answer, and how; null for what wasn't signed. */
  signatures: z.object({ call: z.string().nullable(), answer: z.string().nullable() }),
  /** By the rules of now and what the log kept; null where no rule is about it. */
  rules: z.array(ruleAnswer).nullable(),
  /** Oldest first; empty while they are being written. */
  entries: z.array(entryAnswer),
});

/** All that a browser needs to verify a receipt by itself, but for the log's key, which it has to have from before. */
export const receiptAnswer = z.object({
  callId: z.string(),
  event: z.enum(["call.decision", "call.outcome"]),
  index: z.int(),
  /** The text of docs/formats/receipt.md. */
  receipt: z.string(),
  /** The log's name, as its heads have it. */
  origin: z.string(),
  /** The log's public keys as the gateway says them now, to compare with those that were pinned (docs/formats/log.md). */
  logKey: z.string(),
  /** The log's crossings, in base64, by the generation each leads to: they need no trust. */
  crossings: z.array(z.object({ generation: z.int(), file: z.string() })),
});

export type CallDetail = Frozen<z.input<typeof callDetail>>;
export type ReceiptAnswer = Frozen<z.input<typeof receiptAnswer>>;
