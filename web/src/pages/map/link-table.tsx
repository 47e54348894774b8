/** The map in words: each link, for those who don't see it, and for those who want the figures. */
import type { JSX } from "preact";

import { type Graph, type GraphLink, postureWords } from "../../model/graph.ts";
import { Panel } from "../../ui/panel.tsx";
import { type Column, Table } from "../../ui/table.tsx";

export function LinkTable({ graph }: { readonly graph: Graph }): JSX.Element {
  const labels = new Map(graph.nodes.map(({ id, label }) => [id, label]));
  const nameOf = (id: string): string => labels.get(id) ?? id;
  const columns: readonly Column<GraphLink>[] = [
    {
      name: "link",
      head: "Link",
      isMain: true,
      isWide: true,
      sortBy: ({ from, to }) => `${nameOf(from)} ${nameOf(to)}`,
      cell: ({ from, to }) => `${nameOf(from)} → ${nameOf(to)}`,
    },
    {
      name: "calls",
      head: "Calls",
      isNumber: true,
      sortBy: ({ calls }) => calls,
      cell: ({ calls }) => calls.toLocaleString("en"),
    },
    {
      name: "denied",
      head: "Refused",
      isNumber: true,
      isExtra: true,
      sortBy: ({ denied }) => denied,
      cell: ({ denied }) => denied.toLocaleString("en"),
    },
    {
      name: "posture",
      head: "Protected by",
      sortBy: ({ posture }) => posture,
      cell: ({ posture, path }) => (
        <>
          {postureWords[posture]}
          {path !== "" && <p class="small faint">{path}</p>}
        </>
      ),
    },
    { name: "suites", head: "Key exchange", isExtra: true, cell: ({ suites }) => suites.join(", ") },
    {
      name: "certificates",
      head: "Proven by",
      isExtra: true,
      cell: ({ certificates }) => certificates.join(", "),
    },
  ];
  return (
    <Panel title="Links" isFlush says="The same as a table.">
      <Table
        label="Links"
        columns={columns}
        rows={graph.links}
        keyOf={({ from, to, posture }) => JSON.stringify([from, to, posture])}
        sorting={{ by: "calls", isDown: true }}
      />
    </Panel>
  );
}
