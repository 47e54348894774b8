/** Receipts verified in this browser: fetched, judged beside the page, against the keys this browser knows of the log. */
import { get, segment } from "../api.ts";
import { readReceipt, type ShownEntry } from "../model/audit.ts";
import type { GivenReceipt, ReceiptJudgement } from "./judge-receipt.ts";
import type { Judged } from "./worker.ts";

const pinPrefix = "latticegate-log-key ";

/** @throws Failed if the gateway doesn't give one, Error if it can't be judged */
export async function verifyCall(callId: string, event: string): Promise<ReceiptJudgement> {
  return await verifyGiven(
    await get(`/calls/${segment(callId)}/receipt?event=${segment(event)}`, readReceipt),
  );
}

/** @throws Error if it can't be judged */
export async function verifyGiven({ origin, ...given }: ShownEntry["receipt"]): Promise<ReceiptJudgement> {
  const key = pinPrefix + origin;
  const pinned = localStorage.getItem(key) ?? undefined;
  const judgement = await judgedBeside({ ...given, pinned });
  if (judgement.holds && pinned === undefined) localStorage.setItem(key, judgement.fingerprint);
  return judgement;
}

function judgedBeside(given: GivenReceipt): Promise<ReceiptJudgement> {
  const worker = new Worker(new URL("worker.ts", import.meta.url), { type: "module" });
  return new Promise<ReceiptJudgement>((resolve, reject) => {
    worker.addEventListener("message", ({ data }: MessageEvent<Judged>) => {
      if ("judgement" in data) resolve(data.judgement);
      else reject(new Error(`The receipt can't be judged: ${data.why}.`));
    });
    worker.addEventListener("error", () => reject(new Error("The receipt can't be judged here.")));
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker has no origin
    worker.postMessage(given);
  }).finally(() => worker.terminate());
}
