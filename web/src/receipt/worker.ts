/** Verifies beside the page, so that the page stays awake. */
import { type GivenReceipt, judgeReceipt, type ReceiptJudgement } from "./judge-receipt.ts";

export type Judged = { readonly judgement: ReceiptJudgement } | { readonly why: string };

addEventListener("message", ({ data }: MessageEvent<GivenReceipt>) => postMessage(judged(data)));

function judged(given: GivenReceipt): Judged {
  try {
    return { judgement: judgeReceipt(given) };
  } catch (error) {
    return { why: error instanceof Error ? error.message : "it can't be read" };
  }
}
