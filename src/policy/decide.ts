/**
 * The only judge: default-deny, deny overrides, order never matters. What denies wins; then something has to allow;
 * then what restricts may stop it: `read_only`, `step_up`, `hold`, in that order; `redact` changes it. A condition that
 * errs makes rules that allow not count and all others count. A call on behalf of others may do what its delegation
 * covers and what every party of the chain may do itself.
 */
import { type Budget, freshBudget, isSpent } from "../expr/budget.ts";
import type { FactValues, Outcome } from "../expr/condition.ts";
import type { Caller } from "../model/caller.ts";
import type { LinkPosture } from "../model/channel.ts";
import { covers } from "./delegation-scope.ts";
import type { Redaction } from "./redaction.ts";
import { indexOf, isDenying } from "./rule-index.ts";
import type { ApprovalTerms, Effect, Rule, TargetKind } from "./rules.ts";
import { isMet, type SignatureDemand, type SignedAs, strengthOf } from "./signature-demand.ts";

/** What is asked for, era-neutral. */
export interface Question {
  readonly caller: Caller;
  /** What the link it comes on negotiated; the parties of a chain are all judged on it. */
  readonly link: LinkPosture;
  readonly server: string;
  /** What the call names; undefined for the protocol's own housekeeping (handshake, lists, ping, cancel). */
  readonly target?: { readonly kind: TargetKind; readonly name: string };
  /** How it is signed. Absent where nothing of that kind is demanded: of what is never signed, and to find out what could be allowed. */
  readonly signed?: SignedAs;
  /** An operator, or an approved manifest, says that the tool only reads. */
  readonly onlyReads?: boolean;
  /**
   * What conditions see. Absent to find out what could be allowed, for some call: conditions are unknown then, and an
   * unknown allow counts as allowing, an unknown restriction as not applying.
   */
  readonly facts?: Facing;
  /** The method beside calls that it is, and what conditions of rules about methods see. */
  readonly side?: Side;
  /** It is asked for a list: what a better signature or people would let through is listed. */
  readonly isList?: boolean;
  /** Rules that hold the call, and whose approvals there are. */
  readonly approved?: ReadonlySet<string>;
}

/** A message that rules can name by its method. */
export interface Side {
  readonly method: string;
  readonly facts: Facing;
}

/** The facts as they are for one of the parties. */
export interface Facing {
  readonly of: (party: string) => FactValues;
  /** Variables that aren't known: of a list, the arguments. */
  readonly missing?: ReadonlySet<string>;
}

/** What a rule that is only watched would have done. */
interface Shadow {
  readonly rule: string;
  readonly effect: Effect;
}

/** We said yes. Only `decide` can make one, so a stage that needs it can't be reached without it. */
class Permit {
  readonly kind = "permit";
  /** The rule that allows the caller; of a call on behalf of others, each of them has its own. */
  readonly rule: string;
  /** How the answer must be signed at least, before it is passed on. */
  readonly answer: SignatureDemand["answer"];
  /** What is taken out of the call and of its answer, by which rule. */
  readonly redactions: readonly (Redaction & { readonly rule: string })[];
  readonly shadows: readonly Shadow[];
  /** Where nothing is enforced: what the rules would have stopped it with. */
  readonly observed: Denial | undefined;
  readonly #judged = true;

  constructor(
    rule: string,
    {
      answer,
      redactions,
      shadows,
      observed,
    }: Pick<Permit, "answer" | "redactions" | "shadows"> & { readonly observed?: Denial },
  ) {
    this.rule = rule;
    this.answer = answer;
    this.redactions = redactions;
    this.shadows = shadows;
    this.observed = observed;
  }

  /** Keeps look-alikes out: an object literal can't have this private field. */
  static judged(value: Permit): boolean {
    return value.#judged;
  }
}

export type { Permit };

export interface Denial {
  readonly kind: "denial";
  /** The rule that denied, or null where no rule allowed. */
  readonly rule: string | null;
  readonly because: string;
  /** What that rule does; absent where no rule allowed. */
  readonly effect?: Effect;
  /** In a call on behalf of others: who of them may not, itself. */
  readonly party?: string;
  /** The delegation doesn't cover it, whatever the rules say. */
  readonly outOfScope?: true;
  /** It would be allowed if it were signed like this. */
  readonly unsigned?: SignatureDemand;
  /** It waits for people, by rule. */
  readonly held?: readonly {
    readonly rule: string;
    readonly because: string;
    readonly terms: ApprovalTerms;
  }[];
  /** The caller's link is to end. */
  readonly cuts?: true;
  /** Why the condition of the rule couldn't be told; it counted all the same. */
  readonly erred?: string;
  readonly shadows: readonly Shadow[];
}

export function decide(question: Question, rules: readonly Rule[]): Permit | Denial {
  const { matched: ofCall, isTooCostly } = matchedOf(question, rules);
  const matched = [...ofCall, ...sideMatched(question, rules)];
  const shadows = shadowsOf(matched);
  // INVARIANT: what couldn't be told wherever it stands in the list isn't told by what stood before it.
  if (isTooCostly) return { ...tooCostly, shadows };
  const denying = strictest(matched.filter((each) => !each.rule.isShadow && isDenying(each.rule)));
  if (denying !== undefined) return { ...denied(denying, question), shadows };
  const { caller, server, target } = question;
  const { delegation } = caller;
  if (delegation !== undefined && !covers(delegation.scope, server, target))
    return { ...outOfScope(question), shadows };
  const allowed = allowedBy(question, rules, matched);
  if (allowed.kind === "denial") return { ...allowed, shadows };
  const restricting = matched.filter(({ rule }) => !rule.isShadow && rule.effect !== "allow");
  const stopped = stoppedBy(restricting, question);
  if (stopped !== undefined) return { ...stopped, shadows };
  const stepped = restricting.map(({ rule }) => rule.stepUp?.signature?.answer ?? "none");
  const redactions = restricting.flatMap(({ rule }) =>
    rule.redaction === undefined ? [] : [{ ...rule.redaction, rule: rule.name }],
  );
  const answer = stepped.reduce(
    (most, each) => (strengthOf(each) > strengthOf(most) ? each : most),
    allowed.answer,
  );
  return new Permit(allowed.rule, { answer, redactions, shadows });
}

/**
 * What is decided where nothing is enforced: what the rules stop is let through, with what they would have said. What
 * they take out is taken out all the same, and a delegation reaches no further than it says.
 */
export function observe(question: Question, rules: readonly Rule[]): Permit | Denial {
  const verdict = decide(question, rules);
  const { shadows } = verdict;
  const { caller, server, target } = question;
  if (caller.delegation !== undefined && !covers(caller.delegation.scope, server, target))
    return { ...outOfScope(question), shadows };
  if (verdict.kind === "permit") {
    const { rule, redactions } = verdict;
    return new Permit(rule, { answer: "none", redactions, shadows });
  }
  const redactions = matchedOf(question, rules).matched.flatMap(({ rule }) =>
    rule.isShadow || rule.redaction === undefined ? [] : [{ ...rule.redaction, rule: rule.name }],
  );
  return new Permit("observe", { answer: "none", redactions, shadows, observed: verdict });
}

/** What rules say of a message that belongs to a call that was let through: it is open unless one denies it. */
export function decideSide(
  question: Question & { readonly side: Side },
  rules: readonly Rule[],
): { readonly denied?: Omit<Denial, "shadows">; readonly shadows: readonly Shadow[] } {
  const matched = sideMatched(question, rules);
  const found = strictest(matched.filter(({ rule }) => !rule.isShadow));
  return { ...(found && { denied: denied(found, question) }), shadows: shadowsOf(matched) };
}

/** All that rules could take out of any answer of that server to one of the parties, whatever they ask. */
export function redactionsOf(
  { caller, server }: Pick<Question, "caller" | "server">,
  rules: readonly Rule[],
): Permit["redactions"] {
  const parties = [...caller.chain, caller.id];
  return rules.flatMap(({ name, redaction, isShadow, matchesCaller, namesServer }) =>
    redaction === undefined || isShadow || !parties.some(matchesCaller) || !namesServer(server)
      ? []
      : [{ ...redaction, rule: name }],
  );
}

/** Whether some rule could deny one of those methods of that server to one of the parties. */
export function namesSide(
  { caller, server }: Pick<Question, "caller" | "server">,
  methods: readonly string[],
  rules: readonly Rule[],
): boolean {
  return indexOf(rules).ofMethods.some(
    (rule) =>
      [...caller.chain, caller.id].some(rule.matchesCaller) &&
      methods.some((method) => rule.matchesMethod?.(server, method)),
  );
}

/** Those about the method, each for each party. INVARIANT: all of them deny. */
function sideMatched(question: Question, rules: readonly Rule[]): readonly Match[] {
  const { caller, server, side } = question;
  if (side === undefined) return [];
  const about = indexOf(rules).ofMethods.filter((rule) => rule.matchesMethod?.(server, side.method) === true);
  const budget = freshBudget();
  return partiesOf(caller).flatMap((party) =>
    about.flatMap((rule) =>
      rule.matchesCaller(party.id)
        ? (matchOf(rule, { ...question, facts: side.facts }, party, budget) ?? [])
        : [],
    ),
  );
}

/** A rule that counts for one of the parties. */
interface Match {
  readonly rule: Rule;
  readonly party: Party;
  readonly erred?: string;
}

/** All that count, each for each party. */
function matchedOf(
  question: Question,
  rules: readonly Rule[],
): { readonly matched: readonly Match[]; readonly isTooCostly: boolean } {
  const { caller, server, target } = question;
  const index = indexOf(rules);
  // One for all: whoever can make conditions costly makes his own call fail. What is only watched has its own.
  const budget = freshBudget();
  const watched = freshBudget();
  const matched = partiesOf(caller).flatMap((party) =>
    index
      .about({ party: party.id, server, ...(target && { target }) })
      .flatMap((rule) => matchOf(rule, question, party, rule.isShadow ? watched : budget) ?? []),
  );
  return { matched, isTooCostly: isSpent(budget) };
}

/** INVARIANT: what errs, and what isn't known yet, falls to the safe side. */
function matchOf(rule: Rule, question: Question, party: Party, budget: Budget): Match | undefined {
  if (!countsFor(rule, party) || rule.matchesLink?.(question.link) === false) return undefined;
  const outcome = outcomeOf(rule, question, party, budget);
  const isAllow = rule.effect === "allow";
  if (outcome.kind === "error") return isAllow ? undefined : { rule, party, erred: outcome.why };
  const counts = outcome.kind === "true" || (outcome.kind === "unknown" && isAllow);
  return counts ? { rule, party } : undefined;
}

const always: Outcome = { kind: "true" };
const unknown: Outcome = { kind: "unknown", missing: [] };

function outcomeOf({ when }: Rule, { facts }: Question, party: Party, budget: Budget): Outcome {
  if (when === undefined) return always;
  return facts === undefined ? unknown : when.evaluate(facts.of(party.id), facts.missing, budget);
}

function shadowsOf(matched: readonly Match[]): readonly Shadow[] {
  const seen = new Map<string, Shadow>();
  for (const { rule } of matched)
    if (rule.isShadow) seen.set(rule.name, { rule: rule.name, effect: rule.effect });
  return seen.size === 0 ? noShadows : [...seen.values()];
}

const noShadows: readonly Shadow[] = [];

/** One that cuts, unless it only counts because it erred: a mistake costs a call, and no link. */
function strictest(denying: readonly Match[]): Match | undefined {
  const sure = denying.filter(({ erred }) => erred === undefined);
  const mild = denying.find(({ rule }) => rule.effect === "deny");
  return sure.find(({ rule }) => rule.effect === "cut") ?? sure[0] ?? mild ?? denying[0];
}

/** What every party has to be allowed. */
function allowedBy(
  question: Question,
  rules: readonly Rule[],
  matched: readonly Match[],
): Denial | { readonly kind: "allowed"; readonly rule: string; readonly answer: SignatureDemand["answer"] } {
  let rule = "";
  let answer: SignatureDemand["answer"] = "none";
  for (const party of partiesOf(question.caller)) {
    const own = matched.filter(
      (each) => each.party.id === party.id && each.party.isCaller === party.isCaller,
    );
    const allowing = allowingRule(question, own);
    if (allowing?.isMet === true) {
      rule = allowing.rule.name;
      const { answer: asked = "none" } = demandOf(allowing.rule, question) ?? {};
      if (strengthOf(asked) > strengthOf(answer)) answer = asked;
      continue;
    }
    if (!party.isCaller && isUser(party.id)) continue;
    if (allowing !== undefined) return notSigned(allowing.rule, question, party);
    return nothingAllows(question, party, isForItsLink(question, rules, party));
  }
  return { kind: "allowed", rule, answer };
}

/** Whether another link would have been enough. */
function isForItsLink(question: Question, rules: readonly Rule[], party: Party): boolean {
  const { server, target } = question;
  const budget = freshBudget();
  return indexOf(rules)
    .about({ party: party.id, server, ...(target && { target }) })
    .some(
      (rule) =>
        rule.effect === "allow" &&
        !rule.isShadow &&
        rule.matchesLink !== undefined &&
        matchOf({ ...rule, matchesLink: anyLink }, question, party, budget) !== undefined,
    );
}

/**
 * Of the rules that allow it, one whose demand the signature meets, which asks the least of the answer; if there is
 * none, the first one. Undefined if none allows it, however it may be signed.
 */
function allowingRule(
  question: Question,
  matched: readonly Match[],
): { readonly rule: Rule; readonly isMet: boolean } | undefined {
  let found: { readonly rule: Rule; readonly isMet: boolean; readonly asks: number } | undefined;
  for (const { rule } of matched) {
    if (rule.effect !== "allow" || rule.isShadow) continue;
    const demand = demandOf(rule, question);
    if (demand === undefined) return { rule, isMet: true };
    const met = isMet(demand, question.signed ?? { mode: "none" });
    const asks = strengthOf(demand.answer);
    if (found === undefined || (met && !found.isMet) || (met && asks < found.asks)) {
      found = { rule, isMet: met, asks };
    }
  }
  return found;
}

/** What is demanded of a signature; nothing of what names nothing, or is never signed. */
function demandOf({ signature }: Rule, { signed, target }: Question): SignatureDemand | undefined {
  return signed === undefined || target === undefined ? undefined : signature;
}

type Stopping = (
  match: Match,
  question: Question,
) => (Pick<Denial, "because"> & Partial<Pick<Denial, "unsigned">>) | undefined;

/** Those that stop a call one by one, in the order in which they are asked. */
const stopping = [
  ["read_only", writes],
  ["step_up", lacks],
] as const satisfies readonly (readonly [Effect, Stopping])[];

function stoppedBy(restricting: readonly Match[], question: Question): Omit<Denial, "shadows"> | undefined {
  for (const [effect, stops] of stopping) {
    for (const match of restricting) {
      if (match.rule.effect !== effect) continue;
      const stopped = stops(match, question);
      if (stopped !== undefined) return { ...denied(match, question), ...stopped };
    }
  }
  return heldBy(restricting, question);
}

/** INVARIANT: a tool only reads if somebody who may says so; unknown is a write. */
function writes({ rule }: Match, { target, onlyReads }: Question): ReturnType<Stopping> {
  if (target?.kind !== "tools" || onlyReads === true) return undefined;
  return { because: `${rule.because} (Only tools that are labelled as reading pass.)` };
}

function lacks({ rule }: Match, question: Question): ReturnType<Stopping> {
  const { signature, link } = rule.stepUp ?? {};
  if (link?.(question.link) === false)
    return { because: `${rule.because} (The link it comes on isn't strong enough${onThisLink(question)}.)` };
  const demand = demandOf({ ...rule, ...(signature && { signature }) }, question);
  if (demand === undefined || isMet(demand, question.signed ?? { mode: "none" })) return undefined;
  return { because: rule.because, unsigned: demand };
}

/** By all that hold it at once, so that people are asked once; not by those whose approvals there are. */
function heldBy(restricting: readonly Match[], question: Question): Omit<Denial, "shadows"> | undefined {
  const isAsked = question.facts !== undefined && question.isList !== true;
  const holding = restricting.filter(
    ({ rule }) => rule.effect === "hold" && isAsked && question.approved?.has(rule.name) !== true,
  );
  const [first] = holding;
  if (first === undefined) return undefined;
  const byRule = new Map(holding.map(({ rule }) => [rule.name, rule]));
  const held = [...byRule.values()].flatMap(({ name, because, approval }) =>
    approval === undefined ? [] : [{ rule: name, because, terms: approval }],
  );
  return { ...denied(first, question), held };
}

const anyLink = (): boolean => true;

/** One of those whose call it is, as if it had made it itself, on behalf of those before it. */
interface Party {
  readonly id: string;
  readonly isCaller: boolean;
  /** Who began first. */
  readonly onBehalfOf: readonly string[];
  /** The call isn't one caller's own: somebody acts for another in it. */
  readonly isDelegated: boolean;
}

function partiesOf({ id, chain }: Caller): readonly Party[] {
  const isDelegated = chain.length > 0;
  return [...chain, id].map((party, at) => ({
    id: party,
    isCaller: at === chain.length,
    onBehalfOf: chain.slice(0, at),
    isDelegated,
  }));
}

/** A user's own client asks in its name, with what the user's token gave it; only a rule that names users is about them. */
function isUser(party: string): boolean {
  return /^oauth:[^/]+\/user\//.test(party);
}

/** Who began can be trusted to be who it is, in whatever hands the call is; a denial counts for all of them. */
function countsFor(rule: Rule, { onBehalfOf, isDelegated }: Party): boolean {
  if (isDelegated && rule.neverDelegated) return false;
  const { matchesOnBehalfOf } = rule;
  if (matchesOnBehalfOf === undefined) return true;
  const [first] = onBehalfOf;
  if (first === undefined) return false;
  return rule.effect === "allow" ? matchesOnBehalfOf(first) : onBehalfOf.some(matchesOnBehalfOf);
}

function denied({ rule, party, erred }: Match, question: Question): Omit<Denial, "shadows"> {
  const { name, because, effect } = rule;
  return {
    kind: "denial",
    rule: name,
    because,
    effect,
    ...(effect === "cut" && erred === undefined && { cuts: true }),
    ...(erred !== undefined && { erred }),
    ...named(question, party),
  };
}

/** The denial where a rule allows only what is signed better than this. */
function notSigned(rule: Rule, question: Question, party: Party): Denial {
  const { signature: unsigned } = rule;
  return {
    shadows: noShadows,
    kind: "denial",
    rule: rule.name,
    because: `Policy "${rule.name}" allows this only to calls that are signed${unsigned?.mode === "direct" ? " themselves" : ""}${unsigned?.algorithm === undefined ? "" : ` with ${unsigned.algorithm}`}.`,
    ...named(question, party),
    ...(unsigned && { unsigned }),
  };
}

const tooCostly: Denial = {
  shadows: noShadows,
  kind: "denial",
  rule: null,
  because: "What the policies ask of this call takes too long to tell. Ask for less at once.",
  erred: "the conditions about one call are too costly together",
};

/** The denial where the delegation doesn't reach as far. */
function outOfScope(question: Question): Denial {
  return {
    shadows: noShadows,
    kind: "denial",
    rule: null,
    because: `The delegation doesn't cover ${asked(question)}.`,
    outOfScope: true,
  };
}

/** The denial where no rule allows. */
export function nothingAllows(question: Question, party?: Party, isForItsLink = false): Denial {
  const isOther = party !== undefined && !party.isCaller;
  const who = isOther ? `"${party.id}", on whose behalf this is asked,` : "this caller";
  return {
    shadows: noShadows,
    kind: "denial",
    rule: null,
    because: `No policy allows ${who} ${asked(question)}${isForItsLink ? onThisLink(question) : ""}.`,
    ...(party && named(question, party)),
  };
}

function onThisLink({ link: { group, level, certificate = "no certificate" } }: Question): string {
  return ` on a link of ${group} (level ${level}) and ${certificate}`;
}

function asked({ server, target }: Question): string {
  return `${target === undefined ? "anything" : `"${target.name}"`} on "${server}"`;
}

function named({ caller }: Question, party: Party): Pick<Denial, "party"> {
  return caller.chain.length === 0 ? {} : { party: party.id };
}
