/** Events as flat JSON of our own: for receivers that ask for no standard. */
import { summaryOf } from "./summary.ts";
import type { Teller, Told } from "./told.ts";

export function plainEvent(told: Told, { origin, version }: Teller): object {
  const { says, severity, score, kinds, tags, server, agentic } = summaryOf(told);
  const { uid, index, event, atUnixMs, principal, tool, outcome, facts } = told;
  return {
    uid,
    ...(index >= 0 && { index }),
    log: origin,
    event,
    time: new Date(atUnixMs).toISOString(),
    severity,
    says,
    ...(score !== undefined && { score }),
    ...(kinds.length > 0 && { kinds }),
    ...(tags.length > 0 && { tags }),
    caller: principal,
    ...(server !== undefined && { server }),
    ...(tool !== null && { tool }),
    outcome,
    ...agentic,
    facts,
    version,
  };
}
