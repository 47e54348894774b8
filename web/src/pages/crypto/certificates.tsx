/** What ends when, and what becomes of it then. */
import type { JSX } from "preact";

import { type Clock, clockTone, readClocks } from "../../model/crypto.ts";
import { Badge, Status } from "../../ui/badge.tsx";
import { Panel } from "../../ui/panel.tsx";
import { Empty, Show } from "../../ui/states.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { now, Time } from "../../ui/time.tsx";
import { useLoaded } from "../../use-loaded.ts";

export function Certificates(): JSX.Element {
  const loaded = useLoaded("/crypto/certificates?limit=500", readClocks, ["crypto", "calls-slowly"]);
  return (
    <Panel title="Clocks" says="The first to end first." isFlush>
      <Show loaded={loaded} rows={8}>
        {(clocks) => (
          <Table
            label="Certificates, roots, tokens and manifests by their ends"
            columns={columns}
            rows={clocks}
            keyOf={({ kind, who, what, until }) => `${kind} ${who} ${what} ${until}`}
            empty={<Empty title="Nothing has an end" />}
          />
        )}
      </Show>
    </Panel>
  );
}

const columns: readonly Column<Clock>[] = [
  { name: "kind", head: "What", cell: ({ kind }) => <Badge>{kind}</Badge>, sortBy: ({ kind }) => kind },
  {
    name: "who",
    head: "Whose",
    isMain: true,
    isWide: true,
    cell: ({ who, what }) => (
      <>
        {who} <span class="small faint">{what}</span>
      </>
    ),
    sortBy: ({ who }) => who,
  },
  { name: "algorithm", head: "Algorithm", isExtra: true, cell: ({ algorithm }) => algorithm || "–" },
  {
    name: "until",
    head: "Ends",
    cell: (clock) => <Left clock={clock} />,
    sortBy: ({ until }) => until || "9999",
  },
  { name: "renewal", head: "Then", isWide: true, isExtra: true, cell: ({ renewal }) => renewal },
];

function Left({ clock }: { readonly clock: Clock }): JSX.Element {
  if (clock.until === "") return <span class="faint">no end</span>;
  const tone = clockTone(clock, now.value);
  return (
    <Status tone={tone} icon="clock">
      {tone === "bad" && "over "}
      <Time at={clock.until} />
    </Status>
  );
}
