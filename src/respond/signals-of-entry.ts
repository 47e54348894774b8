/**
 * What an audit entry says that may have to be answered: the same for whoever reads it, as it happens or afterwards.
 * INVARIANT: of entries before names are veiled; a signal is about callers as they are called, not their pseudonyms.
 */
import type { EntryDraft } from "../model/entry.ts";
import { userOf } from "../model/caller.ts";
import type { Scope } from "./restriction.ts";
import type { Signal } from "./signal.ts";
import { signalKind } from "./signal-kinds.ts";

/** Nobody who was proven. */
const anonymous = "anonymous";

/** In the order of the entry's facts; empty where it tells of nothing. */
export function signalsOf(entry: EntryDraft): readonly Signal[] {
  switch (entry.event) {
    case "call.decision":
      return decisionSignals(entry);
    case "call.outcome":
      return outcomeSignals(entry);
    case "flow.finding":
      return flowSignals(entry);
    case "link.regressed":
      return regressionSignals(entry);
    case "tools.finding":
      return toolSignals(entry);
    case "egress.cut":
      return [made(entry, { kind: "egress", about: serverOf(entry.principal), says: says(entry) })];
    case "signature.fault":
      return signatureSignals(entry);
    case "identity.refuse":
      return identitySignals(entry);
    case "log.incident":
      return entry.facts["kind"] === "accepted"
        ? []
        : [made(entry, { kind: "log", about: ownerOf(entry.principal), says: says(entry) })];
    default:
      return [];
  }
}

/** What a row of the table doesn't say already. */
type Seen = Pick<Signal, "kind" | "about" | "says"> & Partial<Signal>;

function made({ callId, atUnixMs }: EntryDraft, seen: Seen): Signal {
  const { score, isHard } = signalKind(seen.kind);
  return { score, isHard, evidence: "proven", callId, atUnixMs, ...seen };
}

function says({ facts }: EntryDraft): string {
  return facts["says"] ?? "";
}

/** Who called what; of a call by nobody who was proven nothing is known but the server. */
export function aboutCall({
  principal,
  tool,
  facts,
}: EntryDraft): Pick<Signal, "about" | "chain" | "evidence"> {
  const { server, session } = facts;
  const name = tool !== null && server !== undefined ? tool.slice(server.length + 1) : undefined;
  const where = { ...(server !== undefined && { server }), ...(name !== undefined && { tool: name }) };
  if (principal === anonymous) return { about: where, evidence: "unproven" };
  const chain = chainIn(facts["chain"]);
  const whose = { ...whoseCall(principal, chain), ...(session !== undefined && { session }) };
  return { about: { ...whose, ...where }, ...(chain.length > 0 && { chain }), evidence: "proven" };
}

/** The caller, and where it is a client with a token the user that it asks for. */
export function whoseCall(caller: string, chain: readonly string[]): Scope & { readonly caller: string } {
  const user = userOf({ id: caller, chain });
  return { caller, ...(user !== undefined && { user }) };
}

/** Of a decision or an outcome, as its entry has it; nobody where it isn't told. */
export function chainIn(fact: string | undefined): readonly string[] {
  if (fact === undefined) return [];
  try {
    const chain: unknown = JSON.parse(fact);
    return Array.isArray(chain) && chain.every((each) => typeof each === "string") ? chain : [];
  } catch {
    return [];
  }
}

function decisionSignals(entry: EntryDraft): readonly Signal[] {
  const { facts, outcome } = entry;
  const call = aboutCall(entry);
  const source = facts["risk.source"];
  const because = facts["risk.because"] ?? "";
  const found = kindsIn(facts["findings"]).map(({ kind, at }) =>
    made(entry, { ...call, kind: `finding ${kind}`, says: foundAt(kind, at) }),
  );
  const rule = facts["rule"] ?? "?";
  // What is refused because of a response is its effect, and no further reason for one.
  const isDenied = outcome === "denied" && !rule.startsWith("response-");
  return [
    ...risk(facts["risk"], (score) =>
      made(entry, { ...call, kind: "risk.call", score, says: because, ...(source && { source }) }),
    ),
    ...risk(facts["risk.session"], (score) =>
      made(entry, { ...call, kind: "risk.session", score, says: because, ...(source && { source }) }),
    ),
    ...found,
    ...(isDenied
      ? [made(entry, { ...call, kind: "denied", says: `Refused by the rule ${rule}.`, rule })]
      : []),
  ];
}

/** A risk that couldn't be told, and one of nothing, are no signals. */
function risk(fact: string | undefined, make: (score: number) => Signal): readonly Signal[] {
  const score = scoreIn(fact);
  return score === undefined || score === 0 ? [] : [make(score)];
}

function scoreIn(fact: string | undefined): number | undefined {
  const value = fact === undefined ? Number.NaN : Number(fact);
  return value >= 0 && value <= 1 ? value : undefined;
}

function outcomeSignals(entry: EntryDraft): readonly Signal[] {
  const { facts } = entry;
  const call = aboutCall(entry);
  const { server, tool } = call.about;
  const source = server === undefined ? undefined : `${server}/${tool ?? facts["method"] ?? ""}`;
  const fault = facts["signature_fault"];
  return [
    ...kindsIn(facts["answer_findings"]).map(({ kind, at }) =>
      made(entry, { ...call, kind: `answer ${kind}`, says: foundAt(kind, at), ...(source && { source }) }),
    ),
    ...(fault === undefined
      ? []
      : [made(entry, { ...call, kind: "signature", says: `A message's signature is ${fault}.` })]),
  ];
}

interface FoundKind {
  readonly kind: string;
  readonly at: string | undefined;
}

/** `secret=arguments.body told.override=result.content.0.text`: each kind once, at the first of its places. */
function kindsIn(fact: string | undefined): readonly FoundKind[] {
  const byKind = new Map<string, FoundKind>();
  for (const word of (fact ?? "").split(" ").slice(0, maxWords)) {
    const [kind = "", at] = word.split("=", 2);
    if (kind !== "" && !byKind.has(kind)) byKind.set(kind, { kind, at });
  }
  return [...byKind.values()];
}

/** An entry has sixteen findings; what a person wrote in a file may have more. */
const maxWords = 64;

function foundAt(kind: string, at: string | undefined): string {
  return at === undefined ? `Found: ${kind}.` : `Found: ${kind} in ${at}.`;
}

function flowSignals(entry: EntryDraft): readonly Signal[] {
  const { kind = "", risk: told, direction, severity } = entry.facts;
  const least = signalKind(`flow ${kind}`).score;
  const risk = scoreIn(told) ?? least;
  // The risk of a few dozen flows can't be high, however far from all of them this one is.
  const score = severity === "high" ? Math.max(risk, least) : risk;
  return [
    made(entry, {
      kind: `flow ${kind}`,
      about: peerOf(entry.principal, direction),
      says: says(entry),
      score,
    }),
  ];
}

/** The confidence of the surest of the changes says how much they are worth. */
const confidences = [
  ["high", 0.9],
  ["medium", 0.6],
] as const;

function regressionSignals(entry: EntryDraft): readonly Signal[] {
  const { regressions = "", evidence, direction, verdict } = entry.facts;
  const surest = confidences.find(([confidence]) => regressions.includes(`:${confidence}`));
  return [
    made(entry, {
      kind: "regression",
      about: peerOf(entry.principal, direction),
      says: says(entry),
      score: surest?.[1] ?? 0.3,
      isHard: surest?.[0] === "high",
      ...(evidence === "unproven" && { evidence }),
      ...(verdict !== undefined && { rule: verdict }),
    }),
  ];
}

/** Of links that came in a caller, `ID for USER, OTHER` by its client; of those that went out a server, with its origin behind a space. */
function peerOf(principal: string, direction: string | undefined): Scope {
  const [name = principal] = principal.split(" ", 1);
  if (direction === "outgoing") return { server: name };
  const others = principal.startsWith(`${name} for `) ? principal.slice(`${name} for `.length) : "";
  return whoseCall(name, others.split(", "));
}

/** What is pinned isn't what is there; the other kinds are about a tool by itself. */
const drifts: ReadonlySet<string> = new Set(["changed", "reverted", "rolled-back"]);

function toolSignals(entry: EntryDraft): readonly Signal[] {
  const { facts, tool } = entry;
  const { server = "", kind = "", fields, like, hidden, why } = facts;
  // Taken up is what a publisher's signed word or an operator's rule said beforehand.
  if (kind === "taken-up" || kind === "missing") return [];
  const more = [
    fields === undefined ? [] : [`It differs in ${fields.replaceAll(" ", ", ")}.`],
    like === undefined ? [] : [`It is like ${like}.`],
    hidden === undefined ? [] : [`Hidden: ${hidden}.`],
    why === undefined ? [] : [why],
  ].flat();
  const isDrift = drifts.has(kind);
  return [
    made(entry, {
      kind: isDrift ? "drift" : `tool ${kind}`,
      about: { server, ...(tool !== null && { tool: tool.slice(server.length + 1) }) },
      says: [`Found of ${tool ?? server}: ${kind}.`, ...more].join(" "),
      evidence: "manifest",
    }),
  ];
}

/** What somebody reports proves nothing. */
function signatureSignals(entry: EntryDraft): readonly Signal[] {
  const { fault = "", how, server } = entry.facts;
  const about = server === undefined ? { caller: entry.principal } : { server };
  const isReported = how === "reported";
  return [
    made(entry, {
      kind: "signature",
      about,
      says: `A message's signature is ${fault}${isReported ? ", as the other end says" : ""}.`,
      ...(isReported && { evidence: "unproven", isHard: false, score: 0.3 }),
    }),
  ];
}

/** An identity that ended by itself is a client that nobody renewed. */
function identitySignals(entry: EntryDraft): readonly Signal[] {
  const { reason = "" } = entry.facts;
  const isTaken = reason.includes("revoked");
  return [
    made(entry, {
      kind: "identity",
      about: { caller: entry.principal },
      says: `Turned away: ${reason}.`,
      // Whoever shows a certificate has not yet proven that it is theirs.
      evidence: "unproven",
      ...(!isTaken && { score: 0.2 }),
    }),
  ];
}

/** A log of a server's own is in its name: `spiffe://domain/server/NAME`. */
function serverOf(principal: string): Scope {
  const name = /\/server\/([^/]+)$/.exec(principal)?.[1];
  return { server: name ?? principal };
}

function ownerOf(principal: string): Scope {
  return principal.includes("/server/") ? serverOf(principal) : { caller: principal };
}
