/** One node of the map: what it is, how it is linked, with whom it talks, what is wrong with it, and what can be done. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

import { Restrict } from "../../acting/restrict.tsx";
import { Restrictions } from "../../acting/restrictions.tsx";
import { may, segment } from "../../api.ts";
import { type Graph, type GraphNode, postureWords, readNodePast } from "../../model/graph.ts";
import { readIncidents } from "../../model/incidents.ts";
import { labelOf, type Scope } from "../../model/orders.ts";
import { readResponses } from "../../model/responses.ts";
import { count } from "../../model/words.ts";
import { Button } from "../../ui/button.tsx";
import { Icon } from "../../ui/icon.tsx";
import { Facts, Panel } from "../../ui/panel.tsx";
import { Time } from "../../ui/time.tsx";
import { useLoaded } from "../../use-loaded.ts";

interface NodeStoryProps {
  readonly graph: Graph;
  readonly node: GraphNode;
  readonly onClose: () => void;
}

export function NodeStory({ graph, node, onClose }: NodeStoryProps): JSX.Element {
  const isAsked = useSignal(false);
  const { kind, label, what, members } = node;
  const scope = scopeOf(node);
  return (
    <Panel
      class="node-story"
      title={<span class="said-name">{label}</span>}
      says={what}
      actions={
        <Button kind="quiet" icon="close" isIconOnly onClick={onClose}>
          Close
        </Button>
      }
    >
      <Figures graph={graph} node={node} />
      {node.incidents.length > 0 && <Incidents ids={node.incidents} />}
      <Restricted node={node} />
      <Peers graph={graph} node={node} />
      {scope !== undefined && <Past id={node.id} />}
      <div class="row">
        {kind === "server" && members === undefined && <a href={`/tools/${segment(node.name)}`}>Its tools</a>}
        {kind === "caller" && members === undefined && (
          <a href={`/audit?caller=${encodeURIComponent(node.name)}`}>Its entries</a>
        )}
        {scope !== undefined && may("operator") && (
          <Button kind="danger" icon="stop" onClick={() => (isAsked.value = true)}>
            Restrict
          </Button>
        )}
      </div>
      {isAsked.value && scope !== undefined && (
        <Restrict targets={[{ scope, label: labelOf(scope) }]} onClose={() => (isAsked.value = false)} />
      )}
    </Panel>
  );
}

/** What can be restricted: neither groups, nor the gateway, nor callers that aren't told apart. */
function scopeOf({ kind, name, members }: GraphNode): Scope | undefined {
  if (members !== undefined || kind === "gateway" || name.startsWith("(")) return undefined;
  return kind === "caller" ? { caller: name } : { server: name };
}

function Incidents({ ids }: { readonly ids: readonly string[] }): JSX.Element {
  const { data } = useLoaded("/incidents?limit=500", readIncidents, ["incidents"]);
  const titles = new Map((data ?? []).map(({ id, title }) => [id, title]));
  return (
    <>
      <h3>Open incidents</h3>
      <ul class="plain-list">
        {ids.map((id) => (
          <li key={id} class="small">
            <Icon name="warning" size={15} /> <a href={`/incidents/${segment(id)}`}>{titles.get(id) ?? id}</a>
          </li>
        ))}
      </ul>
    </>
  );
}

function Figures({ graph: { links }, node }: Pick<NodeStoryProps, "graph" | "node">): JSX.Element {
  const { calls, denied, held, error, lastSeen, posture, id } = node;
  const own = links.filter(({ from, to }) => from === id || to === id);
  const names = (of: (link: (typeof own)[number]) => readonly string[]): string =>
    [...new Set(own.flatMap(of))].join(", ");
  const [suites, certificates] = [names((link) => link.suites), names((link) => link.certificates)];
  const paths = names(({ path }) => (path === "" ? [] : [path]));
  const counts = [
    count(calls, "call", "calls"),
    denied > 0 && `${denied.toLocaleString("en")} refused`,
    held > 0 && `${held.toLocaleString("en")} held`,
    error > 0 && `${error.toLocaleString("en")} failed`,
  ].filter((part) => part !== false);
  return (
    <Facts
      facts={[
        ["Traffic", counts.join(", ")],
        ["Weakest link", postureWords[posture]],
        ...(paths === "" ? [] : [["Reached", paths] as const]),
        ...(suites === "" ? [] : [["Key exchange", suites] as const]),
        ...(certificates === "" ? [] : [["Proven by", certificates] as const]),
        ["Last call", lastSeen === undefined ? "none" : <Time key="last" at={lastSeen} />],
      ]}
    />
  );
}

function Restricted({ node: { restrictions } }: Pick<NodeStoryProps, "node">): JSX.Element | null {
  const ids = new Set(restrictions.map(({ id }) => id));
  const loaded = useLoaded(ids.size === 0 ? undefined : "/responses?limit=500", readResponses, ["responses"]);
  const own = (loaded.data ?? []).filter(({ id }) => ids.has(id));
  if (own.length === 0) return null;
  return (
    <>
      <h3>In force</h3>
      <Restrictions responses={own} onDone={loaded.reload} />
    </>
  );
}

/** More is in the audit log. */
const maxChanges = 8;

function Past({ id }: { readonly id: string }): JSX.Element | null {
  const { data } = useLoaded(`/map/${segment(id)}`, readNodePast, ["responses", "incidents", "tools"]);
  if (data === undefined || data.changes.length === 0) return null;
  return (
    <>
      <h3>What changed</h3>
      <ol class="past" aria-label="What changed" tabIndex={0}>
        {data.changes.slice(0, maxChanges).map(({ at, says, by }, index) => (
          <li key={index} class="small">
            {says} <span class="faint">{by !== "" && `By ${by}, `}</span>
            <span class="faint">
              <Time at={at} />
            </span>
          </li>
        ))}
      </ol>
    </>
  );
}

/** Of a group its members, of anything else whom it talks to. */
function Peers({
  graph: { nodes, routes },
  node,
}: Pick<NodeStoryProps, "graph" | "node">): JSX.Element | null {
  const labels = new Map(nodes.map(({ id, label }) => [id, label]));
  const peers =
    node.members?.map(({ id, calls, denied }) => ({ id, calls, denied })) ??
    routes
      .filter(({ from, to }) => from === node.id || to === node.id)
      .map(({ from, to, calls, denied }) => ({ id: from === node.id ? to : from, calls, denied }));
  if (peers.length === 0) return null;
  return (
    <>
      <h3>{node.members !== undefined ? "Who they are" : node.kind === "caller" ? "Calls" : "Called by"}</h3>
      <ul class="peers">
        {peers.map(({ id, calls, denied }) => (
          <li key={id}>
            <a href={`/map?node=${encodeURIComponent(id)}`}>{labels.get(id) ?? id}</a>
            <span class="faint small">
              {count(calls, "call", "calls")}
              {denied > 0 && `, ${denied} refused`}
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}
