/** Text that a model reads and a person doesn't see, as findings. */
import { type HiddenKind, type HiddenSpan, hiddenText } from "../../wire/hidden-text.ts";
import type { Budget, Look } from "./budget.ts";
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

export function hiddenIn({ at, text }: Leaf, traits: Traits, budget: Budget): Look {
  if (!traits.isOdd && !traits.mayHide) return { found: [], isAll: true };
  const read = text.slice(0, budget.hidden);
  budget.hidden -= read.length;
  const spans = hiddenText(read).filter((span) => isTold(span));
  const byKind = new Map<GateKind, HiddenSpan>();
  for (const span of spans) {
    const kind = span.severity === "note" ? "hidden.mark" : kinds[span.kind];
    if (!byKind.has(kind)) byKind.set(kind, span);
  }
  const found = [...byKind].map(([kind, { kind: how, start }]) =>
    gateFinding(kind, at, `Text that isn't seen: ${how}, at character ${start}.`),
  );
  return { found, isAll: read.length === text.length };
}

/** Comments and encoded prose that tell nobody to do anything are everywhere. */
function isTold({ kind, severity }: HiddenSpan): boolean {
  return severity === "hold" || !(kind === "unrendered" || kind === "encoded" || kind === "white-space");
}
