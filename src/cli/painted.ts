/** What commands print, with verdicts, levels and headings in colour where the stream shows it; the same text without. */
import { coloured, type Style } from "../host/colour.ts";

/** Words that say how something stands. */
const words = {
  good: "allow, allowed, approved, consistent, counts, enforce, holds, hybrid, intact, issuing, met, ok, one history, passed, pinned, proven, signs, valid",
  bad: "blocked, broken, changed, critical, cut, denied, deny, error, expired, failed, forked, high, incident, not proven, not to be trusted, NOT MET, none, refused, removed, reordered, revoked, rolled back, split view, STOPPED, torn, unproven, void, weak, wrong, WRONG",
  waits:
    "announced, classical, deferred, deprecated, downgradable, dry_run, held, hold, medium, missing, new, no evidence, Not yet, open, open incident, unknown, waiting, warn",
} as const;

const styles: ReadonlyMap<string, Style> = new Map(
  (["good", "bad", "waits"] as const).flatMap((style) =>
    words[style].split(", ").map((word) => [word, style] as const),
  ),
);

/** Where a word is a cell, or begins one: at the line's beginning, behind two blanks, or as a decision or what becomes of one. */
const cell = new RegExp(
  `(?<=^[ \\t]*|[ \\t]{2}|^Decision: |-> )(${[...styles.keys()].join("|")})(?=$|[:,.]|[ \\t]{2}| \\(| by )`,
  "gm",
);

/** Titles stand alone in their line, with a capital and without the end of a sentence. */
const title = /^[A-Z][\w ,()-]{0,70}$/gm;

/** @param text one line or several */
export function painted(text: string, stream: NodeJS.WriteStream): string {
  return text
    .replace(title, (line) => (line.includes("  ") ? line : coloured("title", line, stream)))
    .replace(cell, (word) => coloured(styles.get(word) ?? "title", word, stream));
}

/** @param text begins with the command that complains */
export function paintedComplaint(text: string, stream: NodeJS.WriteStream): string {
  return text.replace(/^latticegate[\w -]*:/, (command) => coloured("bad", command, stream));
}
