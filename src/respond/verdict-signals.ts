/** Calls that were refused for another reason than a rule, for playbooks that count them. */
import type { EntryDraft } from "../model/entry.ts";
import type { Signal } from "./signal.ts";
import { chainIn, whoseCall } from "./signals-of-entry.ts";

/** What rules, responses among them, and people decide stands in the call's decision. */
const decided: ReadonlySet<string> = new Set(["denied", "held", "cut_off"]);

export function verdictSignals({
  event,
  outcome,
  principal,
  facts,
  tool,
  callId,
  atUnixMs,
}: EntryDraft): readonly Signal[] {
  const { reason, server, session } = facts;
  if (event !== "call.outcome" || outcome !== "denied" || reason === undefined || decided.has(reason))
    return [];
  const chain = chainIn(facts["chain"]);
  return [
    {
      kind: "refused",
      score: 0.1,
      isHard: true,
      // Who was never proven to be somebody did nothing that counts against anybody.
      evidence: session === undefined ? "unproven" : "proven",
      about: {
        ...whoseCall(principal, chain),
        ...(session !== undefined && { session }),
        ...(server !== undefined && { server }),
        ...(server !== undefined && tool !== null && { tool: tool.slice(server.length + 1) }),
      },
      ...(chain.length > 0 && { chain }),
      says: `Refused: ${reason}.`,
      rule: reason,
      callId,
      atUnixMs,
    },
  ];
}
