/** What a rule asks of links and of tools: conditions that nothing meets. */
import { linkMatcher } from "../link-conditions.ts";
import { type CheckedRule, matchedTools } from "./checked-rule.ts";
import { listed, type Remark } from "./finding.ts";
import type { Known } from "./known.ts";
import { possibleLinks } from "./possible-facts.ts";

export function checkLinks({ document }: CheckedRule): readonly Remark[] {
  const places = [
    [["link"], document.link, "the rule never counts"],
    [["step_up", "link"], document.step_up?.link, "no call ever passes"],
  ] as const;
  return places.flatMap(([at, conditions, then]): readonly Remark[] => {
    if (conditions === undefined || possibleLinks.some(linkMatcher(conditions))) return [];
    return [
      {
        kind: "link-never-matches",
        at,
        wrong: `No link is all that \`${at.join(".")}\` says, so ${then}.`,
        mend: "Leave out one of the parts that exclude each other; ML-KEM groups have level 3 or 5, classical ones 0.",
      },
    ];
  });
}

export function checkReadOnly(checked: CheckedRule, known: Known): readonly Remark[] {
  if (checked.rule.effect !== "read_only" || checked.condition !== undefined) return [];
  const tools = matchedTools(checked, known);
  if (tools.length === 0 || tools.some(({ tool }) => tool.onlyReads)) return [];
  const names = tools.map(({ server, name }) => `${server}/${name}`);
  return [
    {
      kind: "read-only-leaves-nothing",
      at: ["effect"],
      wrong: `None of the tools it names is labelled as only reading, so none can be called: ${listed(names)}.`,
      mend: 'Label those that only read ("latticegate tools approve SERVER TOOL --read-only"), or deny them in words.',
    },
  ];
}
