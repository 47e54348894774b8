/** Moments: how long ago, with the moment itself in the title. All of them move on together. */
import { signal } from "@preact/signals";
import type { JSX } from "preact";

import { relative } from "../model/words.ts";

/** Moves every ten seconds while the page is looked at. */
export const now = signal(Date.now());
setInterval(() => {
  if (!document.hidden) now.value = Date.now();
}, 10_000);
document.addEventListener("visibilitychange", () => (now.value = Date.now()));

/** Made once: a list of calls has hundreds of them. */
const fullFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium" });
const clockFormat = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

interface TimeProps {
  /** Unix ms, or as ISO 8601. */
  readonly at: number | string;
  /** `clock`: the time of day; `full`: date and time. */
  readonly as?: "relative" | "clock" | "full" | undefined;
}

export function Time({ at, as = "relative" }: TimeProps): JSX.Element {
  const moment = new Date(at);
  if (Number.isNaN(moment.getTime())) return <span>{String(at)}</span>;
  const full = fullFormat.format(moment);
  const words =
    as === "full"
      ? full
      : as === "clock"
        ? clockFormat.format(moment)
        : relative(moment.getTime(), Math.max(now.value, Date.now() - 10_000));
  return (
    <time dateTime={moment.toISOString()} title={full}>
      {words}
    </time>
  );
}
