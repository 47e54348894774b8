/** Asks a thread of its own for a report: a running gateway goes on with its calls meanwhile. */
import { once } from "node:events";
import path from "node:path";
import { Worker } from "node:worker_threads";

import type { Report } from "../../compliance/report.ts";
import { Refusal, type RefusalCode } from "../../kernel/refusal.ts";
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
  | { readonly kind: "file"; readonly text: string }
  | { readonly kind: "refusal"; readonly code: RefusalCode; readonly message: string };

/** The index of a log of millions of entries that is made for the first time takes the longest. */
const longestMs = 120_000;

/** @throws Refusal as `assess` does, and `busy` if it takes too long */
export async function assessApart(order: AssessOrder): Promise<Exclude<AssessAnswer, { kind: "refusal" }>> {
  const program = new URL(`assess-worker${path.extname(import.meta.filename)}`, import.meta.url);
  const worker = new Worker(program, { workerData: order });
  try {
    const signal = AbortSignal.timeout(longestMs);
    const [answer] = (await once(worker, "message", { signal })) as [AssessAnswer];
    if (answer.kind === "refusal") throw new Refusal(answer.code, answer.message);
    return answer;
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "AbortError") throw error;
    throw new Refusal("busy", "The assessment takes too long; run `latticegate assess`.", { cause: error });
  } finally {
    await worker.terminate();
  }
}
