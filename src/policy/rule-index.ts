/**
 * Which rules can say anything about one target and one caller: found once, then looked up. INVARIANT: it only leaves
 * out rules whose patterns don't match, so that whoever judges by it judges as by all.
 */
import type { Rule, TargetKind } from "./rules.ts";

/** What is asked for, with nothing that changes from call to call. */
interface About {
  readonly party: string;
  readonly server: string;
  /** Undefined for the protocol's own housekeeping. */
  readonly target?: { readonly kind: TargetKind; readonly name: string };
}

export interface RuleIndex {
  readonly about: (about: About) => readonly Rule[];
  /** Those that name methods beside calls. */
  readonly ofMethods: readonly Rule[];
}

/** Pairs of caller and target whose rules are remembered: a caller makes up names for nothing. */
const maxRemembered = 20_000;
/** Characters: real names and identities are shorter, and what is longer is looked for each time. */
const maxRememberedKey = 1024;

const indexes = new WeakMap<readonly Rule[], RuleIndex>();

/** The index of these rules; made at the first question to them. */
export function indexOf(rules: readonly Rule[]): RuleIndex {
  const known = indexes.get(rules);
  if (known !== undefined) return known;
  const index = ruleIndex(rules);
  indexes.set(rules, index);
  return index;
}

function ruleIndex(rules: readonly Rule[]): RuleIndex {
  const remembered = new Map<string, readonly Rule[]>();
  // Most callers and names have the same rules about them: one list for all of those.
  const lists = new Map<string, readonly Rule[]>();
  const shared = (list: readonly Rule[], numbers: readonly number[]): readonly Rule[] => {
    const name = numbers.join();
    const known = lists.get(name);
    if (known !== undefined) return known;
    lists.set(name, list);
    return list;
  };
  return {
    ofMethods: rules.filter(({ matchesMethod }) => matchesMethod !== undefined),
    about: (about) => {
      const key = keyOf(about);
      const found = remembered.get(key);
      if (found !== undefined) return found;
      const numbers: number[] = [];
      for (const [i, rule] of rules.entries()) if (isAbout(rule, about)) numbers.push(i);
      const fresh = numbers.flatMap((i) => rules[i] ?? []);
      if (key.length > maxRememberedKey) return fresh;
      if (remembered.size >= maxRemembered) {
        remembered.clear();
        lists.clear();
      }
      const list = shared(fresh, numbers);
      remembered.set(key, list);
      return list;
    },
  };
}

/** No part of it but the last, the name, can have a line break: those are names of the config, and identities. */
function keyOf({ party, server, target }: About): string {
  return target === undefined ? `${party}\n${server}` : `${party}\n${server}\n${target.kind}\n${target.name}`;
}

function isAbout(rule: Rule, { party, server, target }: About): boolean {
  if (!rule.matchesCaller(party)) return false;
  if (target !== undefined) return rule.matches[target.kind](server, target.name);
  // INVARIANT: housekeeping is open to whoever may use anything of the server, and to nobody else.
  if (rule.effect === "allow") return rule.namesServer(server);
  return isDenying(rule) && rule.namesAllOfServer(server);
}

export function isDenying({ effect }: Pick<Rule, "effect">): boolean {
  return effect === "deny" || effect === "cut";
}
