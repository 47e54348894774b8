/** Callers, the gateway and servers as the API has them: who talks to what, how strong each link is. */
import { pathText } from "./peer-path.ts";
import { revealed } from "../../../src/wire/hidden-text.ts";
import { fields, list, number, text, texts } from "./fields.ts";
import { shown } from "./names.ts";
import { sentence } from "./orders.ts";

/** How a link is protected, the best first; `local`: within this machine. */
export const postures = ["hybrid", "classical", "plain", "local", "unknown"] as const;
export type Posture = (typeof postures)[number];

export const postureWords: Readonly<Record<Posture, string>> = {
  hybrid: "post-quantum hybrid",
  classical: "classical TLS",
  plain: "not encrypted",
  local: "on this machine",
  unknown: "not known",
};

interface Counted {
  readonly calls: number;
  readonly denied: number;
  readonly held: number;
  readonly error: number;
}

export interface GraphNode extends Counted {
  readonly id: string;
  readonly kind: "caller" | "gateway" | "server";
  /** As the gateway has it. */
  readonly name: string;
  /** As it is shown. */
  readonly label: string;
  readonly what: string;
  readonly posture: Posture;
  readonly lastSeen: number | undefined;
  readonly restrictions: readonly { readonly id: string; readonly action: string }[];
  readonly incidents: readonly string[];
  /** Of a group: those that it stands for. */
  readonly members?: readonly GraphNode[];
}

export interface GraphLink extends Counted {
  readonly from: string;
  readonly to: string;
  readonly posture: Posture;
  /** TLS groups, the busiest first. */
  readonly suites: readonly string[];
  readonly certificates: readonly string[];
  /** Between peers, in words: how it goes now. */
  readonly path: string;
}

export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly links: readonly GraphLink[];
  /** Which caller called which server. */
  readonly routes: readonly (Counted & { readonly from: string; readonly to: string })[];
  /** Callers that there is no room for. */
  readonly left: number;
}

export function readGraph(value: unknown): Graph {
  const map = fields(value);
  const nodes = list(map["nodes"]).map(nodeOf);
  const idOf = (kind: string, name: string): string =>
    nodes.find((node) => node.kind === kind && node.name === name)?.id ?? `${kind}:${name}`;
  return {
    nodes,
    links: list(map["links"]).map(linkOf),
    routes: list(map["routes"]).map((route) => ({
      ...countedOf(route),
      from: idOf("caller", text(route["caller"])),
      to: idOf("server", text(route["server"])),
    })),
    left: number(map["left"]),
  };
}

function nodeOf(node: Readonly<Record<string, unknown>>): GraphNode {
  const kind = text(node["kind"]);
  const name = text(node["name"]);
  const seen = node["lastSeenUnixMs"];
  return {
    ...countedOf(node),
    id: text(node["id"]),
    kind: kind === "caller" || kind === "gateway" ? kind : "server",
    name,
    label: shown(name) || "(no name)",
    what: shown(text(node["what"])),
    posture: postureOf(node["posture"]),
    lastSeen: typeof seen === "number" ? seen : undefined,
    restrictions: list(node["restrictions"]).map((each) => ({
      id: text(each["id"]),
      action: text(each["action"]),
    })),
    incidents: texts(node["incidents"]),
  };
}

function linkOf(link: Readonly<Record<string, unknown>>): GraphLink {
  const suites = fields(link["suites"]);
  return {
    ...countedOf(link),
    from: text(link["from"]),
    to: text(link["to"]),
    posture: postureOf(link["posture"]),
    suites: Object.keys(suites)
      .toSorted((a, b) => number(suites[b]) - number(suites[a]))
      .map(revealed),
    certificates: texts(link["certificates"]).map(revealed),
    path: pathText(link["path"]),
  };
}

function countedOf(counted: Readonly<Record<string, unknown>>): Counted {
  return {
    calls: number(counted["calls"]),
    denied: number(counted["denied"]),
    held: number(counted["held"]),
    error: number(counted["error"]),
  };
}

function postureOf(value: unknown): Posture {
  return postures.find((each) => each === value) ?? "unknown";
}

/** What is known of one node besides. */
export interface NodePast {
  readonly firstSeen: number | undefined;
  /** The newest first. */
  readonly changes: readonly { readonly at: number; readonly says: string; readonly by: string }[];
}

export function readNodePast(value: unknown): NodePast {
  const story = fields(value);
  const first = story["firstSeenUnixMs"];
  return {
    firstSeen: typeof first === "number" ? first : undefined,
    changes: list(story["changes"]).map((change) => ({
      at: number(change["atUnixMs"]),
      says: sentence(text(change["says"])),
      by: shown(text(change["by"])),
    })),
  };
}

/** Whether somebody should look at it. */
export function isTroubled({
  restrictions,
  incidents,
}: Pick<GraphNode, "incidents" | "restrictions">): boolean {
  return restrictions.length > 0 || incidents.length > 0;
}

/** Everything that a node has to do with: itself, its links' ends, whom it calls or is called by. */
export function related({ nodes, routes }: Graph, id: string): ReadonlySet<string> {
  const node = nodes.find((each) => each.id === id);
  if (node === undefined || node.kind === "gateway") return new Set(nodes.map((each) => each.id));
  const own = new Set([id, ...(node.members ?? []).map((member) => member.id)]);
  const met = routes.flatMap(({ from, to }) => (own.has(from) ? [to] : own.has(to) ? [from] : []));
  const groups = nodes.filter(({ members }) => members?.some((member) => met.includes(member.id)) === true);
  const gateways = nodes.filter(({ kind }) => kind === "gateway");
  return new Set([...own, ...met, ...groups.map((each) => each.id), ...gateways.map((each) => each.id)]);
}
