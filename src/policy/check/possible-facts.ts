/**
 * What can be told of the facts of any call a rule matches: the links it can come on, and what it names. Everything
 * else is missing.
 */
import type { FactValues } from "../../expr/condition.ts";
import { keyExchangeSuites, quantumLevel } from "../../crypto/suites/key-exchange.ts";
import type { LinkPosture } from "../../model/channel.ts";
import { factTypes, linkFactTypes } from "../facts.ts";
import { certificateIds } from "../link-conditions.ts";
import { targetKindNames } from "../rules.ts";
import { namePattern, serverPattern } from "../patterns.ts";
import type { CheckedRule } from "./checked-rule.ts";

export interface PartialFacts {
  readonly facts: FactValues;
  readonly missing: ReadonlySet<string>;
}

/** All links that can be negotiated. */
export const possibleLinks: readonly LinkPosture[] = keyExchangeSuites.flatMap((suite) =>
  [...certificateIds, undefined].map((certificate) => ({
    group: suite.id,
    level: quantumLevel(suite),
    isPostQuantum: suite.kind !== "classical",
    certificate,
  })),
);

/** More combinations than that aren't tried: then nothing is known. */
const maxTried = 2000;

/** Each call the rule matches has the facts of one of these. */
export function possibleFacts(checked: CheckedRule): readonly PartialFacts[] {
  const links = isReadOnlyAs(checked, "link", linkMembers) ? linksOf(checked) : [undefined];
  const calls = callsOf(checked);
  const isTold = calls.every((call) => isReadOnlyAs(checked, "call", Object.keys(call)));
  const named = isTold ? calls : [undefined];
  if (links.length * named.length > maxTried) return [partial({})];
  return links.flatMap((link) =>
    named.map((call) => partial({ ...(link && { link }), ...(call && { call }) })),
  );
}

function partial(facts: FactValues): PartialFacts {
  return { facts, missing: new Set(allNames.filter((name) => !Object.hasOwn(facts, name))) };
}

const allNames = Object.keys({ ...factTypes, ...linkFactTypes.connection });

const linkMembers = ["group", "level", "pq", "certificate"];

/** Whether the condition reads nothing of that variable but these members, each by its name. */
function isReadOnlyAs({ condition }: CheckedRule, variable: string, members: readonly string[]): boolean {
  const paths = condition?.compiled.reads.filter((path) => /^\w+/.exec(path)?.[0] === variable) ?? [];
  return (
    paths.length > 0 && paths.every((path) => members.some((member) => path === `${variable}.${member}`))
  );
}

function linksOf({ rule }: CheckedRule): readonly FactValues[] {
  return possibleLinks
    .filter((link) => rule.matchesLink?.(link) !== false)
    .map(({ group, level, isPostQuantum: pq, certificate = "none" }) => ({ group, level, pq, certificate }));
}

/** Of each target what is the same for all calls that it names; and the protocol's own messages, which name none. */
function callsOf({ document }: CheckedRule): readonly FactValues[] {
  const named = targetKindNames.flatMap((kind) =>
    (document[kind] ?? []).map((target) => {
      const [server, name] = [serverPattern(target), namePattern(target)];
      const isExact = (text: string): boolean => !text.includes("*");
      return {
        kind,
        ...(isExact(server) && { server }),
        ...(isExact(name) && { name, tool: kind === "tools" ? name : "" }),
        ...(!isExact(name) && kind !== "tools" && { tool: "" }),
      };
    }),
  );
  // What stands beside a call belongs to any.
  return [...named, { kind: "", tool: "" }, ...(document.methods === undefined ? [] : [{}])];
}
