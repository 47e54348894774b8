/** Rules about connections and links: whom they name, what they ask of links, and their conditions. */
import type { LinkRuleDocument } from "../rule-schema.ts";
import { checkCondition } from "./check-condition.ts";
import { checkLinks } from "./check-demands.ts";
import { checkCallers } from "./check-targets.ts";
import { checkedRule } from "./checked-rule.ts";
import type { Remark } from "./finding.ts";
import type { Known } from "./known.ts";

export function checkLinkRule(document: LinkRuleDocument, known: Known): readonly Remark[] {
  const { on, name, when, effect, because, mode } = document;
  // What is asked of it alone is asked as of a rule that denies everything.
  const asked = { name, effect, because, mode, tools: ["*"], ...(when !== undefined && { when }) };
  const isLink = document.on === "link";
  const callers = isLink ? document.callers : ["*"];
  const link = isLink && document.link !== undefined && { link: document.link };
  const checked = checkedRule({ ...asked, callers, ...link }, on);
  return [...checkCallers(checked, known), ...checkLinks(checked), ...checkCondition(checked, known)];
}
