/** Lines by name, so many at most in all and for one caller; those in which nothing counts any more make way. */
import { type Kept, type Line, lineOf } from "./line.ts";

export interface LineBook {
  readonly at: (key: string) => Line | undefined;
  /**
   * The lines of these names, those that are new made for that owner.
   * @returns undefined if there are too many
   */
  readonly open: (
    wanted: ReadonlyMap<string, Kept>,
    owner: string,
    nowUnixMs: number,
  ) => readonly Line[] | undefined;
  /** Those of them that are there. */
  readonly opened: (wanted: ReadonlyMap<string, Kept>) => readonly Line[];
  readonly drop: (isGone: (key: string, owner: string) => boolean) => void;
}

/** To look through all of them takes a while, and who is at his bound asks again and again. */
const lookEveryMs = 10_000;
/** Callers, sessions and tools that are remembered at once, in all and for one caller. */
const most = { lines: 200_000, ofOwner: 5000 } as const;

export function lineBook(limits: { readonly lines: number; readonly ofOwner: number } = most): LineBook {
  const lines = new Map<string, Line>();
  const counts = new Map<string, number>();
  let lookedUnixMs = Number.NEGATIVE_INFINITY;

  const count = (owner: string, by: number): void => {
    const now = (counts.get(owner) ?? 0) + by;
    if (now > 0) counts.set(owner, now);
    else counts.delete(owner);
  };
  const drop: LineBook["drop"] = (isGone) => {
    for (const [key, { owner }] of lines) {
      if (!isGone(key, owner)) continue;
      lines.delete(key);
      count(owner, -1);
    }
  };
  const isFull = (owner: string, more: number): boolean =>
    lines.size + more > limits.lines || (counts.get(owner) ?? 0) + more > limits.ofOwner;

  return {
    at: (key) => lines.get(key),
    drop,
    opened: (wanted) => [...wanted.keys()].flatMap((key) => lines.get(key) ?? []),
    open: (wanted, owner, nowUnixMs) => {
      const more = wanted
        .keys()
        .filter((key) => !lines.has(key))
        .toArray().length;
      if (more > 0 && isFull(owner, more) && nowUnixMs - lookedUnixMs >= lookEveryMs) {
        lookedUnixMs = nowUnixMs;
        drop((key) => lines.get(key)?.isOver(nowUnixMs) === true);
      }
      if (more > 0 && isFull(owner, more)) return undefined;
      return [...wanted].map(([key, kept]) => {
        const known = lines.get(key);
        if (known !== undefined) return known;
        const line = lineOf(owner, kept);
        lines.set(key, line);
        count(owner, 1);
        return line;
      });
    },
  };
}
