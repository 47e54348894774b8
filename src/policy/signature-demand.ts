/** `signature` of a rule: how what it allows must be signed, the call and its answer. */
import { z } from "zod";

import { type MessageSuiteId, messageSuiteIds } from "../crypto/suites/signatures.ts";
import { parseDurationMs } from "../kernel/units.ts";
import { type SignatureMode, signatureModes } from "../model/message-proof.ts";

const modes = ["batched", "direct"] as const;

/** Longer than a signature can count: nothing would be demanded. */
const maxAgeBoundMs = 300_000;

const ageMs = z.string().transform((text, context) => {
  const value = parseDurationMs(text);
  if (value !== undefined && value >= 1000 && value <= maxAgeBoundMs) return value;
  context.addIssue({ code: "custom", message: `expected a duration from "1s" to "5m", found "${text}"` });
  return z.NEVER;
});

export const signatureDemand = z
  .strictObject({
    mode: z
      .enum(modes)
      .optional()
      .describe(
        "`direct`: each call carries a signature of its own, checked before the server sees it; `batched`: at least one that follows within a second for many together.",
      ),
    algorithm: z
      .enum(messageSuiteIds)
      .optional()
      .describe("At least of this algorithm; what says so demands `direct`."),
    max_age: ageMs.optional().describe("Signed no longer ago than this, e.g. `30s`; at most `5m`."),
    answer: z
      .enum(modes)
      .optional()
      .describe("The same for the answer: one that has less is refused, and doesn't reach the caller."),
  })
  .refine((demand) => Object.values(demand).some((each) => each !== undefined), {
    error: "expected at least one of mode, algorithm, max_age and answer",
  });

export interface SignatureDemand {
  /** Of the call. */
  readonly mode: SignatureMode;
  readonly algorithm?: MessageSuiteId;
  readonly maxAgeMs?: number;
  readonly answer: SignatureMode;
}

/** How a message was signed. */
export interface SignedAs {
  readonly mode: SignatureMode;
  /** Of one that carries its own signature. */
  readonly algorithm?: string;
  readonly ageMs?: number;
}

export function signatureDemandOf(document: z.output<typeof signatureDemand>): SignatureDemand {
  const { mode, algorithm, max_age: maxAgeMs, answer = "none" } = document;
  const least = maxAgeMs === undefined && answer === "none" ? "none" : "batched";
  return {
    // Which algorithm signs a batch is known only later; an answer is signed for who signs.
    mode: algorithm === undefined ? (mode ?? least) : "direct",
    ...(algorithm !== undefined && { algorithm }),
    ...(maxAgeMs !== undefined && { maxAgeMs }),
    answer,
  };
}

/** Whether a call that was signed like that meets the demand; what is demanded of its answer comes later. */
export function isMet(demand: SignatureDemand, { mode, algorithm, ageMs = 0 }: SignedAs): boolean {
  return (
    strengthOf(mode) >= strengthOf(demand.mode) &&
    (demand.algorithm === undefined || levelOf(algorithm) >= levelOf(demand.algorithm)) &&
    (demand.maxAgeMs === undefined || ageMs <= demand.maxAgeMs)
  );
}

export function strengthOf(mode: SignatureMode): number {
  return signatureModes.indexOf(mode);
}

/** -1 for what signs no messages. */
function levelOf(algorithm: string | undefined): number {
  return messageSuiteIds.findIndex((each) => each === algorithm);
}
