/** The condition of a rule, over what is known when its rule is asked. */
import { compileCondition, type Condition } from "../expr/condition.ts";
import type { Mistake } from "../expr/mistake.ts";
import { Refusal } from "../kernel/refusal.ts";
import { factTypes, type LinkHook, linkFactTypes } from "./facts.ts";

/** A condition of a rule about calls; about connections or links, if one is named. */
export function ruleCondition(when: string, hook?: LinkHook): Condition | Mistake {
  if (hook === undefined) return compileCondition(when, factTypes);
  const known: Readonly<Record<string, unknown>> = linkFactTypes[hook];
  // With all there is, so that what isn't known yet is told from what is misspelt.
  const whole = compileCondition(when, { ...factTypes, ...linkFactTypes.connection });
  if (whole.kind === "mistake") return whole;
  const early = [...whole.variables].find((name) => !Object.hasOwn(known, name));
  return early === undefined ? whole : tooEarly(early, when, hook);
}

function tooEarly(name: string, when: string, hook: LinkHook): Mistake {
  const before = when.slice(0, Math.max(0, when.search(new RegExp(`\\b${name}\\b`, "v"))));
  const what = { connection: "a connection, before TLS", link: "a link, before a call comes" }[hook];
  return {
    kind: "mistake",
    message: `nothing is known of \`${name}\` of ${what}; there are ${Object.keys(linkFactTypes[hook]).join(", ")}`,
    line: before.split("\n").length,
    column: before.length - before.lastIndexOf("\n"),
  };
}

/** @throws Refusal `bad_config` that says what is wrong with it, and where */
export function compileRuleCondition(name: string, when: string, hook?: LinkHook): Condition {
  const condition = ruleCondition(when, hook);
  if (condition.kind === "condition") return condition;
  const { line, column, message } = condition;
  throw new Refusal(
    "bad_config",
    `The condition of policy "${name}" (line ${line}, column ${column}): ${message}`,
  );
}
