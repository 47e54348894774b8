/** When to ask the gateway again, and what to show until it answers. */

export type Link =
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  /** The token is of another start. */
  | { readonly kind: "expired" }
  | { readonly kind: "unreachable"; readonly failures: number };

export type Answered = "ok" | "unauthorized" | "failed";

const everyMs = 2000;
const slowestMs = 30_000;

export function nextLink(link: Link, answered: Answered): Link {
  if (answered === "ok") return { kind: "live" };
  if (answered === "unauthorized") return { kind: "expired" };
  return { kind: "unreachable", failures: link.kind === "unreachable" ? link.failures + 1 : 1 };
}

/** Undefined: not again, since nothing but a new link helps. */
export function nextDelayMs(link: Link): number | undefined {
  if (link.kind === "expired") return undefined;
  if (link.kind !== "unreachable") return everyMs;
  return Math.min(everyMs * 2 ** (link.failures - 1), slowestMs);
}
