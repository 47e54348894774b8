/** A call as history has it: what is asked of those that came before, and what is kept of this one. */
import { sha256Base64url } from "../crypto/hash.ts";
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
export function askerOf(
  call: Located,
  {
    party,
    target,
    nowUnixMs,
  }: { readonly party: string; readonly target: Target | undefined; readonly nowUnixMs: number },
): Asker {
  return {
    ...standingOf(call.caller),
    party,
    session: call.clientSession,
    target: pastTarget(call, target),
    atUnixMs: nowUnixMs,
  };
}

function pastTarget({ server, frame }: Located, target: Target | undefined): string {
  if (target?.kind === "tools") return bounded(`${server}/${target.name}`);
  if (target?.kind === "resources") return bounded(`${server}/${recordedUri(target.name)}`);
  return bounded(`${server}/${frame === undefined || frame.kind === "response" ? "" : frame.method}`);
}

const maxTargetChars = 160;
const headChars = 100;

/** What entries have of longer names is cut: two that begin alike stay two. */
function bounded(target: string): string {
  if (target.length <= maxTargetChars) return target;
  return `${target.slice(0, headChars)}…${sha256Base64url(target).slice(0, 22)}`;
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
export function reserved(
  call: Judged,
  { history, clock }: Pick<Ports, "history" | "clock">,
): KeptOfCall | undefined {
  const { verdict, question, frame } = call;
  // What goes on with a task was counted when it began.
  const isCounted = frame?.kind === "request" && question.isList !== true;
  if (history === undefined || question.target === undefined || !isCounted) return undefined;
  const features = history.featuresOf(() => question.facts?.of(call.caller.id)["args"]);
  if (features === undefined) return undefined;
  const counts = verdict.kind === "permit" && history.isAsked();
  if (features === "too long") {
    if (counts) throw uncountable("its arguments are too long");
    return undefined;
  }
  const decidedUnixMs = clock.nowUnixMs();
  const asking = { party: call.caller.id, target: question.target, nowUnixMs: decidedUnixMs };
  const { party: _, ...asker } = askerOf(call, asking);
  const { parties } = standingOf(call.caller);
  const why = counts ? history.reserve({ ...asker, parties, callId: call.id, features }) : undefined;
  if (why !== undefined) throw uncountable(why);
  return { features, target: asker.target, decidedUnixMs };
}

function uncountable(why: string): Refusal {
  return new Refusal("busy", `Policies count this call, and it can't be remembered: ${why}.`);
}

/** What an entry keeps of a call, for those that come after it. */
interface KeptOfCall {
  readonly decidedUnixMs: number;
  readonly features: Features;
  readonly target: string;
}

export function withFeatures(draft: EntryDraft, kept: KeptOfCall | undefined): EntryDraft {
  if (kept === undefined) return draft;
  const { features, target, decidedUnixMs } = kept;
  const all = targetIn(draft) === target ? features : { ...features, [targetName]: target };
  return { ...draft, atUnixMs: decidedUnixMs, facts: { ...draft.facts, features: formatFeatures(all) } };
}

/** Among the features, what was called, where the rest of the entry doesn't say it. */
const targetName = "target";

function targetIn({ tool, facts }: Pick<EntryDraft, "tool" | "facts">): string {
  return tool ?? `${facts["server"] ?? ""}/${facts["resource"] ?? facts["method"] ?? ""}`;
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
  const { server, session = "", chain, resource } = facts;
  if (event !== "call.decision" || outcome !== "allowed" || server === undefined) return undefined;
  // From before a rule asked for anything: what names something was a call.
  if (facts["features"] === undefined && tool === null && resource === undefined) return undefined;
  const read = readFeatures(facts["features"] ?? "{}");
  const { [targetName]: named, ...features } = read ?? {};
  return {
    callId,
    atUnixMs,
    session,
    target: typeof named === "string" ? named : targetIn({ tool, facts }),
    // Of whom nobody knows any more, calls are counted and nothing else.
    features: read === undefined && !isPseudonym(principal) ? undefined : features,
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

/** What a call's outcome says of it, as its entry has it. */
interface Ended {
  readonly outcome: string;
  readonly answer: string | undefined;
}

/** Whether a call counts still, once its outcome is known: not if its server says that it failed, or asks for more first. */
export function endOf({ outcome, answer }: Ended): "stands" | "undone" {
  return outcome === "allowed" && (answer === "failed" || answer === "input_required") ? "undone" : "stands";
}
