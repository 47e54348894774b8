/** Short words on what was done; read out, and gone after a while. */
import { signal } from "@preact/signals";
import type { JSX } from "preact";

import { Icon } from "./icon.tsx";

const shownMs = 6000;
const most = 3;

const toasts = signal<
  readonly { readonly id: number; readonly says: string; readonly tone: "good" | "bad" }[]
>([]);
let last = 0;

export function toast(says: string, tone: "good" | "bad" = "good"): void {
  last += 1;
  const id = last;
  toasts.value = [...toasts.value, { id, says, tone }].slice(-most);
  setTimeout(() => (toasts.value = toasts.value.filter((each) => each.id !== id)), shownMs);
}

export function Toasts(): JSX.Element {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ id, says, tone }) => (
        <p key={id} class={`toast ${tone}`}>
          <Icon name={tone === "good" ? "check" : "warning"} size={16} />
          {says}
        </p>
      ))}
    </div>
  );
}
