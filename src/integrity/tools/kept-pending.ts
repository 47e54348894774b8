/**
 * What is kept of the tools that wait, within bounds. INVARIANT: no list that a server sends unblocks a tool: verdicts
 * on what is pinned or was rolled back always stay, and what else is forgotten is remembered to have been so.
 */
import type { ContentHash } from "./content-hash.ts";
import type { PendingTool, ToolPins } from "./tool-pins.ts";

/** Tools that wait: of those that nobody ever approved the oldest are forgotten, and found again when listed. */
const maxPending = 2000;
/** Characters of their names and declarations. */
const maxPendingText = 8 * 1024 * 1024;

export interface KeptPending {
  readonly pending: ReadonlyMap<string, PendingTool>;
  /** Of verdicts that stay without what they are about, until it is listed again. */
  readonly forgottenForms: ReadonlySet<ContentHash>;
  readonly hasForgotten: boolean;
}

/** @param pins their `pending` is oldest first */
export function keptPending({ pinned, pending, forms }: ToolPins): KeptPending {
  const lengthOf = ({ contentHash = "" }: PendingTool): number => forms.get(contentHash)?.length ?? 0;
  const newestFirst = [...pending].toReversed();
  const [always, others] = [
    newestFirst.filter(([name, { reasons }]) => pinned.has(name) || reasons.includes("rolled-back")),
    newestFirst.filter(([name, { reasons }]) => !pinned.has(name) && !reasons.includes("rolled-back")),
  ];
  const kept = new Set(always.map(([name]) => name));
  const forgottenForms = new Set<ContentHash>();
  let text = 0;
  for (const [, tool] of always) {
    const length = lengthOf(tool);
    if (text + length <= maxPendingText) text += length;
    else if (tool.contentHash !== undefined) forgottenForms.add(tool.contentHash);
  }
  for (const [name, tool] of others) {
    text += name.length + lengthOf(tool);
    if (text > maxPendingText || kept.size >= maxPending) break;
    kept.add(name);
  }
  return {
    pending: new Map([...pending].filter(([name]) => kept.has(name))),
    forgottenForms,
    hasForgotten: kept.size < pending.size,
  };
}
