/** What a delegation covers: patterns of targets, and how they only ever become fewer. */
import type { Scope } from "../model/caller.ts";
import { isTarget, isWithin, matcher, serverPattern, targetMatcher } from "./patterns.ts";
import { type TargetKind, targetKindNames } from "./rules.ts";

/** Names of one delegation's patterns, all together: its credential must fit into a header. */
const maxScopePatterns = 64;
const maxPatternLength = 512;
/** RFC 6749 §3.3, scope-token: a credential says them in one text, parted by spaces. */
const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/** Whether a delegation of that scope covers the target; without one, anything of the server. */
export function covers(
  scope: Scope,
  server: string,
  target?: { readonly kind: TargetKind; readonly name: string },
): boolean {
  if (target !== undefined) return targetMatcher(scope[target.kind])(server, target.name);
  return matcher(patternsOf(scope).map(([, pattern]) => serverPattern(pattern)))(server);
}

/** What keeps `scope` from being one, in words; undefined if nothing does. */
export function whyNoScope(scope: Scope): string | undefined {
  const all = patternsOf(scope);
  if (all.length === 0) return "it covers nothing";
  if (all.length > maxScopePatterns) return `it has more than ${maxScopePatterns} patterns`;
  const wrong = all.find(
    ([, text]) => text.length > maxPatternLength || !isTarget(text) || !scopeToken.test(text),
  );
  return wrong && `"${wrong[1].slice(0, 80)}" isn't "server/name" without spaces and quotes, or "*" for all`;
}

/**
 * The first pattern of `inner` that isn't within a single pattern of `outer`; undefined if all are.
 * What only several patterns together cover isn't found to be covered: what can't be shown is refused.
 */
export function firstBeyond(inner: Scope, outer: Scope): string | undefined {
  const beyond = patternsOf(inner).find(
    ([kind, pattern]) => !outer[kind].some((each) => isWithin(pattern, each)),
  );
  return beyond && `${beyond[0]} ${beyond[1]}`;
}

function patternsOf(scope: Scope): readonly (readonly [TargetKind, string])[] {
  return targetKindNames.flatMap((kind) => scope[kind].map((pattern) => [kind, pattern] as const));
}
