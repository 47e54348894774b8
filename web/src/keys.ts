/** The keyboard: `g` and a letter go to a page, `/` to its filter, `?` shows the keys. */
import { signal } from "@preact/signals";

import { keyMeans } from "./model/keys.ts";
import { goTo } from "./router.ts";

export const areKeysShown = signal(false);

/** `g` waits this long for its letter. */
const chordMs = 1500;
let chordAt = -Infinity;

export function startKeys(): void {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (isTyping(event.target) || document.querySelector("dialog[open]") !== null) return;
    const isChord = event.timeStamp - chordAt < chordMs;
    const meant = keyMeans(event.key, isChord);
    chordAt = meant.kind === "chord" ? event.timeStamp : -Infinity;
    if (meant.kind === "none" || (meant.kind === "filter" && !focusFilter())) return;
    event.preventDefault();
    if (meant.kind === "go") goTo(meant.path);
    if (meant.kind === "help") areKeysShown.value = true;
  });
}

function focusFilter(): boolean {
  const field = document.querySelector<HTMLElement>("[data-filter]");
  field?.focus();
  return field !== null;
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && target.closest("input, textarea, select, [contenteditable]") !== null
  );
}
