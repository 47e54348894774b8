/** What is asked of the thread that works on drafts, and what it answers. */
import type { RefusalCode } from "../../kernel/refusal.ts";
import type { CheckedDraft, DiffOrder, ReplayedDraft, TriedFile } from "./drafts.ts";
import type { Explained, ExplainOrder } from "./explain-asked.ts";

/** The rules as they are written, and whether those are the ones in force. */
export interface SourceAnswer {
  readonly kind: "config" | "file" | "bundle";
  /** Its name alone. */
  readonly file: string | null;
  readonly text: string;
  /** SHA-256 over the rules as JSON. */
  readonly digest: string;
}

/** By kind, what is ordered and what comes of it. */
export interface DraftWork {
  readonly source: readonly [order: object, answer: SourceAnswer];
  readonly check: readonly [order: { readonly text: string }, answer: CheckedDraft];
  readonly test: readonly [
    order: { readonly text: string; readonly cases?: string },
    answer: readonly TriedFile[],
  ];
  readonly diff: readonly [order: DiffOrder, answer: ReplayedDraft];
  readonly explain: readonly [order: ExplainOrder, answer: Explained];
  readonly patch: readonly [
    order: { readonly text: string },
    answer: { readonly file: string | null; readonly patch: string },
  ];
}

export type DraftKind = keyof DraftWork;

export interface DraftMessage<K extends DraftKind = DraftKind> {
  readonly kind: K;
  readonly order: DraftWork[K][0];
}

export type DraftAnswer =
  | { readonly kind: "done"; readonly answer: DraftWork[DraftKind][1] }
  | { readonly kind: "refusal"; readonly code: RefusalCode; readonly message: string }
  | { readonly kind: "fault"; readonly stack: string };
