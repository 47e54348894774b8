/** Draws a chart with uPlot, in the colours of the page. */
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import "./chart.css";

import { stacked } from "../model/stacked.ts";
import type { Tone } from "./badge.tsx";
import type { ChartProps } from "./chart.tsx";

export interface Drawn {
  readonly update: (props: ChartProps) => void;
  readonly end: () => void;
}

const height = 200;

export function drawChart(
  place: HTMLElement,
  props: ChartProps,
  onPoint: (index: number | undefined) => void,
): Drawn {
  const plot = new uPlot(optionsFor(place, props, onPoint), dataOf(props), place);
  const watching = new ResizeObserver(() => {
    if (place.clientWidth > 0) plot.setSize({ width: place.clientWidth, height });
  });
  watching.observe(place);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const recolour = (): void => plot.redraw();
  dark.addEventListener("change", recolour);
  return {
    update: (next) => plot.setData(dataOf(next)),
    end: () => {
      dark.removeEventListener("change", recolour);
      watching.disconnect();
      plot.destroy();
    },
  };
}

function dataOf({ times, series, isStacked }: ChartProps): uPlot.AlignedData {
  const values = series.map((each) => each.values);
  const shown = isStacked === true ? stacked(values) : values;
  return [[...times], ...shown.map((each) => [...each])] as uPlot.AlignedData;
}

function optionsFor(
  place: HTMLElement,
  { series, isStacked = false, format }: ChartProps,
  onPoint: (index: number | undefined) => void,
): uPlot.Options {
  const colour = (name: string) => () => resolved(place, name);
  const grid = { stroke: colour("--line"), width: 1 };
  const axis = {
    stroke: colour("--faint"),
    grid,
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
  };
  return {
    width: Math.max(place.clientWidth, 1),
    height,
    legend: { show: false },
    padding: [10, 20, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
    scales: { y: { range: (_, __, max) => [0, Math.max(max, 1) * 1.05] } },
    axes: [
      { ...axis, space: 70, size: 28, values: (_: uPlot, ticks: number[]) => ticks.map(tickWords) },
      {
        ...axis,
        size: 46,
        ...(format && { values: (_: uPlot, ticks: number[]) => ticks.map((tick) => format(tick)) }),
      },
    ],
    series: [
      {},
      ...series.map(({ tone, values }) => ({
        stroke: colour(tokenOf(tone)),
        // A part that is nothing has no line above the others.
        width: isStacked ? 0 : 1.75,
        // A line of one value would not be seen.
        points: { show: values.filter((value) => value !== null).length < 3, size: 5 },
        ...(isStacked && { fill: () => thinned(resolved(place, tokenOf(tone))) }),
      })),
    ],
    ...(isStacked && {
      bands: series.slice(1).map((_, at) => ({ series: [at + 2, at + 1] as [number, number] })),
    }),
    hooks: { setCursor: [({ cursor }) => onPoint(cursor.idx ?? undefined)] },
  };
}

function tokenOf(tone: Tone): string {
  return tone === "plain" ? "--faint" : `--${tone}`;
}

/** Hours of the day; at midnight, the day. */
function tickWords(unixSeconds: number): string {
  const at = new Date(unixSeconds * 1000);
  const isMidnight = at.getHours() === 0 && at.getMinutes() === 0;
  return isMidnight
    ? at.toLocaleDateString(undefined, { month: "short", day: "numeric" })
    : at.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", hour12: false });
}

/** `rgb(1, 2, 3)` as an area's ground. */
function thinned(colour: string): string {
  return colour.replace(/^rgb\((.*)\)$/, "rgba($1, 0.6)");
}

/** A token as the canvas needs it: `light-dark()` and all made one colour. */
function resolved(place: HTMLElement, token: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${token})`;
  place.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
