/** The gateway itself, what stands behind it, and what was just decided. */
import type { JSX } from "preact";

import { newest } from "../../model/live-calls.ts";
import { type Call, readCalls, type Status } from "../../model/status.ts";
import { callerName, compact, count } from "../../model/words.ts";
import { Verdict } from "../../ui/badge.tsx";
import { Facts, Panel } from "../../ui/panel.tsx";
import { Empty, Show } from "../../ui/states.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Time } from "../../ui/time.tsx";
import { useLoaded } from "../../use-loaded.ts";
import { useTold } from "../../use-told.ts";

export function Gateway({ status }: { readonly status: Status }): JSX.Element {
  const { listener, log } = status;
  const head = log.checkpoint;
  const others = listener.groups.slice(1);
  return (
    <Panel title="Gateway">
      <Facts
        facts={[
          ["Listening", listener.address],
          [
            "Since",
            <span key="since">
              <Time at={status.startedAtUnixMs} />
            </span>,
          ],
          [
            "Key exchange",
            <span key="groups">
              {listener.groups[0]}
              {others.length > 0 && <div class="faint">also {others.join(", ")}</div>}
            </span>,
          ],
          ["Identity", listener.authentication],
          ["Profile", listener.profile],
          [
            "Audit log",
            <span key="log">
              {count(log.size, "entry", "entries")}
              <div class="faint">
                {head === null ? "no head yet" : `head ${head.size} · ${head.root.slice(0, 12)}…`}
              </div>
            </span>,
          ],
        ]}
      />
    </Panel>
  );
}

type Server = Status["servers"][number];

const serverColumns: readonly Column<Server>[] = [
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

export function Servers({ status }: { readonly status: Status }): JSX.Element {
  return (
    <Panel title="Servers" isFlush>
      <Table
        label="Servers"
        columns={serverColumns}
        rows={status.servers}
        keyOf={({ name }) => name}
        empty={
          <Empty title="No servers are configured">
            Name one under <code>servers</code> in the config.
          </Empty>
        }
      />
    </Panel>
  );
}

const shownCalls = 8;

export function LastCalls({ trustDomain }: { readonly trustDomain: string }): JSX.Element {
  const loaded = useLoaded(`/calls?limit=${shownCalls}`, readCalls);
  const told = useTold<readonly Call[]>([], (calls, batch) => newest(calls, batch.calls, shownCalls));
  const columns: readonly Column<Call>[] = [
    { name: "at", head: "Time", cell: ({ atUnixMs }) => <Time at={atUnixMs} as="clock" /> },
    {
      name: "what",
      head: "Call",
      isMain: true,
      isWide: true,
      cell: ({ callId, what }) => <a href={`/live/${encodeURIComponent(callId)}`}>{what}</a>,
    },
    { name: "caller", head: "Caller", isExtra: true, cell: ({ caller }) => callerName(caller, trustDomain) },
    { name: "verdict", head: "Verdict", cell: ({ verdict }) => <Verdict verdict={verdict} /> },
    { name: "rule", head: "Rule", isExtra: true, cell: ({ rule }) => rule ?? "" },
    { name: "ms", head: "ms", isNumber: true, isExtra: true, cell: ({ ms }) => ms ?? "" },
  ];
  return (
    <Panel title="Last calls" actions={<a href="/live">Watch live</a>} isFlush>
      <Show loaded={loaded} rows={shownCalls}>
        {(calls) => (
          <Table
            label="Last calls"
            columns={columns}
            rows={newest(calls, told, shownCalls)}
            keyOf={({ callId }) => callId}
            empty={
              <Empty title="Nobody has called since the gateway started">
                Point an agent at the gateway; <code>latticegate connect</code> says how.
              </Empty>
            }
          />
        )}
      </Show>
    </Panel>
  );
}
