/** Holds a deployment against frameworks in a thread of its own, so that calls don't wait for what is read and signed. */
import { workerData } from "node:worker_threads";

import { systemClock } from "../../host/system.ts";
import { loadConfig } from "../config.ts";
import { answerThread } from "../thread.ts";
import { assess } from "./assess.ts";
import type { AssessAnswer, AssessOrder } from "./assess-apart.ts";
import { signReport } from "./signed-report.ts";

await answerThread(() => answered(workerData as AssessOrder));

async function answered({ file, by, frameworks, hasTests, form }: AssessOrder): Promise<AssessAnswer> {
  const config = loadConfig(file);
  const report = await assess({ config, clock: systemClock, by, frameworks, hasTests });
  if (form === undefined) return { kind: "report", report };
  return { kind: "file", text: (await signReport(config, report, form)).text };
}
