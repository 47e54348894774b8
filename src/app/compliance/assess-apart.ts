/** Asks a thread of its own for a report: a running gateway goes on with its calls meanwhile. */
import path from "node:path";

import type { Report } from "../../compliance/report.ts";
import { askThread } from "../thread.ts";
import type { ReportForm } from "./signed-report.ts";

export interface AssessOrder {
  /** The config file of the gateway. */
  readonly file: string;
  /** Who asks, as the audit log names who acts. */
  readonly by: string;
  readonly frameworks: readonly string[];
  readonly hasTests: boolean;
  /** The signed file instead of the report. */
  readonly form?: ReportForm;
}

export type AssessAnswer =
  | { readonly kind: "report"; readonly report: Report }
  | { readonly kind: "file"; readonly text: string };

/** The index of a log of millions of entries that is made for the first time takes the longest. */
const longestMs = 120_000;

/** @throws Refusal as `assess` does, and `busy` if it takes too long */
export function assessApart(order: AssessOrder): Promise<AssessAnswer> {
  const program = new URL(`assess-worker${path.extname(import.meta.filename)}`, import.meta.url);
  const tooLong = "The assessment takes too long; run `latticegate assess`.";
  return askThread<AssessAnswer>(program, order, { longestMs, tooLong });
}
