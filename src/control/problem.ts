/** What the control API says when it doesn't: problem+json (RFC 9457). */
import { z } from "zod";

import { Refusal, refusalRow } from "../kernel/refusal.ts";

export const problemMediaType = "application/problem+json";

export const problemSchema = z.object({
  /** `about:blank`: the status says what kind it is. */
  type: z.literal("about:blank"),
  /** The status in words. */
  title: z.string(),
  status: z.int(),
  /** What is wrong, for people. */
  detail: z.string(),
  /** The same for programs. */
  code: z.string(),
});

export type Problem = z.output<typeof problemSchema>;

const titles: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  429: "Too Many Requests",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
};

export function problem(status: number, code: string, detail: string): Problem {
  return { type: "about:blank", title: titles[status] ?? "Error", status, detail, code };
}

/** Headers that go with a refusal: when to try again. */
export function headersOf(error: unknown): Readonly<Record<string, string>> {
  if (!(error instanceof Refusal)) return {};
  const { headers } = error;
  return Object.fromEntries(
    headers.flatMap((name, i) => (i % 2 === 0 ? [[name, headers[i + 1] ?? ""]] : [])),
  );
}

/** Operators' mistakes have codes of the gateway's own, which say nothing of HTTP. */
const ownStatus: Readonly<Record<string, number>> = { bad_state: 409, bad_config: 409 };

/** @returns undefined if it is no refusal but a fault */
export function problemOf(error: unknown): Problem | undefined {
  if (!(error instanceof Refusal)) return undefined;
  const { http } = refusalRow(error.code);
  return problem(ownStatus[error.code] ?? (http === 200 ? 400 : http), error.code, error.message);
}
