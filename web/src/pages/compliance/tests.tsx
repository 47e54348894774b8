/** The tests, each with its newest result. */
import type { JSX } from "preact";

import type { Report } from "../../model/compliance.ts";
import { Status, type Tone } from "../../ui/badge.tsx";
import { Panel } from "../../ui/panel.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Entry } from "./control.tsx";

type Row = Report["tests"][number];

const tones: Readonly<Record<string, Tone>> = {
  passed: "good",
  failed: "bad",
  skipped: "plain",
  stale: "warn",
};

const columns: readonly Column<Row>[] = [
  {
    name: "test",
    head: "Test",
    isMain: true,
    isWide: true,
    cell: ({ test, shows }) => (
      <>
        <code>{test}</code>
        <br />
        <span class="faint small">{shows}</span>
      </>
    ),
    sortBy: ({ test }) => test,
  },
  {
    name: "result",
    head: "Result",
    cell: ({ result }) => (
      <Status tone={tones[result?.result ?? ""] ?? "plain"}>
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
    name: "seen",
    head: "Seen",
    isExtra: true,
    cell: ({ result }) => <span class="said">{result?.says ?? ""}</span>,
  },
  { name: "entry", head: "Entry", cell: ({ result }) => result && <Entry entry={result.entry} /> },
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
