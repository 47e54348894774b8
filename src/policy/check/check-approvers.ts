/** Who may approve what a rule holds: names that nobody has, and fewer people than it takes. */
import { nearest } from "../../kernel/nearest.ts";
import { matcher } from "../patterns.ts";
import type { CheckedRule } from "./checked-rule.ts";
import { listed, type Remark } from "./finding.ts";
import type { Known } from "./known.ts";

export function checkApprovers({ rule: { approval } }: CheckedRule, known: Known): readonly Remark[] {
  if (approval === undefined) return [];
  const { approvers, from = [], mayApprove } = approval;
  const unknown = from.flatMap((pattern, index) => unknownRemark(pattern, index, known.approvers));
  if (unknown.length > 0) return unknown;
  const people = known.approvers?.filter((names) => mayApprove === undefined || names.some(mayApprove));
  // Where nobody is known, all are if each is named.
  const named =
    from.length > 0 && from.every((pattern) => !pattern.includes("*")) ? new Set(from).size : Infinity;
  const count = people?.length ?? named;
  if (count >= approvers) return [];
  return [
    {
      kind: "too-few-approvers",
      at: ["approval", "approvers"],
      wrong: `It takes ${approvers} different people to approve, and only ${count} may: no call ever passes.`,
      mend: "Ask for fewer, or name more of them: under `from`, and under `approvals.people` in the config.",
    },
  ];
}

function unknownRemark(pattern: string, index: number, approvers: Known["approvers"]): readonly Remark[] {
  const names = approvers?.flat();
  if (names === undefined || names.some(matcher([pattern]))) return [];
  const meant = nearest(pattern, names);
  return [
    {
      kind: "unknown-approver",
      at: ["approval", "from", index],
      wrong: `Nobody who may approve is named like "${pattern}"; there are ${listed(names)}.`,
      mend:
        meant === undefined
          ? "Add the person under `approvals.people` in the config, or name one that is there."
          : `Write ${meant} instead.`,
    },
  ];
}
