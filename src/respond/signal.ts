/** Something that may have to be answered: what was seen, of whom, and how much it is worth as evidence. */
import type { Scope } from "./restriction.ts";

export interface Signal {
  /**
   * `risk.call`, `risk.session`; `finding KIND` in a call, `answer KIND` in what came back, `flow KIND` on a link;
   * `regression`, `drift`, `egress`, `denied`, `refused` (for another reason than a rule), `rate`.
   */
  readonly kind: string;
  /** From 0 to 1. */
  readonly score: number;
  /** Seen by a rule that is always right about what it says; a model's is only likely. */
  readonly isHard: boolean;
  /**
   * `proven`: of whoever proved to be who it is; `manifest`: a publisher's signed word, or a pin; `unproven`: anybody
   * could have made it. INVARIANT: on unproven evidence nothing is done beyond the connection it came on.
   */
  readonly evidence: "proven" | "manifest" | "unproven";
  /** Whom and what it is about, as far as it is known. */
  readonly about: Scope;
  /** For whom its caller asked, who began first; none if absent. */
  readonly chain?: readonly string[];
  /** In whose answer what is done now was found: `server/tool`. */
  readonly source?: string;
  /** Of `denied`: the rule that refused it; of `refused`: the reason; of `regression`: `refuse` or `flag`, what became of the link. */
  readonly rule?: string;
  /** One sentence for people; values are masked. */
  readonly says: string;
  /** Of the entry it stands in. */
  readonly callId: string;
  readonly atUnixMs: number;
}
