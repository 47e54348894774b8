/** What the scopes of an access token are good for. They narrow what the rules allow, and never widen it. */
import type { Question } from "./decide.ts";
import { matcher, serverPattern, targetMatcher } from "./patterns.ts";

export interface TokenScope {
  readonly name: string;
  readonly covers: (question: Pick<Question, "server" | "target">) => boolean;
}

/** @param documents by the scope's name, the tools, resources and prompts it is good for, as rules name them */
export function compileScopes(documents: Readonly<Record<string, readonly string[]>>): readonly TokenScope[] {
  return Object.entries(documents).map(([name, targets]) => {
    const covers = targetMatcher(targets);
    const namesServer = matcher(targets.map(serverPattern));
    return {
      name,
      covers: ({ server, target }) =>
        target === undefined ? namesServer(server) : covers(server, target.name),
    };
  });
}

/**
 * The scopes a client is to ask for if what it was granted doesn't cover what it asks: those of ours that it has, so
 * that it loses none, and the first in the operator's order that covers it; none if none does. Undefined if it is covered.
 */
export function missingScopes(
  scopes: readonly TokenScope[],
  granted: readonly string[],
  question: Pick<Question, "server" | "target">,
): readonly string[] | undefined {
  const held = scopes.filter(({ name }) => granted.includes(name));
  if (held.some((scope) => scope.covers(question))) return undefined;
  const first = scopes.find((scope) => scope.covers(question));
  return first === undefined ? [] : [...held, first].map(({ name }) => name);
}
