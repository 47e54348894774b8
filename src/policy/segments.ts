/**
 * Micro-segmentation among peers: who may be introduced to whom. Default-deny; a deny overrides; what no rule allows
 * doesn't exist as far as a caller can tell.
 */
import { z } from "zod";

import { matcher } from "./patterns.ts";

const patterns = z.array(z.string().min(1).max(2048)).min(1).max(256);

const segmentSchema = z.strictObject({
  name: z.string().min(1).max(64).describe("What the rule is called in the log."),
  callers: patterns.describe('SPIFFE IDs of who calls; "*" for any run of characters.'),
  peers: patterns
    .default(["*"])
    .describe('SPIFFE IDs of who is called; "*" for any run of characters, all of them by default.'),
  servers: patterns.default(["*"]).describe("Names of servers behind those peers, all of them by default."),
  effect: z.enum(["allow", "deny"]).describe("Whether they may be introduced."),
  because: z.string().min(1).max(500).optional().describe("Why, for people who read the log."),
});

/** A file of rules, as `latticegate relay --segments FILE` reads it. */
export const segmentsSchema = z.strictObject({
  segments: z.array(segmentSchema).max(1024).describe("Rules; the order counts for nothing."),
});

export type Segments = z.output<typeof segmentsSchema>["segments"];

interface Meeting {
  /** SPIFFE IDs. */
  readonly caller: string;
  readonly peer: string;
  readonly server: string;
}

/** @returns the name of the rule that decided; null: none allows it */
export type DecideMeeting = (meeting: Meeting) => {
  readonly isAllowed: boolean;
  readonly rule: string | null;
};

export function decideMeetings(segments: Segments): DecideMeeting {
  const rules = segments.map(({ name, effect, callers, peers, servers }) => {
    const [isCaller, isPeer, isServer] = [matcher(callers), matcher(peers), matcher(servers)];
    const fits = ({ caller, peer, server }: Meeting): boolean =>
      isCaller(caller) && isPeer(peer) && isServer(server);
    return { name, effect, fits };
  });
  return (meeting) => {
    const fitting = rules.filter(({ fits }) => fits(meeting));
    const rule = fitting.find(({ effect }) => effect === "deny") ?? fitting[0];
    return { isAllowed: rule?.effect === "allow", rule: rule?.name ?? null };
  };
}
