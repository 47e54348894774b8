/** Whose authority the caller can use, and who could use the caller's, as far as the rules say it. */
import { matcher } from "../patterns.ts";
import type { RuleDocument } from "../rules.ts";
import type { ReachRule } from "./counting.ts";
import { naming, type ReachTarget } from "./targets.ts";
import type { ReachCaller } from "./known-facts.ts";

export interface Lending {
  /** Whether it can lend anything on: callers with certificates, where delegation isn't turned off. */
  readonly lends: boolean;
  /** What others could do on its behalf, if they may do it themselves: `kind server/name`. */
  readonly lendable: readonly string[];
  /** Rules whose allowance for it ends with itself (`delegated: never`). */
  readonly never: readonly string[];
  /** Who could act for it, by the rules that allow them. */
  readonly actors: readonly Actor[];
  /** For whom it may act: patterns of who began, by rule. */
  readonly actsFor: readonly { readonly rule: string; readonly callers: readonly string[] }[];
}

interface Actor {
  readonly rule: string;
  readonly callers: readonly string[];
  /** How much of what it could lend the rule allows them, or may. */
  readonly targets: number;
  /** The rule is about calls on its behalf; otherwise about whatever they do. */
  readonly isOnBehalf: boolean;
}

interface Lent {
  readonly caller: ReachCaller;
  readonly calls: readonly RuleDocument[];
  readonly rules: readonly ReachRule[];
  readonly targets: readonly ReachTarget[];
  readonly world: { readonly lends: boolean; readonly actsForOthers: boolean };
}

export function lendingOf({ caller, calls, rules, targets, world }: Lent): Lending {
  const own = rules.filter(({ rule }) => rule.effect === "allow").map(({ document }) => document);
  return {
    lends: world.lends,
    lendable: targets.map(({ kind, server, name }) => `${kind} ${server}/${name.text}`),
    never: own.filter(({ delegated }) => delegated === "never").map(({ name }) => name),
    actors:
      targets.length === 0 ? [] : calls.flatMap((document) => actorIn(document, caller.id, targets) ?? []),
    actsFor: world.actsForOthers
      ? own.flatMap(({ name, on_behalf_of: callers }) =>
          callers === undefined ? [] : [{ rule: name, callers }],
        )
      : [],
  };
}

/** Who is told by one rule, if it allows others what the caller could lend. */
function actorIn(document: RuleDocument, caller: string, targets: readonly ReachTarget[]): Actor | undefined {
  const { name, callers, effect, mode, delegated, on_behalf_of: others } = document;
  const isForOthers = effect === "allow" && mode !== "shadow" && delegated !== "never";
  if (!isForOthers || (others !== undefined && !matcher(others)(caller))) return undefined;
  if (callers.length === 1 && callers[0] === caller) return undefined;
  const count = targets.filter((target) => naming(document[target.kind] ?? [], target) !== "none").length;
  return count === 0 ? undefined : { rule: name, callers, targets: count, isOnBehalf: others !== undefined };
}
