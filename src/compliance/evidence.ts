/** What entries of a log may show: which event, with which facts. */
import { rowOf } from "../kernel/row-of.ts";

/** What of an entry is looked at; the names of people are of no use here. */
interface Looked {
  readonly event: string;
  readonly outcome: string;
  readonly principal: string;
  readonly atUnixMs: number;
  readonly facts: Readonly<Record<string, string>>;
}

export interface Evidence {
  /** In words, as "…" was seen. */
  readonly says: string;
  readonly event: string;
  /** How it is now shows since the gateway last started only; that something is done shows for good. */
  readonly since: "start" | "ever";
  /** Absent where any such entry will do. */
  readonly holds?: (entry: Looked) => boolean;
}

type Holds = NonNullable<Evidence["holds"]>;

const has =
  (name: string): Holds =>
  ({ facts }) =>
    facts[name] !== undefined;
const is =
  (name: string, ...values: readonly string[]): Holds =>
  ({ facts }) =>
    values.includes(facts[name] ?? "");
const both =
  (...all: readonly Holds[]): Holds =>
  (entry) =>
    all.every((holds) => holds(entry));

const call = (says: string, holds: Holds): Evidence => ({
  says,
  event: "call.decision",
  since: "start",
  holds,
});
const ended = (says: string, holds: Holds): Evidence => ({
  says,
  event: "call.outcome",
  since: "start",
  holds,
});
const done = (event: string, says: string, holds?: Holds): Evidence => ({
  says,
  event,
  since: "ever",
  ...(holds && { holds }),
});

/** A certificate that ends within two hours of its making. */
const isShortLived: Holds = ({ facts, atUnixMs }) =>
  Date.parse(facts["not_after"] ?? "") - atUnixMs <= 2 * 3_600_000;
const isOfOthers: Holds = (entry) => facts(entry, "how") !== "own";

function facts(entry: Looked, name: string): string {
  return entry.facts[name] ?? "";
}

export const evidence = {
  started: {
    says: "a start of the gateway with its rules and models",
    event: "gateway.start",
    since: "ever",
  },
  observing: {
    says: "the gateway was started with --observe: rules aren't enforced",
    event: "gateway.start",
    since: "start",
    holds: is("policy", "observed"),
  },
  call: call("calls decided by a rule, with caller, tool and verdict", has("rule")),
  outcome: ended("how calls ended, with sizes and times", has("duration_ms")),
  digests: call("keyed digests of what was asked", has("request_hmac")),
  pseudonyms: call("callers under pseudonyms that can be erased", ({ principal }) =>
    principal.startsWith("pseudonym:"),
  ),
  mutual: call("calls over mutual TLS 1.3", both(is("link.version", "TLSv1.3"), has("peer.cert.alg"))),
  hybrid: call("calls over hybrid ML-KEM links", is("link.pq", "true")),
  classical: call("calls over links without ML-KEM", is("link.pq", "false")),
  "server-classical": ended("answers over links without ML-KEM", has("upstream_link")),
  "hybrid-identity": call(
    "callers proven by ML-DSA and a classical identity",
    ({ facts: { "link.auth": by } }) => (by ?? "").includes("+"),
  ),
  "bearer-token": call("access tokens bound to nothing", is("proof", "bearer")),
  token: call("callers with access tokens of an issuer", has("proof")),
  signed: call("calls under message signatures", has("signature")),
  "answer-signed": ended("answers under message signatures", has("answer_signed")),
  chain: call("calls on behalf of others, with the whole chain", has("chain")),
  arguments: call("decisions that read arguments", has("features")),
  risk: call("calls with a risk score of the models", has("risk")),
  found: call("findings in what was asked", has("findings")),
  "answer-found": ended("findings in answers", has("answer_findings")),
  redacted: call("answers that a rule redacts", has("rule.redact")),
  session: call("calls in a session bound to its caller", has("session")),
  held: call("calls held for people", has("approval")),
  world: call("decisions that name the version of all rules in force", has("world")),
  "request-denied": done("request.denied", "requests of servers to clients that were denied"),
  issued: done("identity.issue", "certificates issued to callers", isOfOthers),
  "short-lived": done("identity.issue", "certificates of at most two hours", isShortLived),
  renewed: done("identity.issue", "certificates renewed", is("how", "renew")),
  revoked: done("identity.revoke", "identities revoked"),
  delegated: done("identity.delegate", "delegations given out"),
  grant: done("grant.store", "consents of people kept"),
  root: done("identity.root", "roots rotated, replaced or backed up"),
  backup: done("identity.root", "backups of the authority", is("what", "backup", "restore")),
  profile: done("crypto.change", "the profile in force, and each change of it"),
  "profile-changed": done(
    "crypto.change",
    "a change of algorithms while running",
    is("what", "apply", "rollback"),
  ),
  "log-rotated": done("log.rotate", "keys of the log rotated"),
  "log-incident": {
    says: "an incident of the log itself",
    event: "log.incident",
    since: "start",
  },
  "tool-blocked": done(
    "tools.finding",
    "tools that aren't called because they changed",
    is("blocked", "true"),
  ),
  "tool-approved": done("tools.change", "tools approved by an operator", is("what", "approve", "label")),
  "tool-back": done("tools.change", "tools rolled back", is("what", "roll-back")),
  manifest: done("tools.change", "signed manifests taken up", is("what", "manifest")),
  "policy-bundle": done("policy.change", "rules from a signed bundle", has("bundle")),
  approved: done("approval.decision", "decisions of people on held calls", is("decision", "approve", "deny")),
  "approved-by-two": done(
    "approval.decision",
    "calls approved by more than one person",
    ({ facts: { need, have, decision } }) => decision === "approve" && Number(need) > 1 && Number(have) > 1,
  ),
  "egress-opened": done("egress.open", "connections of sandboxed servers through the proxy"),
  "egress-denied": done("egress.deny", "connections of sandboxed servers that were denied"),
  response: done("response.act", "what was done about findings"),
  "auto-response": done("response.act", "what playbooks did by themselves", ({ facts: { by } }) =>
    (by ?? "").startsWith("playbook:"),
  ),
  limited: done("response.act", "callers limited in their rate", is("action", "limit")),
  incident: done("incident.open", "incidents opened"),
  "incident-closed": done("incident.close", "incidents closed"),
  "kill-drilled": done("kill.drill", "drills of the kill switch that went well", is("good", "true")),
} as const satisfies Record<string, Evidence>;

export type EvidenceName = keyof typeof evidence;

export const evidenceNames = Object.keys(evidence) as readonly EvidenceName[];

export function evidenceRow(name: EvidenceName): Evidence {
  const row: Evidence | undefined = rowOf(evidence, name);
  if (row === undefined) throw new Error(`no evidence ${name}`);
  return row;
}
