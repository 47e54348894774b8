/** Signals that a person has said are known and harmless: of one kind, at one place, for a while, with a reason. */
import type { Signal } from "../signal.ts";
import { targetOf } from "./incident.ts";

export interface Suppression {
  readonly id: string;
  /** A signal's kind, exactly. */
  readonly kind: string;
  /** What is named has to be so; something is named. INVARIANT: exact, never patterns. */
  readonly caller?: string;
  /** `server/tool` */
  readonly tool?: string;
  /** `server/tool` in whose answer it was found. */
  readonly source?: string;
  readonly untilUnixMs: number;
  readonly because: string;
  /** `operator:NAME` */
  readonly by: string;
  readonly sinceUnixMs: number;
}

/** A person looks at it again after that. */
const longestSuppressionMs = 90 * 86_400_000;

/** What is never suppressed: what a rule saw that means harm wherever it is seen. */
const neverSuppressed = [
  "drift",
  "egress",
  "signature",
  "log",
  "identity",
  "rate",
  "tool hidden-text",
  "finding hidden.characters",
  "answer hidden.characters",
  "finding destructive",
] as const;

export function maySuppress(kind: string): boolean {
  return neverSuppressed.every((each) => each !== kind);
}

/** Why it can't be; undefined if it can. */
export function whyNoSuppression(
  asked: Omit<Suppression, "id" | "sinceUnixMs">,
  nowUnixMs: number,
): string | undefined {
  const { kind, caller, tool, source, untilUnixMs, because } = asked;
  if (!maySuppress(kind)) return `signals of the kind "${kind}" are never suppressed`;
  if (kind === "" || kind.includes("*")) return "it takes one kind of signal, without *";
  if (caller === undefined && tool === undefined && source === undefined)
    return "it has to name a caller, a tool or a source";
  if ([caller, tool, source].some((name) => name?.includes("*") === true || name === ""))
    return "names are exact, without *";
  if (because.trim() === "") return "it takes a reason";
  if (!(untilUnixMs > nowUnixMs)) return "its time would be over already";
  if (untilUnixMs > nowUnixMs + longestSuppressionMs) return "it lasts 90 days at most";
  return undefined;
}

/**
 * Whether one of them is about this signal, and which.
 * @param isDestructive of a call that can't be undone: of that nothing is suppressed
 */
export function suppressionOf(
  signal: Signal,
  all: readonly Suppression[],
  { isDestructive, nowUnixMs }: { readonly isDestructive: boolean; readonly nowUnixMs: number },
): Suppression | undefined {
  if (isDestructive) return undefined;
  const target = targetOf(signal);
  return all.find(
    ({ kind, caller, tool, source, untilUnixMs }) =>
      kind === signal.kind &&
      nowUnixMs < untilUnixMs &&
      (caller === undefined || caller === signal.about.caller) &&
      (tool === undefined || tool === target) &&
      (source === undefined || source === signal.source),
  );
}
