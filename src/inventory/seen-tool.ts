/** A tool's declaration as a server wrote it, read as far as anything is concluded from it. */
import type { SeenTool } from "./sighting.ts";

/** Of one tool's declaration, as JSON. */
const maxToolChars = 256 * 1024;
const maxDepth = 64;

/** @returns undefined for what has no name, is too long or too deep */
export function seenTool(value: unknown): SeenTool | undefined {
  if (typeof value !== "object" || value === null || !isShallow(value)) return undefined;
  const member = (name: string): unknown =>
    Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
  const name = member("name");
  if (typeof name !== "string" || JSON.stringify(value).length > maxToolChars) return undefined;
  const text = (key: string): Record<string, string> => {
    const found = member(key);
    return typeof found === "string" ? { [key]: found } : {};
  };
  const any = (key: string): Record<string, unknown> => {
    const found = member(key);
    return found === undefined ? {} : { [key]: found };
  };
  return {
    name,
    ...text("title"),
    ...text("description"),
    ...any("inputSchema"),
    ...any("outputSchema"),
    ...any("annotations"),
  };
}

/** INVARIANT: not recursive; what comes after it is. */
function isShallow(value: object): boolean {
  const waiting: { readonly value: unknown; readonly depth: number }[] = [{ value, depth: 0 }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (typeof next.value !== "object" || next.value === null) continue;
    if (next.depth > maxDepth) return false;
    for (const child of Object.values(next.value)) waiting.push({ value: child, depth: next.depth + 1 });
  }
  return true;
}
