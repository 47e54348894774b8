/**
 * One audit entry before it is sealed into the log: the SEP-3004 core, and what we add to it.
 * Metadata only: no argument, answer, token or key ever stands in one.
 */

export type EntryOutcome = "allowed" | "denied" | "deferred" | "error";

/** What happened. `call.*` come in pairs: exactly one outcome for every decision. */
export type EntryEvent =
  | "call.decision"
  | "call.outcome"
  | "request.denied"
  | "gateway.start"
  | "gateway.stop"
  | "identity.issue"
  | "identity.delegate"
  | "identity.revoke"
  | "identity.refuse"
  | "grant.store"
  | "grant.remove"
  | "identity.root"
  | "crypto.change"
  | "log.rotate"
  | "log.prune"
  | "log.incident"
  | "log.renew"
  | "link.regressed"
  | "link.accept"
  | "link.denied"
  | "flow.finding"
  | "signature.fault"
  | "pin.change"
  | "tools.finding"
  | "tools.change"
  | "policy.change"
  | "policy.refuse"
  | "approval.request"
  | "approval.decision"
  | "approval.use"
  | "subject.erase"
  | "egress.open"
  | "egress.close"
  | "egress.deny"
  | "egress.cut"
  | "egress.lift"
  | "response.act"
  | "response.renew"
  | "response.recover"
  | "response.lift"
  | "response.propose"
  | "response.approve"
  | "response.deny"
  | "response.dry_run"
  | "response.fail"
  | "incident.open"
  | "incident.update"
  | "incident.close"
  | "incident.suppress"
  | "kill.on"
  | "kill.off"
  | "kill.drill"
  /** Somebody came into the control room, or was refused. */
  | "control.login"
  /** Somebody asked for a change there; what came of it stands beside it, in an entry of its own. */
  | "control.action"
  | "assess.test";

export interface EntryDraft {
  readonly event: EntryEvent;
  readonly atUnixMs: number;
  /** The call's id; for events that aren't calls, an id of their own. */
  readonly callId: string;
  /** Whoever acted: a SPIFFE ID, or `oauth:…` as in `Caller`. */
  readonly principal: string;
  /** `server/tool`, if the event is about a tool. */
  readonly tool: string | null;
  readonly outcome: EntryOutcome;
  /** Further metadata, written under `extensions["dev.latticegate/entry"]`. Strings only, as SEP-3004 asks. */
  readonly facts: Readonly<Record<string, string>>;
}

/** Proof that an entry is in the log: its index. */
export interface Receipt {
  readonly index: number;
}
