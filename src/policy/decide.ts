/** The only judge: default-deny, deny overrides, order never matters. */
import type { Caller } from "../model/caller.ts";
import type { Rule, TargetKind } from "./rules.ts";

/** What is asked for, era-neutral. */
export interface Question {
  readonly caller: Caller;
  readonly server: string;
  /** What the call names; undefined for the protocol's own housekeeping (handshake, lists, ping, cancel). */
  readonly target?: { readonly kind: TargetKind; readonly name: string };
}

/** We said yes. Only `decide` can make one, so a stage that needs it can't be reached without it. */
class Permit {
  readonly kind = "permit";
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
}

export function decide(question: Question, rules: readonly Rule[]): Permit | Denial {
  let allowing: Rule | undefined;
  for (const rule of rules) {
    if (!applies(rule, question)) continue;
    if (rule.effect === "deny") return { kind: "denial", rule: rule.name, because: rule.because };
    allowing ??= rule;
  }
  return allowing === undefined ? nothingAllows(question) : new Permit(allowing.name);
}

function applies(rule: Rule, question: Question): boolean {
  if (!rule.matchesCaller(question.caller.id)) return false;
  const { target } = question;
  // INVARIANT: housekeeping is open to whoever may use anything of the server, and to nobody else.
  if (target === undefined) {
    return rule.effect === "allow"
      ? rule.namesServer(question.server)
      : rule.namesAllOfServer(question.server);
  }
  return rule.matches[target.kind](question.server, target.name);
}

/** The denial where no rule allows. */
export function nothingAllows(question: Question): Denial {
  const what = question.target === undefined ? "anything" : `"${question.target.name}"`;
  return {
    kind: "denial",
    rule: null,
    because: `No policy allows this caller ${what} on "${question.server}".`,
  };
}
