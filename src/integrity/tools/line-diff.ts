/** The difference of two texts in lines: a longest common subsequence, with a little of what stayed around it. */

export type DiffLine =
  | { readonly kind: "same" | "removed" | "added"; readonly text: string }
  /** Lines that stayed as they were and are far from any change. */
  | { readonly kind: "skipped"; readonly lines: number };

/** Lines on either side that are compared with each other: beyond, the whole is shown as removed and added. */
const maxCompared = 1500;
/** Unchanged lines shown beside a change, as `diff -u` does. */
const context = 3;

/** Takes lines × lines time, within a bound. */
export function lineDiff(before: readonly string[], after: readonly string[]): readonly DiffLine[] {
  let head = 0;
  while (head < Math.min(before.length, after.length) && before[head] === after[head]) head++;
  let tail = 0;
  while (
    tail < Math.min(before.length, after.length) - head &&
    before[before.length - 1 - tail] === after[after.length - 1 - tail]
  )
    tail++;
  const [old, now] = [before.slice(head, before.length - tail), after.slice(head, after.length - tail)];
  const middle =
    old.length > maxCompared || now.length > maxCompared
      ? [...old.map(line("removed")), ...now.map(line("added"))]
      : compared(old, now);
  return shortened([
    ...before.slice(0, head).map(line("same")),
    ...middle,
    ...before.slice(before.length - tail).map(line("same")),
  ]);
}

type Line = Extract<DiffLine, { readonly text: string }>;

function line(kind: Line["kind"]): (text: string) => Line {
  return (text) => ({ kind, text });
}

function compared(old: readonly string[], now: readonly string[]): Line[] {
  const common = commonLengths(old, now);
  const width = now.length + 1;
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  for (;;) {
    const [was, is] = [old[i], now[j]];
    const removing = common[(i + 1) * width + j] ?? 0;
    const adding = common[i * width + j + 1] ?? 0;
    if (was === undefined || is === undefined) break;
    if (was === is) {
      lines.push({ kind: "same", text: was });
      i++;
      j++;
    } else if (removing >= adding) {
      lines.push({ kind: "removed", text: was });
      i++;
    } else {
      lines.push({ kind: "added", text: is });
      j++;
    }
  }
  return [...lines, ...old.slice(i).map(line("removed")), ...now.slice(j).map(line("added"))];
}

/** At i · width + j: the length of the longest common subsequence of what begins at i and at j. */
function commonLengths(old: readonly string[], now: readonly string[]): Uint16Array {
  const width = now.length + 1;
  const common = new Uint16Array((old.length + 1) * width);
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = now.length - 1; j >= 0; j--) {
      const [below, right] = [common[(i + 1) * width + j] ?? 0, common[i * width + j + 1] ?? 0];
      const both = (common[(i + 1) * width + j + 1] ?? 0) + 1;
      common[i * width + j] = old[i] === now[j] ? both : Math.max(below, right);
    }
  }
  return common;
}

/** Without the unchanged lines that are far from any change. */
function shortened(lines: readonly Line[]): readonly DiffLine[] {
  const near = new Set<number>();
  for (const [i, { kind }] of lines.entries()) {
    if (kind !== "same") for (let k = i - context; k <= i + context; k++) near.add(k);
  }
  const shown: DiffLine[] = [];
  let skipped = 0;
  for (const [i, each] of lines.entries()) {
    if (!near.has(i)) {
      skipped++;
      continue;
    }
    if (skipped > 0) shown.push({ kind: "skipped", lines: skipped });
    skipped = 0;
    shown.push(each);
  }
  if (skipped > 0 && shown.length > 0) shown.push({ kind: "skipped", lines: skipped });
  return shown;
}
