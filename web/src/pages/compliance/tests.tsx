/** The tests, each with its newest result. */
import type { JSX } from "preact";

import type { Report } from "../../model/compliance.ts";
import { Status, type Tone } from "../../ui/badge.tsx";
import { Panel } from "../../ui/panel.tsx";
import { type Column, Table } from "../../ui/table.tsx";

type Row = Report["tests"][number];

/** What isn't refused is wrong; what isn't set up is for somebody to decide. */
function toneOf(result: string | undefined, isRefusal: boolean): Tone {
  if (result === "passed") return "good";
  if (result === "failed") return isRefusal ? "bad" : "warn";
  return "plain";
}

const columns: readonly Column<Row>[] = [
  {
    name: "test",
    head: "Test",
    isMain: true,
    isWide: true,
    cell: ({ test, shows, result }) => (
      <>
        <code>{test}</code>
        <br />
        <span class="small">{shows}</span>
        {result !== undefined && result.says !== "" && (
          <>
            <br />
            <span class="faint small">{result.says}</span>
          </>
        )}
      </>
    ),
    sortBy: ({ test }) => test,
  },
  {
    name: "result",
    head: "Result",
    cell: ({ result, isRefusal }) => (
      <Status tone={toneOf(result?.result, isRefusal)}>
        {result === undefined
          ? "never run"
          : result.result === "stale"
            ? "from before a change"
            : result.result}
      </Status>
    ),
    sortBy: ({ result }) => result?.result ?? "",
  },
  {
    name: "entry",
    head: "Entry",
    cell: ({ result }) => result && <a href={`/audit/${result.entry.index}`}>{result.entry.index}</a>,
  },
];

export function Tests({ report: { tests } }: { readonly report: Report }): JSX.Element {
  const parts = [
    ["What must be refused", true],
    ["How it is set up", false],
  ] as const;
  return (
    <>
      {parts.map(([title, isRefusal]) => (
        <Panel key={title} title={title} isFlush>
          <Table
            label={title}
            columns={columns}
            rows={tests.filter((test) => test.isRefusal === isRefusal)}
            keyOf={({ test }) => test}
          />
        </Panel>
      ))}
    </>
  );
}
