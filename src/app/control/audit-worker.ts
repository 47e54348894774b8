/** Work on the audit log in a thread of its own. */
import { workerData } from "node:worker_threads";

import { answerThread } from "../thread.ts";
import { type AuditOrder, auditWork } from "./audit-work.ts";

await answerThread(() => auditWork(workerData as AuditOrder));
