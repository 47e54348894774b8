/** Patterns of names and of `server/name` targets, ready to match; and whether one pattern lies within another. */

export type Matcher = (text: string) => boolean;

export function matcher(patterns: readonly string[]): Matcher {
  const exact = new Set(patterns.filter((text) => !text.includes("*")));
  const globs = patterns.filter((text) => text.includes("*")).map(glob);
  return (text) => exact.has(text) || globs.some((matches) => matches(text));
}

/** INVARIANT: a star never reaches across the slash, so a rule that names a server is about that server alone. */
export function targetMatcher(targets: readonly string[]): (server: string, name: string) => boolean {
  const exact = new Set(targets.filter((text) => !text.includes("*")));
  const globs = targets
    .filter((text) => text.includes("*"))
    .map((text) => ({ server: glob(serverPattern(text)), name: glob(namePattern(text)) }));
  return (server, name) =>
    exact.has(`${server}/${name}`) || globs.some((each) => each.server(server) && each.name(name));
}

/** Whether a text can be a target: `server/name`, or `*` for all. */
export function isTarget(text: string): boolean {
  return text === "*" || text.includes("/");
}

/**
 * Whether every target that `inner` matches is matched by `outer`.
 *
 * The outer pattern is matched against the inner one's text: its fixed parts hold no star, so what stands there as
 * a star can only be taken in by a star, which takes in all that the inner one stands for.
 */
export function isWithin(inner: string, outer: string): boolean {
  return glob(serverPattern(outer))(serverPattern(inner)) && glob(namePattern(outer))(namePattern(inner));
}

/** The name part of `server/name`. */
export function namePattern(target: string): string {
  const slash = target.indexOf("/");
  return slash === -1 ? "*" : target.slice(slash + 1);
}

/** The server part of `server/name`. */
export function serverPattern(target: string): string {
  const slash = target.indexOf("/");
  return slash === -1 ? target : target.slice(0, slash);
}

/** "*" is any run of characters. Linear: no backtracking, whatever the text. */
function glob(pattern: string): Matcher {
  const pieces = pattern.split("*");
  if (pieces.length === 1) return (text) => text === pattern;
  const first = pieces[0] ?? "";
  const last = pieces.at(-1) ?? "";
  const middle = pieces.slice(1, -1);
  return (text) => {
    if (!text.startsWith(first) || !text.endsWith(last)) return false;
    let at = first.length;
    const end = text.length - last.length;
    for (const piece of middle) {
      const found = text.indexOf(piece, at);
      if (found === -1) return false;
      at = found + piece.length;
    }
    return at <= end;
  };
}
