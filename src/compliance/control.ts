/** What a framework asks for, and what of this deployment's own log and tests would show that it is so. */
import type { EvidenceName } from "./evidence.ts";
import type { TestName } from "./tests.ts";

export interface Framework {
  /** As `--framework` takes it. */
  readonly name: string;
  readonly title: string;
  /** Where the framework's own words are; those here are ours. */
  readonly source: string;
  /** What its reader should know of this mapping. */
  readonly note?: string;
  readonly controls: readonly Control[];
}

export interface Control {
  readonly id: string;
  readonly title: string;
  /** In one sentence. */
  readonly asks: string;
  /** Of a framework with levels. */
  readonly grade?: Grade;
  readonly shownBy: ShownBy;
}

/** Where a control stands in a framework with levels in several dimensions. */
export interface Grade {
  readonly dimension: string;
  readonly level: Level;
  /** What only should be doesn't keep a dimension from its level. */
  readonly binding: "must" | "should";
}

export type Level = 1 | 2 | 3 | 4;

export interface ShownBy {
  /** Each has to be in the log. */
  readonly events: readonly EvidenceName[];
  /** Each has to have passed here. */
  readonly tests?: readonly TestName[];
  /** None of these may be there since the gateway last started. */
  readonly against?: readonly EvidenceName[];
  /** What of it isn't done, whatever the log shows. */
  readonly lacks?: string;
  /** What of it neither an entry nor a test shows, though it is done. */
  readonly unproven?: string;
}

/** One control; `lacks` alone is what this product doesn't do at all. */
export function control(id: string, title: string, asks: string, shownBy: ShownBy): Control {
  return { id, title, asks, shownBy };
}
