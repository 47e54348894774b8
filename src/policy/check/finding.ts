/** What is wrong with a set of rules, in words that say how to mend it. */

/** Each kind of mistake, and whether it makes a rule do something else than it says (`error`) or only looks odd. */
export const findingKinds = {
  "bad-rule": "error",
  "duplicate-name": "error",
  "bad-condition": "error",
  "intent-in-allow": "error",
  "condition-never-true": "error",
  "condition-always-true": "warning",
  "condition-always-errs": "error",
  "out-of-range": "error",
  "unknown-group": "error",
  "unknown-network": "error",
  "unknown-label": "error",
  "unknown-argument": "error",
  "bad-argument": "error",
  "argument-elsewhere": "warning",
  "unknown-server": "error",
  "virtual-server": "error",
  "unknown-tool": "error",
  "no-tool-matches": "warning",
  "unknown-method": "error",
  "link-never-matches": "error",
  "impossible-caller": "error",
  "foreign-trust-domain": "error",
  "unknown-issuer": "error",
  "unknown-approver": "error",
  "too-few-approvers": "error",
  "pointer-leads-nowhere": "error",
  "read-only-leaves-nothing": "warning",
  "shadowed-rule": "warning",
  "idle-deny": "warning",
  "duplicate-rule": "warning",
  "unreachable-tool": "warning",
  "open-to-all": "warning",
} as const satisfies Readonly<Record<string, "error" | "warning">>;

export type FindingKind = keyof typeof findingKinds;
type Severity = (typeof findingKinds)[FindingKind];

export interface Finding {
  readonly severity: Severity;
  readonly kind: FindingKind;
  /** The rule's name; null where it is about all of them. */
  readonly rule: string | null;
  /** Which of the list, from 0; absent where it is about all of them. */
  readonly index?: number;
  /** The member of the rule it is about, and within it. */
  readonly at: readonly (string | number)[];
  /** Within a condition; both count from 1. */
  readonly place?: { readonly line: number; readonly column: number };
  /** A sentence of what is wrong. */
  readonly wrong: string;
  /** A sentence of how to mend it. */
  readonly mend: string;
}

/** What a check says of one rule; the rule itself is added by who asked. */
export type Remark = Pick<Finding, "kind" | "at" | "wrong" | "mend"> & Partial<Pick<Finding, "place">>;

export function findingOf(
  remark: Remark,
  about?: { readonly rule: string; readonly index: number },
): Finding {
  return {
    severity: findingKinds[remark.kind],
    rule: about?.rule ?? null,
    ...(about && { index: about.index }),
    ...remark,
  };
}

/** More names than that in a sentence tell nobody anything. */
const maxNamed = 6;

/** `"a", "b" and 3 more`. */
export function listed(names: readonly string[], most = maxNamed): string {
  const shown = names.slice(0, most).map((name) => JSON.stringify(name));
  const more = names.length - shown.length;
  return more > 0 ? `${shown.join(", ")} and ${more} more` : shown.join(", ");
}
