/** Which events an operator picks by one word, and which are picked where nobody says anything: none that come by the call. */
import { rowOf } from "../../kernel/row-of.ts";
import type { EntryDraft, EntryEvent } from "../../model/entry.ts";
import type { Signal } from "../signal.ts";
import { incidentScore } from "../signal-kinds.ts";
import { signalsOf } from "../signals-of-entry.ts";
import type { Told } from "./told.ts";

export const eventGroups = [
  "incidents",
  "findings",
  "responses",
  "denials",
  "decisions",
  "outcomes",
  "identities",
  "changes",
  "life_cycle",
] as const;
export type EventGroup = (typeof eventGroups)[number];

export const usualGroups: readonly EventGroup[] = [
  "incidents",
  "findings",
  "responses",
  "changes",
  "life_cycle",
];

/** INVARIANT: every event has a row. */
const groupOf: Readonly<Record<EntryEvent, EventGroup>> = {
  "call.decision": "decisions",
  "call.outcome": "outcomes",
  "request.denied": "denials",
  "gateway.start": "life_cycle",
  "gateway.stop": "life_cycle",
  "identity.issue": "identities",
  "identity.delegate": "identities",
  "identity.revoke": "identities",
  "identity.refuse": "identities",
  "grant.store": "identities",
  "grant.remove": "identities",
  "identity.root": "changes",
  "crypto.change": "changes",
  "log.rotate": "changes",
  "log.prune": "changes",
  "log.incident": "findings",
  "log.renew": "changes",
  "link.regressed": "findings",
  "link.accept": "changes",
  "link.denied": "denials",
  "flow.finding": "findings",
  "signature.fault": "findings",
  "pin.change": "changes",
  "tools.finding": "findings",
  "tools.change": "changes",
  "policy.change": "changes",
  "policy.refuse": "changes",
  "control.login": "identities",
  "control.action": "changes",
  "approval.request": "decisions",
  "approval.decision": "changes",
  "approval.use": "decisions",
  "subject.erase": "changes",
  "egress.open": "outcomes",
  "egress.close": "outcomes",
  "egress.deny": "denials",
  "egress.cut": "findings",
  "egress.lift": "changes",
  "response.act": "responses",
  "response.renew": "responses",
  "response.recover": "responses",
  "response.lift": "responses",
  "response.propose": "responses",
  "response.approve": "responses",
  "response.deny": "responses",
  "response.dry_run": "responses",
  "response.fail": "responses",
  "incident.open": "incidents",
  "incident.update": "incidents",
  "incident.close": "incidents",
  "incident.suppress": "incidents",
  "kill.on": "life_cycle",
  "kill.off": "life_cycle",
  "kill.drill": "life_cycle",
  "assess.test": "life_cycle",
};

/** What is seen in it; what is no event of ours has none. */
export function signalsIn(told: Told): readonly Signal[] {
  return Object.hasOwn(groupOf, told.event) ? signalsOf(told as Told & EntryDraft) : [];
}

/** Whether it is picked; a word about the telling itself always is. */
export function isPicked(told: Told, picked: ReadonlySet<EventGroup>): boolean {
  const { event, outcome } = told;
  if (event.startsWith("outlet.")) return true;
  // What another writer registered is known to nobody here: it goes with all that happens.
  const group = rowOf<EventGroup>(groupOf, event) ?? "outcomes";
  if (picked.has(group)) return true;
  const isDenied = group === "decisions" && outcome !== "allowed";
  if (isDenied && picked.has("denials")) return true;
  return picked.has("findings") && isFinding(told);
}

/** A signal that is worth an incident by itself; a call carries many lesser ones. */
export function isFinding(told: Told): boolean {
  return signalsIn(told).some(({ kind, score }) => kind !== "denied" && score >= incidentScore);
}
