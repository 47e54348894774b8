/** `_meta` of parsed params and results (MCP 2026-07-28 basic, _meta): other members stay, what is given is never changed. */

type Members = Readonly<Record<string, unknown>>;

/** The member of `_meta`; undefined if it, `_meta` or the holder isn't there. */
export function metaMember(holder: unknown, name: string): unknown {
  const meta = isObject(holder) && Object.hasOwn(holder, "_meta") ? holder["_meta"] : undefined;
  return isObject(meta) && Object.hasOwn(meta, name) ? meta[name] : undefined;
}

/** A copy of params or a result whose `_meta` has the member, or has it replaced. */
export function withMetaMember<T extends object>(
  holder: T,
  name: string,
  value: unknown,
): T & { readonly _meta: Members } {
  const meta = "_meta" in holder && isObject(holder._meta) ? holder._meta : {};
  return { ...holder, _meta: { ...meta, [name]: value } };
}

function isObject(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
