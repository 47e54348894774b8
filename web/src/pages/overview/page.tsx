/** How it stands: what is asked, what is decided, how strong the links are, what is wrong, what is new. */
import type { JSX } from "preact";

import { readStatus, type Status } from "../../model/status.ts";
import { compact, count } from "../../model/words.ts";
import { Facts, PageHead, Panel } from "../../ui/panel.tsx";
import { Empty, Notice, Show } from "../../ui/states.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Time } from "../../ui/time.tsx";
import { useLoaded } from "../../use-loaded.ts";

export default function Page(): JSX.Element {
  const loaded = useLoaded("/status", readStatus, ["status", "responses"]);
  return (
    <>
      <PageHead title="Overview" />
      <Show loaded={loaded}>
        {(status) => (
          <>
            <div class="columns">
              <Gateway status={status} />
            </div>
            <Servers status={status} />
            {status.notYet.map((text) => (
              <Notice key={text} tone="warn">
                Asked for in the config, not yet carried out: {text}
              </Notice>
            ))}
          </>
        )}
      </Show>
    </>
  );
}

function Gateway({ status }: { readonly status: Status }): JSX.Element {
  const { listener, log } = status;
  const head = log.checkpoint;
  const others = listener.groups.slice(1);
  return (
    <Panel title="Gateway">
      <Facts
        facts={[
          ["Listening", listener.address],
          ["Since", <Time key="since" at={status.startedAtUnixMs} />],
          [
            "Key exchange",
            <>
              {listener.groups[0]}
              {others.length > 0 && <span class="faint">, {others.join(", ")}</span>}
            </>,
          ],
          ["Identity", `${listener.authentication}, profile ${listener.profile}`],
          [
            "Audit log",
            <>
              {count(log.size, "entry", "entries")}{" "}
              <span class="faint">
                {head === null ? "no head yet" : `head ${head.size} · ${head.root.slice(0, 12)}…`}
              </span>
            </>,
          ],
        ]}
      />
    </Panel>
  );
}

type Server = Status["servers"][number];

const columns: readonly Column<Server>[] = [
  { name: "name", head: "Name", isMain: true, cell: ({ name }) => name, sortBy: ({ name }) => name },
  { name: "transport", head: "Transport", isExtra: true, cell: ({ transport }) => transport },
  {
    name: "target",
    head: "Target",
    isWide: true,
    isExtra: true,
    cell: ({ target }) => <span class="faint">{target}</span>,
  },
  {
    name: "calls",
    head: "Calls",
    isNumber: true,
    cell: ({ calls }) => compact(calls),
    sortBy: ({ calls }) => calls,
  },
  {
    name: "failures",
    head: "Failed",
    isNumber: true,
    cell: ({ failures }) => compact(failures),
    sortBy: ({ failures }) => failures,
  },
];

function Servers({ status }: { readonly status: Status }): JSX.Element {
  return (
    <Panel title="Servers" isFlush>
      <Table
        label="Servers"
        columns={columns}
        rows={status.servers}
        keyOf={({ name }) => name}
        empty={<Empty title="No servers are configured">Add them under `servers` in the config.</Empty>}
      />
    </Panel>
  );
}
