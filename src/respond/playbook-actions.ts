/** What steps of playbooks can do: what lasts, and what is done once. */
import { type RestrictionKind, restrictionKinds } from "./restriction.ts";

export const playbookActions = restrictionKinds;
export type PlaybookAction = (typeof playbookActions)[number];

/** Those that leave nothing that ends. */
export const momentaryActions: ReadonlySet<PlaybookAction> = new Set<PlaybookAction>();

export function isLasting(action: PlaybookAction): action is RestrictionKind {
  return !momentaryActions.has(action);
}
