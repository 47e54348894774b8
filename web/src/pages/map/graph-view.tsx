/** The graph: nodes are buttons in two columns, links are strands between them; on a phone, two lists. */
import type { JSX } from "preact";
import { useRef } from "preact/hooks";

import { type Graph, type GraphNode, isTroubled, postureWords, related } from "../../model/graph.ts";
import type { Layout, Strand } from "../../model/graph-layout.ts";
import { actionTitle } from "../../model/orders.ts";
import { compact, count } from "../../model/words.ts";
import { Badge } from "../../ui/badge.tsx";
import { Icon } from "../../ui/icon.tsx";

interface GraphViewProps {
  readonly graph: Graph;
  readonly layout: Layout;
  readonly chosen: string | undefined;
  readonly onChoose: (id: string | undefined) => void;
}

export function GraphView({ graph, layout, chosen, onChoose }: GraphViewProps): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  const lit = chosen === undefined ? undefined : related(withGroups(graph, layout), chosen);
  const column = (nodes: readonly GraphNode[], name: string): JSX.Element => (
    <div class={`nodes ${name}`}>
      <h3>{name === "callers" ? "Callers" : "Servers"}</h3>
      <ul aria-label={name === "callers" ? "Callers" : "Servers"}>
        {nodes.map((node) => (
          <li key={node.id} class={lit === undefined ? "" : lit.has(node.id) ? "lit" : "unlit"}>
            <Node node={node} isChosen={node.id === chosen} onChoose={onChoose} />
          </li>
        ))}
      </ul>
    </div>
  );
  return (
    <div class="graph" ref={place} onKeyDown={(event) => move(event, place.current)}>
      {column(layout.callers, "callers")}
      <Strands strands={layout.left} height={layout.height} lit={lit} />
      {layout.gateway !== undefined && (
        <div class="nodes gateway">
          <Node node={layout.gateway} isChosen={layout.gateway.id === chosen} onChoose={onChoose} />
        </div>
      )}
      <Strands strands={layout.right} height={layout.height} lit={lit} />
      {column(layout.servers, "servers")}
    </div>
  );
}

/** Groups are nodes, too. */
function withGroups(graph: Graph, { callers, servers }: Layout): Graph {
  return { ...graph, nodes: [...graph.nodes, ...[...callers, ...servers].filter(({ members }) => members)] };
}

/** The table below says the same in words. */
function Strands({
  strands,
  height,
  lit,
}: {
  readonly strands: readonly Strand[];
  readonly height: number;
  readonly lit: ReadonlySet<string> | undefined;
}): JSX.Element {
  return (
    <svg
      class="strands"
      height={height}
      viewBox={`0 0 100 ${height}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      {strands.map(({ id, path, posture, width, node, link }) => (
        <path
          key={id}
          d={path}
          stroke-width={width}
          class={`strand ${posture} ${lit?.has(node) === false ? "dim" : ""}`}
        >
          <title>
            {[count(link.calls, "call", "calls"), postureWords[posture], link.path]
              .filter(Boolean)
              .join(", ")}
          </title>
        </path>
      ))}
    </svg>
  );
}

const icons = { caller: "robot", gateway: "lock", server: "server" } as const;

function Node({
  node,
  isChosen,
  onChoose,
}: {
  readonly node: GraphNode;
  readonly isChosen: boolean;
  readonly onChoose: (id: string | undefined) => void;
}): JSX.Element {
  const { id, kind, label, calls, denied, posture, restrictions, incidents } = node;
  const [restriction] = restrictions;
  return (
    <button
      type="button"
      class={`node ${kind} ${isTroubled(node) ? "troubled" : ""}`}
      aria-pressed={isChosen}
      title={label}
      onClick={() => onChoose(isChosen ? undefined : id)}
    >
      <Icon name={icons[kind]} size={18} />
      <span class="node-name">{label}</span>
      <span class="node-says">
        {compact(calls)} {calls === 1 ? "call" : "calls"}
        {kind === "gateway" && denied > 0 && `, ${compact(denied)} refused`}
        {kind !== "gateway" && <span class={`node-posture ${posture}`}>{postureWords[posture]}</span>}
      </span>
      {(restriction !== undefined || incidents.length > 0) && (
        <span class="node-marks">
          {restriction !== undefined && (
            <Badge tone="bad" icon="stop">
              {actionTitle(restriction.action)}
            </Badge>
          )}
          {incidents.length > 0 && (
            <Badge
              tone="warn"
              icon="warning"
              title={count(incidents.length, "open incident", "open incidents")}
            >
              {incidents.length}
              <span class="hidden"> {incidents.length === 1 ? "open incident" : "open incidents"}</span>
            </Badge>
          )}
        </span>
      )}
    </button>
  );
}

/** Arrow keys go from node to node: up and down within a column, left and right to the next one. */
function move(event: KeyboardEvent, place: HTMLElement | null): void {
  const from = (event.target as Element).closest<HTMLElement>(".node");
  if (place === null || from === null) return;
  const columns = [...place.querySelectorAll(".nodes")].map((column) => [
    ...column.querySelectorAll<HTMLElement>(".node"),
  ]);
  const at = columns.findIndex((column) => column.includes(from));
  const column = columns[at] ?? [];
  const row = column.indexOf(from);
  const beside = (to: number): HTMLElement | undefined => {
    const other = columns[to];
    return other?.[Math.min(row, other.length - 1)];
  };
  const next = {
    ArrowUp: column[row - 1],
    ArrowDown: column[row + 1],
    ArrowLeft: beside(at - 1),
    ArrowRight: beside(at + 1),
    Home: column[0],
    End: column.at(-1),
  }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  next.focus();
}
