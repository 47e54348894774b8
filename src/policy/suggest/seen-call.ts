/** A call that was seen, as far as a policy can be drafted from it and judged against it. */
import type { TargetKind } from "../rules.ts";

export interface SeenCall {
  /** By which the audit log has it. */
  readonly id: string;
  readonly atUnixMs: number;
  readonly caller: string;
  /** On behalf of whom, who began first. */
  readonly chain: readonly string[];
  readonly server: string;
  readonly kind: TargetKind;
  /** The tool, the resource's URI or the prompt. */
  readonly name: string;
  /** As parsed from JSON. */
  readonly args: Readonly<Record<string, unknown>>;
  /** Its answer said that it failed. */
  readonly failed: boolean;
}
