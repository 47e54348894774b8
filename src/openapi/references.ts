/** Following `$ref`s (RFC 6901 pointers into one document), a bounded number of steps far. */
import { isObject, type JsonObject, member } from "./values.ts";

/** Longer chains of references to references are circles. */
const maxHops = 32;

/** What a value says after its references; undefined if one leads nowhere, or round. */
export function resolved(root: JsonObject, value: unknown): JsonObject | undefined {
  let at = value;
  for (let hops = 0; hops < maxHops; hops++) {
    if (!isObject(at)) return undefined;
    const ref = member(at, "$ref");
    if (typeof ref !== "string") return at;
    at = pointed(root, ref);
  }
  return undefined;
}

function pointed(root: JsonObject, ref: string): unknown {
  if (!ref.startsWith("#")) return undefined;
  let at: unknown = root;
  for (const step of pointerSteps(ref.slice(1))) {
    if (Array.isArray(at)) at = /^\d{1,6}$/.test(step) ? (at as readonly unknown[])[Number(step)] : undefined;
    else at = member(at, step);
    if (at === undefined) return undefined;
  }
  return at;
}

function pointerSteps(pointer: string): readonly string[] {
  const steps = pointer.split("/").slice(1);
  return steps.map((step) => decoded(step).replaceAll("~1", "/").replaceAll("~0", "~"));
}

function decoded(step: string): string {
  try {
    return decodeURIComponent(step);
  } catch {
    return step;
  }
}
