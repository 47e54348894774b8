/** A rule as sentences, for people who don't write rules. */
import { isCallRule, type PolicyDocument, type RuleDocument } from "../../policy/rules.ts";

/** What it does, to whom and to what, and under which conditions; why it exists is its own `because`. */
export function ruleInWords(document: PolicyDocument): string {
  if (!isCallRule(document)) return linkRuleInWords(document);
  const { mode, effect } = document;
  const sentence = `${verbs[effect](document)} ${targetsOf(document)} by ${callersOf(document.callers)}${limitsOf(document)}.`;
  return mode === "shadow" ? `Only recorded, not done: ${sentence}` : sentence;
}

const verbs: Readonly<Record<RuleDocument["effect"], (rule: RuleDocument) => string>> = {
  allow: () => "Allows",
  deny: () => "Denies, whatever else allows it,",
  cut: () => "Denies and ends the link on",
  hold: ({ approval }) =>
    approval === undefined || approval.approvers === 1
      ? "Holds, until somebody approves,"
      : `Holds, until ${approval.approvers} people approve,`,
  read_only: () => "Lets pass only what reads, of",
  redact: ({ redact }) => `Takes ${takenOut(redact)} out of`,
  step_up: () => "Lets pass only with a better signature or link",
};

function takenOut(redact: RuleDocument["redact"]): string {
  const all = [
    ...(redact?.arguments ?? []),
    ...(redact?.answer ?? []).map((each) => `${each} of the answer`),
  ];
  return named(all, "something");
}

function targetsOf({ tools, resources, prompts, methods }: RuleDocument): string {
  const kinds = [
    ["tools", tools],
    ["resources", resources],
    ["prompts", prompts],
    ["methods", methods],
  ] as const;
  return kinds
    .flatMap(([kind, names]) => {
      if (names === undefined) return [];
      return [names.includes("*") ? `all ${kind}` : `the ${kind} ${named(names, "")}`];
    })
    .join(" and ");
}

function callersOf(callers: readonly string[]): string {
  return callers.includes("*") ? "anybody" : named(callers, "nobody");
}

function limitsOf(rule: RuleDocument): string {
  const parts = [
    rule.on_behalf_of && `on behalf of ${callersOf(rule.on_behalf_of)}`,
    rule.delegated === "never" && "never on behalf of others",
    rule.link && `on links with ${termsIn(rule.link)}`,
    rule.signature && `signed with ${termsIn(rule.signature)}`,
    rule.when !== undefined && "where its condition holds",
  ];
  const said = parts.filter((part) => typeof part === "string");
  return said.length === 0 ? "" : `, ${said.join(", ")}`;
}

function linkRuleInWords(document: Exclude<PolicyDocument, RuleDocument>): string {
  const what = document.on === "connection" ? "connections before TLS" : "links";
  const who = document.on === "link" ? ` of ${callersOf(document.callers)}` : "";
  const when = document.when === undefined ? "" : ", where its condition holds";
  const sentence = `Denies ${what}${who}${when}.`;
  return document.mode === "shadow" ? `Only recorded, not done: ${sentence}` : sentence;
}

function termsIn(terms: object): string {
  return Object.entries(terms)
    .filter(([, value]) => value !== undefined)
    .map(
      ([name, value]) =>
        `${name.replaceAll("_", " ")} ${Array.isArray(value) ? value.join(" or ") : String(value)}`,
    )
    .join(", ");
}

/** More names than that tell nobody anything in a sentence. */
const maxNamed = 4;

function named(names: readonly string[], none: string): string {
  if (names.length === 0) return none;
  const more = names.length - maxNamed;
  return `${names.slice(0, maxNamed).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
