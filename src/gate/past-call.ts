/** A call as history has it: what is asked of those that came before, and what is kept of this one. */
import { trustDomainOf } from "../identity/spiffe-id.ts";
import { isPseudonym } from "../crypto/subject-keys.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { EntryDraft } from "../model/entry.ts";
import type { Asker, PastCall } from "../policy/history/past-calls.ts";
import { type Features, formatFeatures, readFeatures } from "../policy/history/features.ts";
import type { Judged, Located } from "./call.ts";
import type { Target } from "./facts.ts";
import type { Ports } from "./ports.ts";
import { recordedUri } from "./recorded-uri.ts";

/** Who asks about calls before this one. */
export function askerOf(call: Located, party: string, target: Target | undefined): Asker {
  return {
    ...standingOf(call.caller),
    party,
    session: call.clientSession,
    target: pastTarget(call, target),
    atUnixMs: call.atUnixMs,
  };
}

/** INVARIANT: `call` and the entry it leaves have the same one. */
function pastTarget({ server, frame }: Located, target: Target | undefined): string {
  if (target?.kind === "tools") return `${server}/${target.name}`;
  if (target?.kind === "resources") return `${server}/${recordedUri(target.name)}`;
  return `${server}/${frame === undefined || frame.kind === "response" ? "" : frame.method}`;
}

function standingOf({
  id,
  chain,
}: {
  readonly id: string;
  readonly chain: readonly string[];
}): Pick<PastCall, "parties" | "user" | "issuer"> {
  return { parties: [...chain, id], user: chain[0] ?? id, issuer: issuerOf(id) };
}

/** Of a token `oauth:ISSUER/client/CLIENT`, of a certificate its trust domain. */
export function issuerOf(name: string): string {
  return trustDomainOf(name) ?? /^oauth:([^/]*)/.exec(name)?.[1] ?? "";
}

/**
 * Takes a permitted call into what is remembered, before anybody else is asked about another one.
 * @returns what its entry keeps of it; undefined if nothing is
 * @throws Refusal `busy` if it can't be remembered: limits that count it would let too much pass
 */
export function reserved(call: Judged, { history }: Pick<Ports, "history">): Features | undefined {
  const { verdict, question, frame } = call;
  // What goes on with a task was counted when it began.
  if (history === undefined || question.target === undefined || question.isList === true) return undefined;
  if (frame?.kind !== "request") return undefined;
  const features = history.featuresOf(() => question.facts?.of(call.caller.id)["args"]);
  if (verdict.kind !== "permit" || features === undefined || !history.isAsked())
    return features === "too long" ? undefined : features;
  const { party: _, ...asker } = askerOf(call, call.caller.id, question.target);
  const { parties } = standingOf(call.caller);
  const why =
    features === "too long"
      ? "its arguments are too long"
      : history.reserve({ ...asker, parties, callId: call.id, features });
  if (why === undefined && features !== "too long") return features;
  throw new Refusal("busy", `Policies count this call, and it can't be remembered: ${why ?? ""}.`);
}

export function withFeatures(draft: EntryDraft, features: Features | undefined): EntryDraft {
  if (features === undefined) return draft;
  return { ...draft, facts: { ...draft.facts, features: formatFeatures(features) } };
}

/** The call of a decision's entry, with names; undefined of one that history doesn't count. */
export function pastCallIn({
  event,
  outcome,
  callId,
  atUnixMs,
  principal,
  tool,
  facts,
}: Omit<EntryDraft, "event"> & { readonly event: string }): PastCall | undefined {
  const { server, features, session = "", chain, resource, method } = facts;
  if (event !== "call.decision" || outcome !== "allowed" || server === undefined) return undefined;
  // From before a rule asked for anything: what names something was a call.
  if (features === undefined && tool === null && resource === undefined) return undefined;
  const target = tool ?? `${server}/${resource ?? method ?? ""}`;
  // Of whom nobody knows any more, calls are counted and nothing else.
  const read = isPseudonym(principal) ? {} : readFeatures(features ?? "{}");
  return {
    callId,
    atUnixMs,
    session,
    target,
    features: read,
    ...standingOf({ id: principal, chain: namesIn(chain) }),
  };
}

function namesIn(chain: string | undefined): readonly string[] {
  try {
    const names: unknown = JSON.parse(chain ?? "[]");
    return Array.isArray(names) ? names.map(String) : [];
  } catch {
    return [];
  }
}

/** Whether a call counts still, once its outcome is known: not if its server says that it failed. */
export function endOf({
  outcome,
  answerFailed,
}: {
  readonly outcome: string;
  readonly answerFailed: boolean;
}): "stands" | "undone" {
  return outcome === "allowed" && answerFailed ? "undone" : "stands";
}
