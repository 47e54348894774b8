/** Traffic over time: how much, what became of it, how strong its links, how risky. */
import { useMemo } from "preact/hooks";
import type { JSX } from "preact";

import { milliseconds, type Point, shareOf, type Traffic } from "../../model/traffic.ts";
import { callerName, compact, count, percent } from "../../model/words.ts";
import { hasPage } from "../../pages.ts";
import { Chart, type Series } from "../../ui/chart.tsx";
import { Figure, Figures, Meter } from "../../ui/figure.tsx";
import { Panel } from "../../ui/panel.tsx";
import { Empty } from "../../ui/states.tsx";
import { type Column, Table } from "../../ui/table.tsx";

interface TrafficProps {
  readonly traffic: Traffic;
  /** "24 hours" */
  readonly span: string;
}

export function TrafficFigures({ traffic: { points, totals }, span }: TrafficProps): JSX.Element {
  const { calls } = totals;
  const spark = (value: (point: Point) => number): readonly number[] => thinned(points.map(value), 48);
  return (
    <Figures>
      <Figure
        label={`Calls, ${span}`}
        value={compact(calls)}
        says={calls === 0 ? "none yet" : `${compact(totals.allowed)} allowed`}
        spark={spark((point) => point.calls)}
        href="/live"
      />
      <Figure
        label="Refused"
        value={calls === 0 ? "–" : percent(shareOf(totals.denied, calls))}
        says={`${count(totals.denied, "call", "calls")}, ${totals.held} held`}
        tone={totals.denied > 0 ? "bad" : "plain"}
        spark={spark((point) => point.denied)}
        href="/live?verdict=denied"
      />
      <Figure
        label="Failed"
        value={calls === 0 ? "–" : percent(shareOf(totals.error, calls))}
        says={count(totals.error, "call", "calls")}
        tone={totals.error > 0 ? "warn" : "plain"}
        spark={spark((point) => point.error)}
        href="/live?verdict=error"
      />
      <Strength totals={totals} spark={spark} />
    </Figures>
  );
}

function Strength({
  totals,
  spark,
}: {
  readonly totals: Traffic["totals"];
  readonly spark: (value: (point: Point) => number) => readonly number[];
}): JSX.Element {
  const { calls, postQuantum, risk, risky, ms } = totals;
  const quantum = shareOf(postQuantum, calls);
  return (
    <>
      <Figure
        label="Post-quantum"
        value={calls === 0 ? "–" : percent(quantum)}
        says={calls === 0 ? "no calls yet" : `${compact(calls - postQuantum)} calls without`}
        tone={calls === 0 ? "plain" : quantum === 1 ? "good" : "warn"}
        spark={spark((point) => shareOf(point.postQuantum, point.calls))}
        href={hasPage("crypto") ? "/crypto" : undefined}
      />
      <Figure
        label="Risky"
        value={risk === null ? "–" : percent(shareOf(risky, calls))}
        says={risk === null ? "nothing watches calls" : "risk of 0.6 or more"}
        tone={risky > 0 ? "warn" : "plain"}
        spark={spark((point) => point.risky)}
      />
      <Figure
        label="Time, median"
        value={ms === null ? "–" : milliseconds(ms.p50)}
        says={ms === null ? "no calls yet" : `99 % within ${milliseconds(ms.p99)}`}
        spark={spark((point) => point.ms?.p50 ?? 0)}
      />
    </>
  );
}

export function VerdictChart({ traffic: { points, stepMs }, span }: TrafficProps): JSX.Element {
  const times = useMemo(() => points.map(({ atUnixMs }) => atUnixMs / 1000), [points]);
  const series = useMemo<readonly Series[]>(
    () => [
      { name: "allowed", tone: "good", values: points.map(({ allowed }) => allowed) },
      { name: "held", tone: "info", values: points.map(({ held }) => held) },
      { name: "denied", tone: "bad", values: points.map(({ denied }) => denied) },
      { name: "failed", tone: "warn", values: points.map(({ error }) => error) },
    ],
    [points],
  );
  const each = stepWords(stepMs);
  return (
    <Panel title="Verdicts" says={`Calls ${each}`}>
      <Chart
        label={`Calls ${each} by verdict, ${span}`}
        times={times}
        series={series}
        format={compact}
        isStacked
      />
    </Panel>
  );
}

export function RiskChart({ traffic: { points, totals }, span }: TrafficProps): JSX.Element {
  const times = useMemo(() => points.map(({ atUnixMs }) => atUnixMs / 1000), [points]);
  const series = useMemo<readonly Series[]>(
    () => [
      { name: "median", tone: "plain", values: points.map(({ risk }) => risk?.p50 ?? null) },
      { name: "99 %", tone: "accent", values: points.map(({ risk }) => risk?.p99 ?? null) },
    ],
    [points],
  );
  return (
    <Panel title="Risk" says="Of calls, from 0 to 1: to look at the worst first; no probability.">
      {totals.risk === null ? (
        <Empty title="Nothing watches calls">
          <code>detect: {"{ calls: true }"}</code> in the config turns it on.
        </Empty>
      ) : (
        <Chart
          label={`Risk of calls, ${span}`}
          times={times}
          series={series}
          format={(value) => value.toFixed(2)}
        />
      )}
    </Panel>
  );
}

export function Coverage({ traffic: { totals } }: TrafficProps): JSX.Element {
  const { calls, postQuantum, suites } = totals;
  return (
    <Panel title="Post-quantum coverage" actions={hasPage("crypto") && <a href="/crypto">Crypto</a>}>
      {calls === 0 ? (
        <Empty title="No calls yet">Each link's key exchange is counted with its calls.</Empty>
      ) : (
        <>
          <p class="small">
            {compact(postQuantum)} of {count(calls, "call", "calls")} came over links that a quantum computer
            of tomorrow can't open.
          </p>
          <ul class="coverage">
            {suites.map(([group, used]) => (
              <li key={group}>
                <span>{group}</span>
                <span class="faint">{percent(shareOf(used, calls))}</span>
                <Meter
                  label={group}
                  share={shareOf(used, calls)}
                  tone={/mlkem|kyber/i.test(group) ? "good" : "warn"}
                />
              </li>
            ))}
          </ul>
        </>
      )}
    </Panel>
  );
}

const shownCallers = 6;

export function Callers({
  traffic,
  trustDomain,
}: {
  readonly traffic: Traffic;
  readonly trustDomain: string;
}): JSX.Element {
  type Caller = Traffic["callers"][number];
  const columns: readonly Column<Caller>[] = [
    {
      name: "caller",
      head: "Caller",
      isMain: true,
      isWide: true,
      cell: ({ caller }) => (caller === "" ? "others" : callerName(caller, trustDomain)),
    },
    { name: "calls", head: "Calls", isNumber: true, cell: ({ calls }) => compact(calls) },
    { name: "denied", head: "Refused", isNumber: true, cell: ({ denied }) => compact(denied) },
  ];
  return (
    <Panel title="Busiest callers" actions={<a href="/map">Map</a>} isFlush>
      <Table
        label="Busiest callers"
        columns={columns}
        rows={traffic.callers.slice(0, shownCallers)}
        keyOf={({ caller }) => caller}
        empty={<Empty title="Nobody has called">Callers show up with their first call.</Empty>}
      />
    </Panel>
  );
}

function stepWords(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 1) return `in ${Math.round(ms / 1000)} s`;
  if (minutes === 1) return "a minute";
  if (minutes < 60) return `in ${minutes} minutes`;
  return minutes === 60 ? "an hour" : `in ${Math.round(minutes / 60)} hours`;
}

/** No more than `most` values: each the mean of its neighbours. */
function thinned(values: readonly number[], most: number): readonly number[] {
  const size = Math.ceil(values.length / most);
  if (size <= 1) return values;
  return Array.from({ length: Math.ceil(values.length / size) }, (_, at) => {
    const part = values.slice(at * size, (at + 1) * size);
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
}
