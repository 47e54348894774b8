/** What a detector saw: never the text in which it saw it. */

export type Severity = "low" | "medium" | "high";

export interface Finding {
  /** Of the table of the detector that found it; part of the audit log, and of rules. */
  readonly kind: string;
  readonly severity: Severity;
  /** A path in what was looked at, such as `arguments.body` or `result.content.0.text`. */
  readonly at?: string;
  /** One sentence for people; values are masked. */
  readonly says: string;
}
