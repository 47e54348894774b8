/** Text that a model reads and a person doesn't see, as findings. */
import type { Finding } from "../../model/finding.ts";
import { type HiddenKind, type HiddenSpan, hiddenText } from "../../wire/hidden-text.ts";
import { gateFinding, type GateKind } from "./kinds.ts";
import type { Leaf } from "./leaves.ts";
import type { Traits } from "./traits.ts";

const kinds: Readonly<Record<HiddenKind, GateKind>> = {
  "zero-width": "hidden.characters",
  tags: "hidden.characters",
  "variation-selectors": "hidden.characters",
  unassigned: "hidden.characters",
  bidi: "hidden.order",
  ansi: "hidden.terminal",
  control: "hidden.terminal",
  unrendered: "hidden.unrendered",
  "white-space": "hidden.unrendered",
  homoglyphs: "hidden.letters",
  styled: "hidden.letters",
  encoded: "hidden.encoded",
};

/** Looked at closely, at up to a microsecond per character where all of it is odd. */
const maxChars = 64 * 1024;

/** @returns undefined where there was more than is looked at closely */
export function hiddenIn({ at, text }: Leaf, traits: Traits): readonly Finding[] | undefined {
  if (!traits.isOdd && !traits.mayHide) return [];
  if (text.length > maxChars) return undefined;
  const spans = hiddenText(text).filter((span) => isTold(span));
  const byKind = new Map<GateKind, HiddenSpan>();
  for (const span of spans) {
    const kind = span.severity === "note" ? "hidden.mark" : kinds[span.kind];
    if (!byKind.has(kind)) byKind.set(kind, span);
  }
  return [...byKind].map(([kind, { kind: how, start }]) =>
    gateFinding(kind, at, `Text that isn't seen: ${how}, at character ${start}.`),
  );
}

/** Comments and encoded prose that tell nobody to do anything are everywhere. */
function isTold({ kind, severity }: HiddenSpan): boolean {
  return severity === "hold" || !(kind === "unrendered" || kind === "encoded" || kind === "white-space");
}
