/** Receipts verified in this browser: fetched, judged beside the page, against the keys this browser knows of the log. */
import { get, segment } from "../api.ts";
import { readReceipt, type ShownEntry } from "../model/audit.ts";
import type { GivenReceipt, ReceiptJudgement, Shown } from "./judge-receipt.ts";
import type { Judged } from "./worker.ts";

const pinPrefix = "latticegate-log-key ";

/** @throws Failed if the gateway doesn't give one, Error if it can't be judged */
export async function verifyCall(callId: string, event: string): Promise<ReceiptJudgement> {
  const given = await get(`/calls/${segment(callId)}/receipt?event=${segment(event)}`, readReceipt);
  return await verifyGiven(given, { callId, event });
}

/** @throws Error if it can't be judged */
export async function verifyGiven(given: ShownEntry["receipt"], shown: Shown): Promise<ReceiptJudgement> {
  const key = pinPrefix + given.origin;
  // A gateway has one log: another name of it is no way around the keys that are known.
  const pinned = localStorage.getItem(key) ?? pins().map((name) => localStorage.getItem(name) ?? "")[0];
  const judgement = await judgedBeside({ ...given, pinned, shown });
  if (judgement.holds && pinned === undefined) localStorage.setItem(key, judgement.fingerprint);
  return judgement;
}

/** A person has looked into it: the keys that are shown next are taken for the log's. */
export function forgetLogKeys(): void {
  for (const name of pins()) localStorage.removeItem(name);
}

function pins(): readonly string[] {
  return Object.keys(localStorage).filter((name) => name.startsWith(pinPrefix));
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
