/** The calls before a described one, as a person says them; remembered as the gateway remembers them. */
import { z } from "zod";

import type { Features } from "../history/features.ts";
import { type Asker, type PastCalls, pastCalls } from "../history/past-calls.ts";
import type { Rule } from "../rules.ts";
import { durationText } from "./duration-text.ts";

/** Oldest first or not: what counts is how long ago each was. */
export const pastMember = z
  .array(
    z.strictObject({
      call: z
        .string()
        .regex(/^[^/*]+\/[^*]+$/, 'expected "server/tool"')
        .optional(),
      caller: z.string().min(1).optional(),
      chain: z.array(z.string()).optional(),
      session: z.string().optional(),
      args: z.record(z.string(), z.unknown()).default({}),
      ago: durationText.prefault("1m"),
      times: z.int().min(1).max(10_000).default(1),
      running: z.boolean().default(false),
    }),
  )
  .max(1000)
  .default([])
  .describe("Calls that were let through before it; what one doesn't say is as in the call itself.");

/** People describe short calls. */
function keptOf(features: Features | "too long" | undefined): Features | undefined {
  return features === "too long" ? undefined : (features ?? {});
}

interface Described {
  readonly caller: string;
  readonly chain: readonly string[];
  readonly call: string;
  readonly session: string;
  readonly at: number;
  readonly before: z.output<typeof pastMember>;
}

/** What the rules ask of the calls before that one. @param issuerOf of a caller's name */
export function pastOf(
  described: Described,
  rules: readonly Rule[],
  issuerOf: (caller: string) => string,
): { readonly calls: PastCalls; readonly asker: (party: string) => Asker } {
  const calls = pastCalls(
    rules.flatMap(({ when }) => when?.recalls ?? []),
    (text) => `~${text}`,
  );
  const standing = (caller: string, chain: readonly string[]) => ({
    user: chain[0] ?? caller,
    issuer: issuerOf(caller),
  });
  const { at, before } = described;
  for (const [row, each] of before.toSorted((a, b) => b.ago - a.ago).entries()) {
    const { caller = described.caller, chain = described.chain, call = described.call, times } = each;
    for (let time = 0; time < times; time += 1) {
      const callId = `${row}.${time}`;
      calls.reserve({
        ...standing(caller, chain),
        callId,
        atUnixMs: at - each.ago,
        parties: [...chain, caller],
        session: each.session ?? described.session,
        target: call,
        features: keptOf(calls.featuresOf(() => each.args)),
      });
      if (!each.running) calls.settle(callId, "stands");
    }
  }
  const { caller, chain, session, call } = described;
  const asker = (party: string): Asker => ({
    ...standing(caller, chain),
    party,
    session,
    target: call,
    atUnixMs: at,
  });
  return { calls, asker };
}
