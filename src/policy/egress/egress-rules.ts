/**
 * Rules about where an exposed server may go by itself. Nothing is allowed unless a rule says so, a rule that denies
 * overrides, and a condition that errs makes a rule that denies count and others not, as with calls.
 */
import { z } from "zod";

import { compileCondition, type Condition, type Variables } from "../../expr/condition.ts";
import { limits } from "../../expr/limits.ts";
import { type Address, holds, type Network, parseNetwork } from "../../expr/network.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { type Destination, destinationMatcher, destinationText, isNamedBy } from "./destination.ts";
import { isSpecial } from "./special-addresses.ts";

/** `learn`: as allowed, and watched; what is new gets little, and a burst is cut. */
const egressEffects = ["allow", "learn", "deny"] as const;
type EgressEffect = (typeof egressEffects)[number];

const isNetwork = (text: string): boolean => parseNetwork(text) !== undefined;

export const egressRuleSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]{0,127}$/)
    .describe("What the rule is called in the log; unique."),
  hosts: z
    .array(
      z
        .string()
        .max(300)
        .refine(
          (text) => destinationMatcher(text) !== undefined,
          'expected HOST or HOST:PORT, such as "api.example.com:443", "*.example.com" or "*"',
        ),
    )
    .min(1)
    .max(1000)
    .describe(
      "Where to: `HOST[:PORT]`; `*` is one part of a name, `**` in front one or more, alone any host.",
    ),
  addresses: z
    .array(z.string().max(64).refine(isNetwork, 'expected an address or a network such as "10.1.0.0/16"'))
    .min(1)
    .max(1000)
    .optional()
    .describe("Only if the host's address is one of these; the only way to private ones by a name."),
  when: z
    .string()
    .min(1)
    .max(limits.textChars)
    .optional()
    .describe("A condition on `destination`, `bytes`, `time` and `now`, in the language of policies."),
  effect: z.enum(egressEffects),
  because: z.string().min(1).max(500).describe("Why the rule exists; told to the server it denies."),
});

export type EgressRuleDocument = z.output<typeof egressRuleSchema>;

/** What conditions can see. */
const egressFactTypes: Variables = {
  destination: {
    kind: "object",
    members: { host: "string", port: "int", known: "bool" },
    others: "none",
  },
  bytes: { kind: "object", members: { sent: "int", received: "int" }, others: "none" },
  time: { kind: "object", members: { hour: "int", weekday: "int", minute: "int" }, others: "none" },
  now: "timestamp",
};

export interface EgressFacts {
  /** It was reached before, often enough, and nothing was wrong with it. */
  readonly isKnown: boolean;
  /** Of this connection, so far. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly atUnixMs: number;
  readonly clock: { readonly hour: number; readonly weekday: number; readonly minute: number };
}

export interface EgressQuestion {
  readonly destination: Destination;
  /** What its name stands for; absent before it was looked up. */
  readonly address?: Address;
  /** That address is one of this machine's own, whatever it looks like. */
  readonly isOwnAddress?: boolean;
  readonly facts: EgressFacts;
}

export type EgressVerdict =
  | { readonly kind: "allow" | "learn"; readonly rule: string }
  | { readonly kind: "deny"; readonly rule?: string; readonly because: string; readonly erred?: string };

export interface EgressRule {
  readonly name: string;
  readonly because: string;
  readonly effect: EgressEffect;
  readonly hosts: readonly string[];
  readonly matches: (destination: Destination) => boolean;
  readonly networks?: readonly Network[];
  readonly when?: Condition;
}

/** @throws Refusal `bad_config` for two of one name, or a condition that is none, with where and why */
export function compileEgressRules(documents: readonly EgressRuleDocument[]): readonly EgressRule[] {
  const names = documents.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw new Refusal("bad_config", `There are two egress rules named "${twice}".`);
  return documents.map(({ name, because, effect, hosts, addresses, when }) => {
    const matchers = hosts.flatMap((pattern) => destinationMatcher(pattern) ?? []);
    const networks = addresses?.flatMap((text) => parseNetwork(text) ?? []);
    return {
      name,
      because,
      effect,
      hosts,
      matches: (destination: Destination) => matchers.some((matches) => matches(destination)),
      ...(networks && { networks }),
      ...(when !== undefined && { when: conditionOf(name, when) }),
    };
  });
}

/**
 * Asked before a name is looked up, when rules by address are taken to allow and not to deny; again with each address
 * it has; and again while bytes flow.
 */
export function decideEgress(question: EgressQuestion, rules: readonly EgressRule[]): EgressVerdict {
  const counting = rules.flatMap((rule) => {
    const erred = countsFor(rule, question);
    return erred === false ? [] : [{ rule, erred }];
  });
  const denying = counting.filter(({ rule }) => rule.effect === "deny");
  const denied = denying.find(({ erred }) => erred === true) ?? denying[0];
  if (denied !== undefined) {
    const { rule, erred } = denied;
    const why = typeof erred === "string" && { erred };
    return { kind: "deny", rule: rule.name, because: rule.because, ...why };
  }
  const letting = counting.filter(({ rule }) => rule.effect !== "deny");
  const admitting = letting.filter(({ rule }) => admits(rule, question));
  const best = admitting.find(({ rule }) => rule.effect === "allow") ?? admitting[0];
  if (best !== undefined)
    return { kind: best.rule.effect === "allow" ? "allow" : "learn", rule: best.rule.name };
  return { kind: "deny", because: letting.length === 0 ? nobodySaid(question) : privateUnnamed(question) };
}

/** Whether verdicts may change while bytes flow. */
export function asksForBytes(rules: readonly EgressRule[]): boolean {
  return rules.some(({ when }) => when?.variables.has("bytes"));
}

/** @returns true, false, or that it counts because its condition can't be told, and why */
function countsFor(rule: EgressRule, question: EgressQuestion): boolean | string {
  const { destination, address } = question;
  if (!rule.matches(destination)) return false;
  if (rule.networks !== undefined) {
    if (address === undefined) return rule.effect !== "deny";
    if (!rule.networks.some((network) => holds(network, address))) return false;
  }
  const outcome = rule.when?.evaluate(valuesOf(question)) ?? ({ kind: "true" } as const);
  if (outcome.kind === "error") return rule.effect === "deny" ? outcome.why : false;
  return outcome.kind === "true";
}

/** INVARIANT: an address that isn't the internet's is reached only by a rule that names it. */
function admits({ networks, hosts }: EgressRule, question: EgressQuestion): boolean {
  const { destination, address, isOwnAddress = false } = question;
  if (address === undefined || networks !== undefined) return true;
  if (!isOwnAddress && !isSpecial(address)) return true;
  return destination.literal !== undefined && hosts.some((pattern) => isNamedBy(pattern, destination));
}

function valuesOf({ destination: { host, port }, facts }: EgressQuestion): Readonly<Record<string, unknown>> {
  return {
    destination: { host, port, known: facts.isKnown },
    bytes: { sent: facts.sentBytes, received: facts.receivedBytes },
    time: facts.clock,
    now: facts.atUnixMs,
  };
}

function nobodySaid({ destination }: EgressQuestion): string {
  return `No egress rule allows ${destinationText(destination)}.`;
}

function privateUnnamed({ destination }: EgressQuestion): string {
  return `${destinationText(destination)} is at an address of this machine, a private network or the cloud's own services, which no egress rule names (\`addresses\`).`;
}

function conditionOf(name: string, when: string): Condition {
  const condition = compileCondition(when, egressFactTypes);
  if (condition.kind === "condition") return condition;
  const { line, column, message } = condition;
  throw new Refusal(
    "bad_config",
    `The condition of egress rule "${name}" (line ${line}, column ${column}): ${message}`,
  );
}
