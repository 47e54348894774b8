/**
 * The only judge: default-deny, deny overrides, order never matters. A call on behalf of others may do what its
 * delegation covers and what every party of the chain may do itself.
 */
import type { Caller } from "../model/caller.ts";
import type { LinkPosture } from "../model/channel.ts";
import type { Rule, TargetKind } from "./rules.ts";
import { covers } from "./delegation-scope.ts";

/** What is asked for, era-neutral. */
export interface Question {
  readonly caller: Caller;
  /** What the link it comes on negotiated; the parties of a chain are all judged on it. */
  readonly link: LinkPosture;
  readonly server: string;
  /** What the call names; undefined for the protocol's own housekeeping (handshake, lists, ping, cancel). */
  readonly target?: { readonly kind: TargetKind; readonly name: string };
}

/** We said yes. Only `decide` can make one, so a stage that needs it can't be reached without it. */
class Permit {
  readonly kind = "permit";
  /** The rule that allows the caller; of a call on behalf of others, each of them has its own. */
  readonly rule: string;
  readonly #judged = true;

  constructor(rule: string) {
    this.rule = rule;
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
  /** In a call on behalf of others: who of them may not, itself. */
  readonly party?: string;
  /** The delegation doesn't cover it, whatever the rules say. */
  readonly outOfScope?: true;
}

export function decide(question: Question, rules: readonly Rule[]): Permit | Denial {
  const { caller, server, target } = question;
  const parties = partiesOf(caller);
  for (const party of parties) {
    const denying = rules.find((rule) => rule.effect === "deny" && applies(rule, question, party));
    if (denying !== undefined) return denied(denying, question, party);
  }
  const { delegation } = caller;
  if (delegation !== undefined && !covers(delegation.scope, server, target)) return outOfScope(question);
  let rule = "";
  for (const party of parties) {
    const allowing = rules.find((each) => each.effect === "allow" && applies(each, question, party));
    if (allowing !== undefined) rule = allowing.name;
    else if (party.isCaller || !isUser(party.id)) {
      const isLinks = rules.some(
        (each) => each.effect === "allow" && applies({ ...each, matchesLink: anyLink }, question, party),
      );
      return nothingAllows(question, party, isLinks);
    }
  }
  return new Permit(rule);
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

function applies(rule: Rule, question: Question, party: Party): boolean {
  if (!rule.matchesCaller(party.id) || !countsFor(rule, party)) return false;
  if (rule.matchesLink?.(question.link) === false) return false;
  const { target, server } = question;
  // INVARIANT: housekeeping is open to whoever may use anything of the server, and to nobody else.
  if (target === undefined) {
    return rule.effect === "allow" ? rule.namesServer(server) : rule.namesAllOfServer(server);
  }
  return rule.matches[target.kind](server, target.name);
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

function denied(rule: Rule, question: Question, party: Party): Denial {
  return { kind: "denial", rule: rule.name, because: rule.because, ...named(question, party) };
}

/** The denial where the delegation doesn't reach as far. */
function outOfScope(question: Question): Denial {
  return {
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
