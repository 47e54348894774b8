/** Whether two patterns have a text in common, and whether one lies within another; `*` is any run of characters. */
import { isWithin, matcher, namePattern, serverPattern } from "../patterns.ts";

/**
 * Whether some text matches both. Exact: where both have a star, the longer beginning, all that stands between the
 * stars of both, and the longer end make up such a text if the beginnings and the ends agree.
 */
export function overlaps(one: string, other: string): boolean {
  if (!one.includes("*")) return matcher([other])(one);
  if (!other.includes("*")) return matcher([one])(other);
  const [first, second] = [endsOf(one), endsOf(other)];
  const beginsAlike = first.begin.startsWith(second.begin) || second.begin.startsWith(first.begin);
  return beginsAlike && (first.end.endsWith(second.end) || second.end.endsWith(first.end));
}

/** Of `server/name` targets. */
export function targetsOverlap(one: string, other: string): boolean {
  return overlaps(serverPattern(one), serverPattern(other)) && overlaps(namePattern(one), namePattern(other));
}

/** Whether each text that one of `inner` matches is matched by one of `outer`; it may be so and not be seen. */
export function allWithin(inner: readonly string[], outer: readonly string[]): boolean {
  return inner.every((pattern) => outer.some((other) => matcher([other])(pattern)));
}

/** Of `server/name` targets. */
export function targetsWithin(inner: readonly string[], outer: readonly string[]): boolean {
  return inner.every((pattern) => outer.some((other) => isWithin(pattern, other)));
}

function endsOf(pattern: string): { readonly begin: string; readonly end: string } {
  return {
    begin: pattern.slice(0, pattern.indexOf("*")),
    end: pattern.slice(pattern.lastIndexOf("*") + 1),
  };
}
