/** What is in use: key exchanges over time, links by how strong they are, servers, and the weakest spots. */
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";

import {
  type Link,
  type LinkKind,
  linkKinds,
  type Profiles,
  readSuites,
  type Server,
  serverPosture,
} from "../../model/crypto.ts";
import { compact } from "../../model/words.ts";
import { Badge, Status, type Tone } from "../../ui/badge.tsx";
import { Chart, type Series } from "../../ui/chart.tsx";
import { Panel } from "../../ui/panel.tsx";
import { Empty, Show } from "../../ui/states.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { now } from "../../ui/time.tsx";
import { useLoaded } from "../../use-loaded.ts";

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
const tones = ["good", "accent", "info", "warn", "plain", "bad"] as const satisfies readonly Tone[];

export function Suites(): JSX.Element {
  const minute = Math.floor(now.value / (5 * minuteMs)) * 5 * minuteMs;
  const loaded = useLoaded(`/traffic?since=${minute - dayMs}`, readSuites, ["calls-slowly"]);
  return (
    <Panel title="Key exchanges" says="Calls by the TLS group of their link, last 24 hours">
      <Show loaded={loaded} rows={6}>
        {(suites) =>
          suites.series.length === 0 ? (
            <Empty title="No calls yet">Each link's key exchange is counted with its calls.</Empty>
          ) : (
            <SuiteChart key={suites.series.map(({ group }) => group).join(" ")} suites={suites} />
          )
        }
      </Show>
    </Panel>
  );
}

function SuiteChart({ suites }: { readonly suites: ReturnType<typeof readSuites> }): JSX.Element {
  const series = useMemo(
    () =>
      suites.series.map(({ group, values }, at): Series => ({
        name: group,
        tone: tones[at] ?? "plain",
        values,
      })),
    [suites],
  );
  return (
    <Chart
      label="Calls by TLS group, last 24 hours"
      times={suites.times}
      series={series}
      format={compact}
      isStacked
    />
  );
}

const levels: Readonly<Record<string, Tone>> = { high: "bad", medium: "warn", low: "info" };

export function WeakSpots({ spots }: { readonly spots: Profiles["weakSpots"] }): JSX.Element {
  return (
    <Panel title="Weakest spots" says="High: it can be read, now or once it was recorded.">
      {spots.length === 0 ? (
        <Empty title="None found" icon="check">
          All that is in use stands against a quantum computer, as far as this gateway knows.
        </Empty>
      ) : (
        <ul class="spots">
          {spots.map(({ level, where, why }) => (
            <li key={`${where} ${why}`}>
              <Badge tone={levels[level]} icon={level === "low" ? "info" : "warning"}>
                {level}
              </Badge>
              <div>
                <strong>{where}</strong>: {why}
              </div>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Strength({ isHybrid }: Pick<Link, "isHybrid">): JSX.Element {
  return isHybrid ? (
    <Status tone="good" icon="lock">
      hybrid
    </Status>
  ) : (
    <Status tone="warn" icon="unlock">
      classical
    </Status>
  );
}

const maxCallers = 3;

const linkColumns: readonly Column<LinkKind>[] = [
  { name: "posture", head: "Strength", cell: (link) => <Strength isHybrid={link.isHybrid} /> },
  {
    name: "group",
    head: "Key exchange",
    isMain: true,
    cell: ({ group, certificate, classical, path }) => (
      <>
        {group}
        {path !== "" && <span class="small"> · {path}</span>}
        <p class="small faint">
          {[certificate, classical].filter(Boolean).join(" + ") || "no certificate of ours"}
        </p>
      </>
    ),
  },
  {
    name: "count",
    head: "Links",
    isNumber: true,
    cell: ({ count }) => compact(count),
    sortBy: ({ count }) => count,
  },
  {
    name: "callers",
    head: "Whose",
    isWide: true,
    isExtra: true,
    cell: ({ callers }) =>
      callers.length === 0
        ? "nobody proven yet"
        : `${callers.slice(0, maxCallers).join(", ")}${callers.length > maxCallers ? ` and ${callers.length - maxCallers} more` : ""}`,
  },
];

export function Links({ links }: { readonly links: readonly Link[] }): JSX.Element {
  return (
    <Panel title="Open links" isFlush>
      <Table
        label="Open links by how strong they are"
        columns={linkColumns}
        rows={linkKinds(links)}
        keyOf={(link) => `${link.listener} ${link.group} ${link.certificate} ${link.classical} ${link.path}`}
        empty={<Empty title="No link is open">Callers open one with their first call.</Empty>}
      />
    </Panel>
  );
}

const postures = {
  hybrid: ["good", "lock", "hybrid"],
  classical: ["warn", "unlock", "classical"],
  plain: ["bad", "unlock", "not encrypted"],
  local: ["plain", "server", "on this machine"],
  unknown: ["plain", "clock", "no link yet"],
} as const;

const serverColumns: readonly Column<Server>[] = [
  {
    name: "name",
    head: "Server",
    isMain: true,
    cell: ({ name, target }) => (
      <>
        {name}
        <p class="small faint server-target">{target}</p>
      </>
    ),
  },
  {
    name: "posture",
    head: "Strength",
    cell: (server) => {
      const [tone, icon, words] = postures[serverPosture(server)];
      return (
        <Status tone={tone} icon={icon}>
          {words}
        </Status>
      );
    },
  },
  {
    name: "negotiated",
    head: "Last link",
    isWide: true,
    isExtra: true,
    cell: ({ negotiated, path }) => (
      <>
        {negotiated || "–"}
        {path !== "" && <p class="small faint">reached {path}</p>}
      </>
    ),
  },
];

export function Servers({ servers }: { readonly servers: readonly Server[] }): JSX.Element {
  return (
    <Panel title="Links to servers" isFlush>
      <Table
        label="Links to servers"
        columns={serverColumns}
        rows={servers}
        keyOf={({ name }) => name}
        empty={<Empty title="No server is configured" />}
      />
    </Panel>
  );
}
