/** Who talks to what through the gateway, how strong each link is, and what is shut. */
import type { JSX } from "preact";

import "../../acting/acting.css";
import "./map.css";
import { type Graph, readGraph } from "../../model/graph.ts";
import { layoutOf } from "../../model/graph-layout.ts";
import { type PageProps, setQuery } from "../../router.ts";
import { Select } from "../../ui/field.tsx";
import { PageHead, Panel } from "../../ui/panel.tsx";
import { Empty, Notice, Show } from "../../ui/states.tsx";
import { now } from "../../ui/time.tsx";
import { useLoaded } from "../../use-loaded.ts";
import { GraphView } from "./graph-view.tsx";
import { Legend } from "./legend.tsx";
import { LinkTable } from "./link-table.tsx";
import { NodeStory } from "./node-story.tsx";

const hourMs = 3_600_000;
const spans = [
  { value: "1h", label: "the last hour", ms: hourMs },
  { value: "24h", label: "the last day", ms: 24 * hourMs },
  { value: "7d", label: "the last 7 days", ms: 7 * 24 * hourMs },
  { value: "30d", label: "the last 30 days", ms: 30 * 24 * hourMs },
] as const;
const minuteMs = 60_000;

export default function Page({ query }: PageProps): JSX.Element {
  const asked = query.get("span") ?? "24h";
  const { value: span, ms } = spans.find(({ value }) => value === asked) ?? spans[1];
  // Asked again each minute, since nobody tells of calls here.
  const since = Math.floor(now.value / minuteMs) * minuteMs - ms;
  const loaded = useLoaded(`/map?since=${since}`, readGraph, ["responses", "incidents", "status"]);
  return (
    <>
      <PageHead
        title="Map"
        says="Callers at the left, servers at the right. The wider a link, the more calls; its pattern says how it is protected."
        actions={
          <Select
            label="Traffic of"
            isLabelHidden
            value={span}
            options={spans}
            onChange={(value) => setQuery({ span: value === "24h" ? undefined : value })}
          />
        }
      />
      <Show loaded={loaded} rows={10}>
        {(graph) => <Drawn graph={graph} chosen={query.get("node") ?? undefined} />}
      </Show>
    </>
  );
}

function Drawn({
  graph,
  chosen,
}: {
  readonly graph: Graph;
  readonly chosen: string | undefined;
}): JSX.Element {
  const layout = layoutOf(graph);
  const node = [...graph.nodes, ...layout.callers, ...layout.servers].find(({ id }) => id === chosen);
  const choose = (id: string | undefined): void => setQuery({ node: id });
  if (layout.callers.length === 0 && layout.servers.length === 0)
    return (
      <Empty title="Nothing has called yet" icon="map">
        Enrol a sidecar, or give an agent a web listener's address: who calls shows up here.
      </Empty>
    );
  return (
    <>
      <div class={node === undefined ? "map-split" : "map-split opened"}>
        <Panel title="Who talks to what" actions={<Legend graph={graph} />}>
          <GraphView graph={graph} layout={layout} chosen={node?.id} onChoose={choose} />
          {graph.left > 0 && <Notice>{graph.left} more callers have no room here.</Notice>}
        </Panel>
        {node !== undefined && (
          <NodeStory key={node.id} graph={graph} node={node} onClose={() => choose(undefined)} />
        )}
      </div>
      <LinkTable graph={graph} />
    </>
  );
}
