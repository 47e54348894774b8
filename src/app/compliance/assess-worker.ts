/** Holds a deployment against frameworks in a thread of its own, so that calls don't wait for what is read and signed. */
import { parentPort, workerData } from "node:worker_threads";

import { Refusal } from "../../kernel/refusal.ts";
import { systemClock } from "../../host/system.ts";
import { loadConfig } from "../config.ts";
import { assess } from "./assess.ts";
import type { AssessAnswer, AssessOrder } from "./assess-apart.ts";
import { signReport } from "./signed-report.ts";

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
parentPort?.postMessage(await answered(workerData as AssessOrder));

async function answered({ file, by, frameworks, hasTests, form }: AssessOrder): Promise<AssessAnswer> {
  try {
    const config = loadConfig(file);
    const report = await assess({ config, clock: systemClock, by, frameworks, hasTests });
    if (form === undefined) return { kind: "report", report };
    return { kind: "file", text: (await signReport(config, report, form)).text };
  } catch (error) {
    if (error instanceof Refusal) return { kind: "refusal", code: error.code, message: error.message };
    throw error;
  }
}
