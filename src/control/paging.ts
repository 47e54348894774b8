/** Long lists in pages: `?limit=50&cursor=…`, each page naming the cursor of the next one. */
import { z } from "zod";

import { Refusal } from "../kernel/refusal.ts";

const maxItems = 500;

/** For a route's query. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(maxItems).default(50),
  /** From `next` of the page before. */
  cursor: z.string().max(512).exactOptional(),
};

/** Of a route's answer. */
export function pageOf<T extends z.ZodType>(
  item: T,
): z.ZodObject<{ items: z.ZodArray<T>; next: z.ZodNullable<z.ZodString> }> {
  return z.object({ items: z.array(item), next: z.string().nullable() });
}

export interface PageAsked {
  readonly limit: number;
  readonly cursor?: string;
}

/**
 * @param items all of them, in the order in which they're shown
 * @param keyOf what names an item for good, so that pages stay whole while items come and go
 * @throws Refusal `bad_message` for a cursor whose item is gone
 */
export function page<T>(
  items: readonly T[],
  { limit, cursor }: PageAsked,
  keyOf: (item: T) => string,
): { readonly items: T[]; readonly next: string | null } {
  const after = cursor === undefined ? -1 : items.findIndex((item) => keyOf(item) === cursor);
  if (cursor !== undefined && after < 0)
    throw new Refusal("bad_message", "query, cursor: that page is gone; begin anew without a cursor.");
  const shown = items.slice(after + 1, after + 1 + limit);
  const last = shown.at(-1);
  const isLast = after + 1 + limit >= items.length;
  return { items: shown, next: isLast || last === undefined ? null : keyOf(last) };
}
