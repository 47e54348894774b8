/** How suspicious a tool's declaration is: cues of injected texts, of poisoned tools, hidden text, names of others' tools. */
import type { Finding, Severity } from "../../model/finding.ts";
import { hiddenText } from "../../wire/hidden-text.ts";
import { skeleton } from "../../wire/posing-letters.ts";
import { cues } from "../text/cues.ts";
import { classNames, type WordClass } from "../text/lexicon.ts";
import { marks } from "../text/marks.ts";
import { matchCues } from "../text/match-cues.ts";
import { readText } from "../text/read-text.ts";
import { wordsOf } from "../text/words.ts";
import { declaredTexts, type DeclaredTexts, type DeclaredTool } from "./declared-texts.ts";
import { contextAsked, contextParameter, toolMarks } from "./tool-marks.ts";

export interface ToolScore {
  /** In [0, 1). */
  readonly score: number;
  readonly findings: readonly Finding[];
}

/** Another server's tool, for names that are used twice or spoken of. */
export interface OtherTool {
  readonly server: string;
  readonly name: string;
}

interface Seen {
  readonly kind: string;
  readonly severity: Severity;
  readonly at: string;
  readonly means: string;
}

const weights: Readonly<Record<Severity, number>> = { high: 3, medium: 1.5, low: 0.5 };
/** Words that poisoned declarations have more of; alone they say little. */
const hints: readonly (readonly [WordClass, number])[] = [
  ["urgent", 0.3],
  ["system", 0.15],
  ["secret", 0.15],
  ["hide", 0.3],
  ["override", 0.3],
  ["shell", 0.3],
  ["must", 0.2],
  ["you", 0.15],
  ["path", 0.1],
  ["user", 0.05],
];
/** Where the score is 1 - 1/e. */
const scale = 5;
/** Below that a finding would be told of every tenth honest tool. */
const leastScore = 0.4;

export function scoreTool(tool: DeclaredTool, others: readonly OtherTool[] = []): ToolScore {
  const declared = declaredTexts(tool);
  const read = declared.texts.map(({ at, text }) => ({ at, text: readText(text).text }));
  const counts = new Uint32Array(32);
  const seen = [
    ...read.flatMap((leaf) => cuesIn(leaf, counts)),
    ...read.flatMap((leaf) => marksIn(leaf)),
    ...declared.texts.flatMap((leaf) => hiddenIn(leaf)),
    ...contextIn(declared),
    ...namesIn(tool, read, others),
    ...(declared.isAll ? [] : [unread]),
  ];
  const kinds = new Map(seen.map((each) => [each.kind, each]));
  const said = [...kinds.values()].reduce((sum, { severity }) => sum + weights[severity], 0);
  const hinted = hints.reduce((sum, [name, weight]) => {
    return sum + weight * Math.log2(1 + Math.min(7, counts[classNames.indexOf(name)] ?? 0));
  }, 0);
  const score = 1 - Math.exp(-(said + hinted) / scale);
  return { score, findings: score < leastScore ? [] : [...kinds.values()].map(findingOf) };
}

const unread: Seen = {
  kind: "unread",
  severity: "medium",
  at: "tool",
  means: "is longer than what is looked at",
};

function findingOf({ kind, severity, at, means }: Seen): Finding {
  return { kind, severity, at, says: `The declaration ${means}.` };
}

interface Text {
  readonly at: string;
  readonly text: string;
}

function cuesIn({ at, text }: Text, counts: Uint32Array): readonly Seen[] {
  const found = matchCues(text, wordsOf(text));
  for (const [i, count] of found.counts.entries()) counts[i] = (counts[i] ?? 0) + count;
  return found.matches.flatMap(({ cue }) => {
    const row = cues[cue];
    return row === undefined ? [] : [{ kind: row.kind, severity: row.severity, at, means: row.means }];
  });
}

function marksIn({ at, text }: Text): readonly Seen[] {
  return [...marks, ...toolMarks].flatMap(({ kind, severity, means, form }) =>
    text.search(form) === -1 ? [] : [{ kind, severity, at, means }],
  );
}

function hiddenIn({ at, text }: Text): readonly Seen[] {
  const holds = hiddenText(text).some(({ severity }) => severity === "hold");
  return holds ? [{ kind: "tool.hidden", severity: "high", at, means: "has text that isn't seen" }] : [];
}

function contextIn({ parameters }: DeclaredTexts): readonly Seen[] {
  const named = parameters.find(({ name }) => contextParameter.test(name));
  const asked = parameters.find(({ says }) => contextAsked.test(says));
  if (named === undefined && asked === undefined) return [];
  const severity = named !== undefined && asked !== undefined ? "high" : "medium";
  return [
    {
      kind: "tool.context",
      severity,
      at: "tool.inputSchema",
      means: "has a parameter for what its task doesn't need",
    },
  ];
}

/** Longer lists of others' tools aren't gone through. */
const maxOthers = 5000;

function namesIn(tool: DeclaredTool, read: readonly Text[], others: readonly OtherTool[]): readonly Seen[] {
  const foreign = others.slice(0, maxOthers).filter(({ server }) => server !== tool.server);
  const own = bare(tool.name);
  const found: Seen[] = [];
  if (foreign.some(({ name }) => bare(name) === own)) {
    found.push({
      kind: "shadowed",
      severity: "high",
      at: "tool.name",
      means: "has the name of another server's tool",
    });
  }
  // A word of everyday language may be a tool's name; one with a separator is none.
  const names = new Set(
    foreign.map(({ name }) => name).filter((name) => /[a-z0-9][_-][a-z]/.test(name) && name !== tool.name),
  );
  if (names.size === 0) return found;
  const spoken = read.find(({ text }) =>
    (text.match(/[a-zA-Z0-9]+(?:[_-][a-zA-Z0-9]+)+/g) ?? []).some((each) => names.has(each)),
  );
  if (spoken !== undefined) {
    found.push({
      kind: "tool.other",
      severity: "medium",
      at: spoken.at,
      means: "speaks of another server's tool",
    });
  }
  return found;
}

function bare(name: string): string {
  return skeleton(name.replaceAll(/[\s._\-/:]+/g, ""));
}
