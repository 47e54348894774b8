/** What a journal says when it can't write. */
import { Refusal } from "../../kernel/refusal.ts";
import { systemCode } from "./log-folder.ts";

export function closedRefusal(): Refusal {
  return new Refusal("journal_unavailable", "The audit log is closed; this process is stopping.");
}

export function unavailable(cause: unknown): Refusal {
  if (cause instanceof Refusal) return cause;
  const text = `The audit log cannot be written (${codeOf(cause)}); calls are refused until it can.`;
  return new Refusal("journal_unavailable", text, { cause });
}

/** Entries are on disk without it; calls are refused when too many have no head. */
export function headUnavailable(cause: unknown): Refusal {
  const text = `The audit log's head cannot be written (${codeOf(cause)}); it falls behind until it can.`;
  return new Refusal("journal_unavailable", text, { cause });
}

/** The kernel drops what it couldn't write and reports that once: whatever comes after might stand on a hole. */
export function stoppedRefusal(cause: unknown): Refusal {
  if (cause instanceof Refusal) return cause;
  const text = `The disk didn't keep what the audit log wrote (${codeOf(cause)}); calls are refused until the gateway is started again on a disk that does.`;
  return new Refusal("journal_unavailable", text, { cause });
}

/** The same in class `process`, which promises nothing about a loss of power: calls go on for a while. */
export function headsStoppedRefusal(cause: unknown): Refusal {
  if (cause instanceof Refusal) return cause;
  const text = `The disk didn't keep what the audit log wrote (${codeOf(cause)}); calls go on, but no head is signed until the gateway is started again on a disk that does.`;
  return new Refusal("journal_unavailable", text, { cause });
}

function codeOf(cause: unknown): string {
  return systemCode(cause) ?? "error";
}
