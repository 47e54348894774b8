/** How other readers read JSON that says something twice: the first counts or the last, with or without regard to case. */

/** A reader's choice among the members of an object. */
export type Pick = (members: readonly (readonly [string, unknown])[], wanted: string) => unknown;

export const picks: Readonly<Record<string, Pick>> = {
  "the first": (members, wanted) => members.find(([name]) => name === wanted)?.[1],
  "the last": (members, wanted) => members.findLast(([name]) => name === wanted)?.[1],
  "the first, whatever its case": (members, wanted) => members.find(([name]) => folded(name) === wanted)?.[1],
  "the last, whatever its case": (members, wanted) =>
    members.findLast(([name]) => folded(name) === wanted)?.[1],
};

function folded(name: string): string {
  return name.replaceAll("\u017F", "s").replaceAll("\u212A", "k").toLowerCase();
}

/** Members of an object in order, those that come twice included: each is renamed before it is parsed. */
function membersOf(text: string): readonly (readonly [string, unknown])[] {
  const members: (readonly [string, unknown])[] = [];
  let [depth, start, at] = [0, 1, 0];
  const take = (end: number): void => {
    const part = text.slice(start, end).trim();
    if (part === "") return;
    const key = /^\s*"(?:[^"\\]|\\.)*"/.exec(part)?.[0] ?? '""';
    members.push([JSON.parse(key) as string, part.slice(key.length).replace(/^\s*:/, "").trim()]);
  };
  for (; at < text.length; at++) {
    const unit = text[at];
    if (unit === '"') at = endOfString(text, at);
    else if (unit === "{" || unit === "[") depth += 1;
    else if (unit === "}" || unit === "]") depth -= 1;
    else if (unit === "," && depth === 1) {
      take(at);
      start = at + 1;
    }
  }
  take(text.lastIndexOf("}"));
  return members;
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; ; at++) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === '"' || at >= text.length) return at;
  }
}

/** The tool that a reader of that kind would run. */
export function toolRead(body: string, pick: Pick): unknown {
  const params = pick(membersOf(body.trim()), "params");
  if (typeof params !== "string" || !params.startsWith("{")) return undefined;
  const name = pick(membersOf(params), "name");
  return typeof name === "string" && name.startsWith('"') ? JSON.parse(name) : name;
}
