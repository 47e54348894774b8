/** Log levels (RFC 5424 §6.2.1), which a legacy session has and modern requests say. */
import { fromUtf8 } from "../kernel/bytes.ts";
import type { RequestFrame } from "../wire/frame.ts";

/** What a session logs whose client has set nothing. */
export const firstLevel = "info";

const levels: ReadonlySet<unknown> = new Set([
  "debug",
  "info",
  "notice",
  "warning",
  "error",
  "critical",
  "alert",
  "emergency",
]);

/** The level that `logging/setLevel` asks for; undefined if it is none. */
export function askedLevel({ bytes, params }: RequestFrame): string | undefined {
  const text = params && fromUtf8(bytes.subarray(params.span.start, params.span.end));
  if (text === undefined) return undefined;
  const { level } = JSON.parse(text) as { readonly level?: unknown };
  return typeof level === "string" && levels.has(level) ? level : undefined;
}
