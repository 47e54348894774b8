/** Entries of the log that say that something is different from before, in words that a person reads. */
import type { EntryDraft, EntryEvent } from "../model/entry.ts";

type ChangeArea =
  | "gateway"
  | "identity"
  | "crypto"
  | "tools"
  | "policy"
  | "approvals"
  | "responses"
  | "incidents"
  | "audit"
  | "people";

type ChangeWeight = "info" | "notice" | "warning";

export interface ToldChange {
  readonly atUnixMs: number;
  readonly event: string;
  readonly area: ChangeArea;
  readonly weight: ChangeWeight;
  readonly says: string;
  /** Who made it so: an operator, a playbook, the gateway by itself. */
  readonly by: string;
}

type Told = Omit<EntryDraft, "callId" | "event"> & { readonly event: string };

interface Row {
  readonly area: ChangeArea;
  readonly weight: ChangeWeight | ((entry: Told) => ChangeWeight);
  /** Empty: nobody needs to be told. */
  readonly says: (entry: Told, fact: (name: string) => string) => string;
}

/** INVARIANT: calls and links aren't changes; there are too many of them. */
const rows: Partial<Readonly<Record<EntryEvent, Row>>> = {
  "gateway.start": {
    area: "gateway",
    weight: ({ facts }) => (facts["policy"] === "observed" ? "warning" : "info"),
    says: (_, fact) =>
      `The gateway started, version ${fact("version")}${fact("policy") === "observed" ? "; it observes and enforces nothing" : ""}.`,
  },
  "gateway.stop": { area: "gateway", weight: "info", says: () => "The gateway stopped." },
  "identity.issue": {
    area: "identity",
    weight: "notice",
    // Renewals are daily life.
    says: ({ principal }, fact) =>
      fact("how") === "join" ? `${principal} was enrolled (${fact("purpose")}).` : "",
  },
  "identity.revoke": {
    area: "identity",
    weight: "warning",
    says: ({ principal }, fact) =>
      fact("what") === "certificate"
        ? `A certificate of ${principal} was revoked.`
        : `The identity ${principal} was revoked.`,
  },
  "identity.root": {
    area: "identity",
    weight: ({ facts }) => (facts["what"] === "compromised" ? "warning" : "notice"),
    says: (_, fact) => rootInWords(fact),
  },
  "grant.store": {
    area: "identity",
    weight: "info",
    says: ({ principal }, fact) => `${principal} left a credential for ${fact("server") || "a server"}.`,
  },
  "grant.remove": {
    area: "identity",
    weight: "info",
    says: ({ principal }, fact) =>
      `A credential of ${principal} for ${fact("server") || "a server"} was removed.`,
  },
  "crypto.change": { area: "crypto", weight: "notice", says: (_, fact) => cryptoInWords(fact) },
  "link.accept": {
    area: "crypto",
    weight: "notice",
    says: (_, fact) => `The weaker link of ${fact("peer")} was accepted (${fact("regressions")}).`,
  },
  "link.regressed": {
    area: "crypto",
    weight: "warning",
    says: ({ principal, outcome }, fact) =>
      `${principal} came with less than before (${fact("regressions")}); it was ${outcome === "denied" ? "refused" : "let in"}.`,
  },
  "log.rotate": {
    area: "audit",
    weight: "notice",
    says: (_, fact) =>
      `The log's keys rotated: generation ${fact("generation")} signs (${fact("algorithms")}).`,
  },
  "log.renew": {
    area: "audit",
    weight: "notice",
    says: (_, fact) => `The log was renewed under ${fact("hash")}: ${fact("size")} entries.`,
  },
  "log.prune": {
    area: "audit",
    weight: "info",
    says: (_, fact) => `Entries before ${fact("first")} were removed (${fact("by")}).`,
  },
  "log.incident": {
    area: "audit",
    weight: ({ outcome }) => (outcome === "allowed" ? "info" : "warning"),
    says: ({ principal }, fact) =>
      `The witness ${principal} says of the log: ${fact("says") || fact("kind")}`,
  },
  "pin.change": {
    area: "crypto",
    weight: "notice",
    says: (_, fact) => `Message keys of ${fact("peer")}: ${pinned[fact("what")] ?? fact("what")}.`,
  },
  "signature.fault": {
    area: "crypto",
    weight: "warning",
    says: ({ principal }, fact) => `A signature of ${principal} didn't hold: ${fact("fault")}.`,
  },
  "tools.finding": {
    area: "tools",
    weight: ({ outcome, facts }) =>
      outcome === "denied" ? "warning" : facts["kind"] === "new" ? "notice" : "info",
    says: (entry, fact) => findingInWords(entry, fact),
  },
  "tools.change": { area: "tools", weight: "notice", says: (entry, fact) => toolChangeInWords(entry, fact) },
  "policy.change": { area: "policy", weight: "notice", says: (_, fact) => policyInWords(fact) },
  "policy.refuse": {
    area: "policy",
    weight: "warning",
    says: (_, fact) => `A policy bundle from ${fact("source")} was refused: ${fact("why")}.`,
  },
  "approval.decision": {
    area: "approvals",
    weight: "info",
    says: ({ tool }, fact) =>
      `${verbOf(fact("decision"))} the call of ${tool ?? fact("name")} (${fact("have")} of ${fact("need")}): ${fact("state")}.`,
  },
  "subject.erase": {
    area: "audit",
    weight: "notice",
    says: (_, fact) => `Somebody was erased from the log: ${fact("entries")} entries name nobody now.`,
  },
  "egress.cut": {
    area: "responses",
    weight: "warning",
    says: ({ principal }, fact) =>
      `The connections of ${principal} to ${fact("destination")} were cut: ${fact("says")}`,
  },
  "egress.lift": {
    area: "responses",
    weight: "notice",
    says: ({ principal }, fact) => `${principal} may reach ${fact("destination")} again.`,
  },
  "response.act": {
    area: "responses",
    weight: "warning",
    says: (entry, fact) =>
      `${actionOf(fact("action"))} ${whomOf(entry, fact)}${untilOf(fact)}: ${fact("because")}`,
  },
  "response.renew": {
    area: "responses",
    weight: "notice",
    says: (entry, fact) => `${actionOf(fact("action"))} ${whomOf(entry, fact)} lasts longer${untilOf(fact)}.`,
  },
  "response.recover": {
    area: "responses",
    weight: "notice",
    says: (entry, fact) => `What was done to ${whomOf(entry, fact)} is milder now: ${fact("action")}.`,
  },
  "response.lift": {
    area: "responses",
    weight: "notice",
    says: (entry, fact) =>
      `What was done to ${whomOf(entry, fact)} (${fact("action")}) is over: ${fact("because")}`,
  },
  "response.propose": {
    area: "responses",
    weight: "warning",
    says: (entry, fact) => `A playbook asks whether to ${fact("action")} ${whomOf(entry, fact)}.`,
  },
  "response.approve": {
    area: "responses",
    weight: "notice",
    says: (entry, fact) => `It was agreed to ${fact("action")} ${whomOf(entry, fact)}.`,
  },
  "response.deny": {
    area: "responses",
    weight: "notice",
    says: (entry, fact) => `It was refused to ${fact("action")} ${whomOf(entry, fact)}.`,
  },
  "response.fail": {
    area: "responses",
    weight: "warning",
    says: (entry, fact) => `A playbook couldn't ${fact("action")} ${whomOf(entry, fact)}: ${fact("because")}`,
  },
  "incident.open": {
    area: "incidents",
    weight: "warning",
    says: (_, fact) => `Incident ${fact("incident")}: ${fact("title")}`,
  },
  "incident.close": {
    area: "incidents",
    weight: "info",
    says: (_, fact) => `Incident ${fact("incident")} was closed: ${fact("because") || fact("by")}`,
  },
  "incident.suppress": {
    area: "incidents",
    weight: "notice",
    says: (_, fact) =>
      fact("state") === "lifted"
        ? `Findings of ${fact("kinds")} are heard again.`
        : `Findings of ${fact("kinds")} count as harmless until ${fact("until")}: ${fact("because")}`,
  },
  "kill.on": {
    area: "responses",
    weight: "warning",
    says: (_, fact) => `The kill switch stopped all calls (${fact("source")}): ${fact("because")}`,
  },
  "kill.off": {
    area: "responses",
    weight: "warning",
    says: (_, fact) => `The kill switch (${fact("source")}) was withdrawn: ${fact("because")}`,
  },
  "kill.drill": {
    area: "responses",
    weight: ({ facts }) => (facts["good"] === "true" ? "info" : "warning"),
    says: (_, fact) =>
      `A drill of the kill switch (${fact("source")}) ${fact("good") === "true" ? "went well" : "failed"}.`,
  },
};

const rowOf: ReadonlyMap<string, Row> = new Map(Object.entries(rows));

/** Whether an entry is worth a place among the changes, by what is known when it is written. */
export function isChange({ event, facts }: Pick<EntryDraft, "event" | "facts">): boolean {
  if (event === "identity.issue") return facts["how"] === "join";
  return rowOf.has(event);
}

/** Undefined for what is no change. */
export function changeInWords(entry: Told): ToldChange | undefined {
  const row = rowOf.get(entry.event);
  if (row === undefined) return undefined;
  const { atUnixMs, event, facts, principal } = entry;
  const says = row.says(entry, (name) => facts[name] ?? "");
  if (says === "") return undefined;
  const weight = typeof row.weight === "function" ? row.weight(entry) : row.weight;
  const by = facts["by"] ?? principal;
  return { atUnixMs, event, area: row.area, weight, says, by };
}

type Fact = (name: string) => string;

function rootInWords(fact: Fact): string {
  const which = `${fact("purpose")} root${fact("generation") === "" ? "" : ` ${fact("generation")}`}`.trim();
  const done: Readonly<Record<string, string>> = {
    rotate: `A new ${which} was made.`,
    retire: `The ${which} was retired.`,
    compromised: `The ${which} counts as compromised.`,
    replace: `The ${which} was replaced.`,
    request: "A certificate was asked for from the outside authority.",
    import: `The ${which} was imported.`,
    backup: "The authority was backed up.",
    restore: "The authority was restored from a backup.",
  };
  return done[fact("what")] ?? `The authority: ${fact("what")}.`;
}

function cryptoInWords(fact: Fact): string {
  const from = fact("before");
  switch (fact("what")) {
    case "begin":
      return `Profile ${fact("after")} is in force.`;
    case "rollback":
      return `The change of profile was rolled back: ${from} to ${fact("after")}.`;
    case "rotate_tls":
      return "New TLS keys were asked for.";
    default:
      return `The profile changed from ${from} to ${fact("after")}${fact("outgoing_until") === "" ? "" : `; ${from} counts until ${fact("outgoing_until")}`}.`;
  }
}

const pinned: Readonly<Record<string, string>> = {
  "first-use": "seen for the first time",
  approved: "approved",
  cut: "cut off",
  forgotten: "forgotten",
};

const found: Readonly<Record<string, string>> = {
  new: "is new",
  changed: "isn't what was pinned",
  "hidden-text": "has hidden text",
  shadows: "has a name that another server's tool has",
  "look-alike": "has a name that looks like another's",
  unsigned: "isn't in the signed manifest",
  "rolled-back": "is an older version",
  unreadable: "can't be read",
  "taken-up": "was taken up",
  reverted: "is again as it was pinned",
  missing: "is gone",
  manifest: "has a manifest that doesn't count",
};

function findingInWords({ tool, outcome }: Told, fact: Fact): string {
  const what = tool === null ? `The server ${fact("server")}` : `The tool ${tool}`;
  const fields = fact("fields") === "" ? "" : ` (${fact("fields")})`;
  const blocked = outcome === "denied" ? "; it isn't called" : "";
  return `${what} ${found[fact("kind")] ?? fact("kind")}${fields}${blocked}.`;
}

function toolChangeInWords({ tool }: Told, fact: Fact): string {
  const what = tool === null ? `server ${fact("server")}` : tool;
  switch (fact("what")) {
    case "approve":
      return `${what} was approved${fact("effect") === "read-only" ? " as read-only" : ""}.`;
    case "label":
      return `${what} was labelled${fact("effect") === "read-only" ? " read-only" : ""}.`;
    case "roll-back":
      return `${what} was rolled back.`;
    case "manifest":
      return `A signed manifest says what the tools of ${what} are.`;
    default:
      return `${what}: ${fact("what")}.`;
  }
}

function policyInWords(fact: Fact): string {
  const parts = ["added", "removed", "changed"].flatMap((name) =>
    fact(name) === "" ? [] : [`${name} ${fact(name)}`],
  );
  const bundle = fact("bundle") === "" ? "" : ` by bundle ${fact("sequence")} (${fact("bundle")})`;
  const what = parts.length === 0 ? `${fact("rules")} rules` : parts.join("; ");
  return `The policy changed${bundle}: ${what}.`;
}

function verbOf(decision: string): string {
  if (decision === "approve") return "Somebody approved";
  return decision === "deny" ? "Somebody denied" : "Nobody decided in time about";
}

function actionOf(action: string): string {
  const words = action.replaceAll("_", " ");
  return `${words.slice(0, 1).toUpperCase()}${words.slice(1)} of`;
}

function whomOf({ tool }: Told, fact: Fact): string {
  const named = [fact("user"), fact("caller"), tool ?? fact("server")].filter((name) => name !== "");
  return named.length === 0 ? "the gateway" : named.join(" at ");
}

function untilOf(fact: Fact): string {
  return fact("until") === "" ? "" : `, until ${fact("until")}`;
}
