/** `flow` in the conditions of rules about one call, or about a message that belongs to it. */
import { Flow } from "../expr/values.ts";
import type { SessionFlow } from "../inspect/flow-memory.ts";

type Told = ReturnType<SessionFlow["seen"]>;

/** @param said all that the call says; looked through where a condition names no value */
export function flowFacts(flow: SessionFlow | undefined, said: () => unknown): Flow {
  const nothing: Told = { why: "nothing is remembered here of what is read." };
  /** By label, then by what was looked through: rules ask the same again. */
  const told = new Map<string, Map<unknown, Told>>();
  let whole: unknown;
  return new Flow({
    labels: () => flow?.labels() ?? [],
    seen: (label) => flow?.seen(label) ?? nothing,
    carries: (label, value, spend) => {
      if (flow === undefined) return nothing;
      const looked = value ?? (whole ??= said());
      const ofLabel = told.get(label) ?? new Map<unknown, Told>();
      told.set(label, ofLabel);
      const answer = ofLabel.get(looked) ?? flow.carries(label, looked, spend);
      ofLabel.set(looked, answer);
      return answer;
    },
  });
}
