/** Instructions in a text that should be data: how suspicious it is, where, and why. It never blocks by itself. */
import type { Finding, Severity } from "../../model/finding.ts";
import { cues } from "./cues.ts";
import { encodedIn } from "./encoded.ts";
import { featuresOf } from "./features.ts";
import { marks } from "./marks.ts";
import { type CueMatches, matchCues, type Range } from "./match-cues.ts";
import { originOf, readText, type ReadText } from "./read-text.ts";
import { scoreOf, type TextModel } from "./text-model.ts";
import { sentenceEnd, type Words, wordsOf } from "./words.ts";

interface TextSpan {
  /** Offsets in the original text. */
  readonly start: number;
  readonly end: number;
  readonly kind: string;
  readonly severity: Severity;
}

export interface TextScan {
  /** In [0, 1]: that of the most suspicious window. */
  readonly score: number;
  /** Its place in the original text. */
  readonly start: number;
  readonly end: number;
  readonly spans: readonly TextSpan[];
  /** Characters at the end that weren't looked at. */
  readonly unread: number;
  /** Whether all that is encoded was decoded and looked at, too. */
  readonly isDecoded: boolean;
}

export interface ScanLimits {
  readonly chars: number;
}

/** At 0.1 µs per character, 26 ms at most. */
const scanLimits: ScanLimits = { chars: 256 * 1024 };

/** More would only be more of the same. */
const maxSpans = 256;

export function scanText(original: string, model: TextModel, { chars }: ScanLimits = scanLimits): TextScan {
  const shown = original.length > chars ? original.slice(0, chars) : original;
  const scan = scanPlain(shown, model);
  const { found, isAll } = encodedIn(shown);
  const spans = [...scan.spans];
  let worst: Worst = scan;
  for (const { start, end, text } of found) {
    const inner = scanPlain(text, model);
    spans.push(...inner.spans.map((span) => ({ ...span, start, end })));
    if (inner.score > worst.score) worst = { score: inner.score, start, end };
  }
  return {
    score: worst.score,
    start: worst.start,
    end: worst.end,
    spans: spans.toSorted((a, b) => a.start - b.start).slice(0, maxSpans),
    unread: Math.max(0, original.length - chars),
    isDecoded: isAll,
  };
}

type Worst = Pick<TextScan, "score" | "start" | "end">;

/** A text as it stands, nothing decoded. */
function scanPlain(original: string, model: TextModel): Worst & Pick<TextScan, "spans"> {
  const read = readText(original);
  const words = wordsOf(read.text);
  const marked = marksIn(read.text);
  const spans: TextSpan[] = marked.map(({ start, end, row }) => spanOf(read, { start, end, row }));
  let worst: Worst = { score: 0, start: 0, end: 0 };
  for (const window of windowsOf(words)) {
    const found = matchCues(read.text, words, window);
    const [start, end] = [words.starts[window.from] ?? 0, words.ends[window.to - 1] ?? 0];
    const seen = marked.filter((mark) => mark.start < end && mark.end > start).map(({ row }) => row);
    const score = scoreOf(model, featuresOf({ cues: found, marks: seen }));
    if (score > worst.score) worst = { score, start: originOf(read, start), end: originOf(read, end) };
    if (spans.length < maxSpans) spans.push(...cueSpans(read, found));
  }
  return { ...worst, spans };
}

function cueSpans(read: ReadText, { matches }: CueMatches): readonly TextSpan[] {
  return matches.flatMap(({ cue, start, end }) => {
    const row = cues[cue];
    return row === undefined ? [] : [spanOf(read, { start, end, row })];
  });
}

interface Matched {
  readonly start: number;
  readonly end: number;
  readonly row: { readonly kind: string; readonly severity: Severity };
}

function spanOf(read: ReadText, { start, end, row: { kind, severity } }: Matched): TextSpan {
  return { start: originOf(read, start), end: originOf(read, end), kind, severity };
}

interface Marked extends Matched {
  readonly row: (typeof marks)[number];
}

/** Of one row in one text. */
const maxMarks = 32;

function marksIn(text: string): readonly Marked[] {
  const found: Marked[] = [];
  for (const row of marks) {
    let count = 0;
    for (const { 0: match, index } of text.matchAll(row.form)) {
      found.push({ start: index, end: index + match.length, row });
      if (++count >= maxMarks) break;
    }
  }
  return found;
}

/** Whole sentences of as many words together, so that what surrounds an instruction doesn't dilute it. */
const windowWords = 40;
/** Where no sentence ends. */
const longestWindow = 120;

function* windowsOf({ length, bits }: Words): Generator<Range, void> {
  let from = 0;
  for (let i = 0; i < length; i++) {
    const size = i + 1 - from;
    if (size < longestWindow && (bits[i] !== sentenceEnd || size < windowWords)) continue;
    yield { from, to: i + 1 };
    from = i + 1;
  }
  if (from < length) yield { from, to: length };
}

const means: ReadonlyMap<string, string> = new Map(
  [...cues, ...marks].map(({ kind, means: says }) => [kind, says]),
);

/** One finding a kind, in the words of the table; and one if not all was looked at. */
export function findingsOfScan({ spans, unread, isDecoded }: TextScan, at: string): readonly Finding[] {
  const first = new Map<string, TextSpan>();
  for (const span of spans) if (!first.has(span.kind)) first.set(span.kind, span);
  const told = [...first.values()].map(({ kind, severity, start }): Finding => {
    return { kind, severity, at, says: `The text ${means.get(kind) ?? kind}, at character ${start}.` };
  });
  if (unread === 0 && isDecoded) return told;
  const rest =
    unread > 0 ? `${unread} characters weren't looked at.` : "Not all that is encoded was decoded.";
  return [...told, { kind: "unread", severity: "medium", at, says: rest }];
}
