/** Series over time. The drawing library is loaded with the first chart; the legend and its numbers are ours. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

import type { Tone } from "./badge.tsx";
import type { Drawn } from "./draw-chart.ts";
import { theme } from "./theme.ts";

export interface Series {
  readonly name: string;
  readonly tone: Tone;
  /** One for each time; null: nothing is known. */
  readonly values: readonly (number | null)[];
}

export interface ChartProps {
  /** What it shows, in words: "Calls a minute by verdict, last 24 hours". */
  readonly label: string;
  /** Unix seconds, rising. */
  readonly times: readonly number[];
  readonly series: readonly Series[];
  /** Each on top of those before: parts of a whole. */
  readonly isStacked?: boolean | undefined;
  readonly format?: ((value: number) => string) | undefined;
}

export function Chart(props: ChartProps): JSX.Element {
  const { label, times, series, format = (value) => value.toLocaleString("en") } = props;
  const place = useRef<HTMLDivElement>(null);
  const drawn = useRef<Drawn | undefined>(undefined);
  const latest = useRef(props);
  latest.current = props;
  /** Where the pointer is. */
  const at = useSignal<number | undefined>(undefined);
  // Another look or other series are drawn anew, other values in place.
  const shape = `${theme.value} ${series.map(({ name, tone }) => `${name}:${tone}`).join(" ")}`;
  useEffect(() => {
    let isOver = false;
    const draw = async (): Promise<void> => {
      const { drawChart } = await import("./draw-chart.ts");
      if (isOver || place.current === null) return;
      drawn.current = drawChart(place.current, latest.current, (index) => (at.value = index));
    };
    void draw();
    return () => {
      isOver = true;
      drawn.current?.end();
      drawn.current = undefined;
    };
  }, [shape]);
  useEffect(() => drawn.current?.update(props), [times, series]);
  const index = at.value === undefined || at.value >= times.length ? times.length - 1 : at.value;
  return (
    <figure class="chart" aria-label={label}>
      <figcaption>
        <ul class="chart-legend">
          {series.map(({ name, tone, values }) => (
            <li key={name} class={tone}>
              <span class="chart-key" aria-hidden="true" />
              {name}
              <span class="chart-value">{worded(values[index], format)}</span>
            </li>
          ))}
          <li class="chart-time">{times[index] === undefined ? "" : moment(times[index])}</li>
        </ul>
      </figcaption>
      <div class="chart-place" ref={place} aria-hidden="true" />
    </figure>
  );
}

function worded(value: number | null | undefined, format: (value: number) => string): string {
  return value === null || value === undefined ? "–" : format(value);
}

function moment(unixSeconds: number): string {
  return new Date(unixSeconds * 1000).toLocaleString(undefined, {
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
  });
}
