/** Numbers that are read at a glance. */
import type { ComponentChildren, JSX } from "preact";

import { sparkPoints } from "../model/spark.ts";
import type { Tone } from "./badge.tsx";

interface FigureProps {
  readonly label: ComponentChildren;
  readonly value: ComponentChildren;
  readonly unit?: string | undefined;
  /** A line below: what it was, of how many. */
  readonly says?: ComponentChildren;
  readonly tone?: Tone | undefined;
  /** The last values, oldest first. */
  readonly spark?: readonly number[] | undefined;
  /** Where it leads. */
  readonly href?: string | undefined;
}

export function Figure({ label, value, unit, says, tone = "plain", spark, href }: FigureProps): JSX.Element {
  const inside = (
    <>
      <span class="figure-label">{label}</span>
      <span class={`figure-value ${tone}`}>
        {value}
        {unit !== undefined && <span class="figure-unit"> {unit}</span>}
      </span>
      {says !== undefined && <span class="figure-says">{says}</span>}
      {spark !== undefined && <Spark values={spark} tone={tone === "plain" ? "accent" : tone} />}
    </>
  );
  return href === undefined ? (
    <div class="figure">{inside}</div>
  ) : (
    <a class="figure" href={href}>
      {inside}
    </a>
  );
}

export function Figures({ children }: { readonly children: ComponentChildren }): JSX.Element {
  return <div class="figures">{children}</div>;
}

/** A small line without axes; what it shows stands in words beside it. */
function Spark({
  values,
  tone = "accent",
}: {
  readonly values: readonly number[];
  readonly tone?: Tone | undefined;
}): JSX.Element {
  const points = sparkPoints(values, 100, 24);
  return (
    <svg class={`spark ${tone}`} viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">
      {points !== "" && <polygon points={`0,24 ${points} 100,24`} />}
      <polyline points={points} />
    </svg>
  );
}

/** A part of a whole as a bar; its words stand beside it. */
export function Meter({
  label,
  share,
  tone = "accent",
}: {
  readonly label: string;
  /** 0 to 1. */
  readonly share: number;
  readonly tone?: Tone | undefined;
}): JSX.Element {
  const percent = Math.round(Math.min(1, Math.max(0, share)) * 1000) / 10;
  return (
    <svg
      class={`meter ${tone}`}
      viewBox="0 0 100 4"
      preserveAspectRatio="none"
      role="img"
      aria-label={`${label}: ${percent} %`}
    >
      <rect class="meter-ground" width="100" height="4" />
      <rect width={percent} height="4" />
    </svg>
  );
}
