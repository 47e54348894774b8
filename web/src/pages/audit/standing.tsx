/** What the log is signed with, and who else keeps an eye on it. */
import type { JSX } from "preact";

import { type Heads, readHeads, readWitnesses, type Witnesses } from "../../model/audit.ts";
import { shown } from "../../model/names.ts";
import { count } from "../../model/words.ts";
import { Status } from "../../ui/badge.tsx";
import { Facts, Panel } from "../../ui/panel.tsx";
import { Empty, Notice, Show } from "../../ui/states.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Time } from "../../ui/time.tsx";
import { useLoaded } from "../../use-loaded.ts";

export function Standing(): JSX.Element {
  const heads = useLoaded("/audit/heads", readHeads, ["calls-slowly"]);
  const witnesses = useLoaded("/audit/witnesses", readWitnesses, ["calls-slowly"]);
  return (
    <div class="stack">
      <Panel title="Newest head">
        <Show loaded={heads}>
          {({ origin, size, head }) => (
            <Facts
              facts={[
                ["Log", origin],
                ["Entries", count(size, "entry", "entries")],
                ["Covered", head === undefined ? "no head yet" : count(head.size, "entry", "entries")],
                ["Root", <code key="root">{head?.root ?? ""}</code>],
              ]}
            />
          )}
        </Show>
      </Panel>
      <Panel title="Keys" says="Compare a fingerprint with one that you have from elsewhere." isFlush>
        <Show loaded={heads}>
          {({ generations }) => (
            <Table
              label="Generations of the log's keys"
              columns={keyColumns}
              rows={generations}
              keyOf={({ number }) => String(number)}
            />
          )}
        </Show>
      </Panel>
      <Panel title="Witnesses" says="Each has signed that it saw the log so, up to there." isFlush>
        <Show loaded={witnesses}>{(known) => <WitnessTable known={known} />}</Show>
      </Panel>
    </div>
  );
}

const keyColumns: readonly Column<Heads["generations"][number]>[] = [
  { name: "number", head: "Generation", isMain: true, cell: ({ number }) => number },
  { name: "state", head: "State", cell: ({ state }) => state },
  { name: "algorithms", head: "Algorithms", cell: ({ algorithms }) => algorithms.join(", ") },
  {
    name: "fingerprint",
    head: "Fingerprint",
    isWide: true,
    cell: ({ fingerprint }) => <code>{fingerprint}</code>,
  },
];

const witnessColumns: readonly Column<Witnesses["witnesses"][number]>[] = [
  { name: "who", head: "Who", isMain: true, cell: ({ spiffeId, name }) => shown(spiffeId || name) },
  { name: "size", head: "Up to", isNumber: true, cell: ({ size }) => size },
  { name: "behind", head: "Behind", isNumber: true, cell: ({ behind }) => behind },
  { name: "at", head: "Last", cell: ({ atUnixMs }) => <Time at={atUnixMs} /> },
  {
    name: "agrees",
    head: "Saw this log",
    cell: ({ agrees }) =>
      agrees === undefined ? (
        <Status>can't be told any more</Status>
      ) : (
        <Status tone={agrees ? "good" : "bad"}>{agrees ? "yes" : "another one"}</Status>
      ),
  },
];

function WitnessTable({ known: { witnesses, incidents } }: { readonly known: Witnesses }): JSX.Element {
  return (
    <>
      {incidents.map(({ by, kind, says, at }) => (
        <Notice key={`${by} ${at}`} tone="bad">
          {shown(by)} reported at {at}: {kind}. {shown(says)}
        </Notice>
      ))}
      <Table
        label="Witnesses of the log"
        columns={witnessColumns}
        rows={witnesses}
        keyOf={({ name }) => name}
        empty={
          <Empty title="Nobody has cosigned it yet">
            Each sidecar is a witness; it cosigns what it sees.
          </Empty>
        }
      />
    </>
  );
}
