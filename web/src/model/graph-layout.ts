/** Where the map's nodes and links stand: callers at the left, servers at the right, both in rows; links meet at the gateway. */
import { type Graph, type GraphLink, type GraphNode, isTroubled, type Posture, postures } from "./graph.ts";

/** Of a row, in CSS pixels; the style sheet has the same. */
export const rowHeight = 64;
/** How much of the gateway's side links are spread over. */
const gatewaySide = 160;
const thinnest = 1.5;
const thickest = 14;
/** More nodes than that nobody tells apart: the quietest stand as one. */
const maxNodes = 40;

export interface Strand {
  readonly id: string;
  readonly posture: Posture;
  readonly width: number;
  /** Of an SVG path in a field 100 wide and `height` high. */
  readonly path: string;
  /** The end that isn't the gateway. */
  readonly node: string;
  /** For those who point at it. */
  readonly link: GraphLink;
}

export interface Layout {
  readonly callers: readonly GraphNode[];
  readonly gateway: GraphNode | undefined;
  readonly servers: readonly GraphNode[];
  readonly height: number;
  readonly left: readonly Strand[];
  readonly right: readonly Strand[];
}

export function layoutOf(graph: Graph): Layout {
  const all = (kind: GraphNode["kind"]): readonly GraphNode[] =>
    graph.nodes.filter((node) => node.kind === kind).toSorted(byWeight);
  const [everyCaller, everyServer] = [all("caller"), all("server")];
  const callers = grouped(everyCaller, roomBeside(everyServer));
  const servers = grouped(everyServer, roomBeside(everyCaller));
  const height = Math.max(callers.length, servers.length, 3) * rowHeight;
  const links = groupedLinks(graph.links, [...callers, ...servers]);
  const busiest = Math.max(1, ...links.map(({ calls }) => calls));
  const widthOf = ({ calls }: GraphLink): number =>
    calls === 0 ? thinnest : thinnest + (thickest - thinnest) * Math.sqrt(calls / busiest);
  const field = { height, links, widthOf };
  return {
    callers,
    gateway: graph.nodes.find(({ kind }) => kind === "gateway"),
    servers,
    height,
    left: strands(callers, { ...field, isLeft: true }),
    right: strands(servers, { ...field, isLeft: false }),
  };
}

/** How many of one kind there is room for, beside so many of the other. */
function roomBeside(others: readonly GraphNode[]): number {
  const room = maxNodes - 1;
  return Math.max(Math.floor(room / 2), room - others.length);
}

/** What is wrong first, then the busiest: nobody has to look for it, and it is never in the group. */
function byWeight(a: GraphNode, b: GraphNode): number {
  return Number(isTroubled(b)) - Number(isTroubled(a)) || b.calls - a.calls || (a.label < b.label ? -1 : 1);
}

function grouped(nodes: readonly GraphNode[], room: number): readonly GraphNode[] {
  if (nodes.length <= room) return nodes;
  const members = nodes.slice(room - 1);
  const [first] = members;
  if (first === undefined) return nodes;
  const sum = (of: (node: GraphNode) => number): number => members.reduce((all, each) => all + of(each), 0);
  const words = `${members.length} other ${first.kind}s`;
  return [
    ...nodes.slice(0, room - 1),
    {
      id: `others:${first.kind}`,
      kind: first.kind,
      name: words,
      label: words,
      what: "each with little traffic",
      posture: weakest(members.map(({ posture }) => posture)),
      calls: sum(({ calls }) => calls),
      denied: sum(({ denied }) => denied),
      held: sum(({ held }) => held),
      error: sum(({ error }) => error),
      lastSeen: Math.max(...members.map(({ lastSeen }) => lastSeen ?? 0)) || undefined,
      restrictions: members.flatMap(({ restrictions }) => restrictions),
      incidents: [...new Set(members.flatMap(({ incidents }) => incidents))],
      members,
    },
  ];
}

const worstFirst: readonly Posture[] = ["plain", "classical", "unknown", "local", "hybrid"];

function weakest(all: readonly Posture[]): Posture {
  return worstFirst.find((each) => all.includes(each)) ?? postures[0];
}

/** Links of a group's members are the group's. */
function groupedLinks(links: readonly GraphLink[], nodes: readonly GraphNode[]): readonly GraphLink[] {
  const standIn = new Map(
    nodes.flatMap(({ id, members = [] }) => members.map((member) => [member.id, id] as const)),
  );
  const joined = new Map<string, GraphLink>();
  for (const link of links) {
    const from = standIn.get(link.from) ?? link.from;
    const to = standIn.get(link.to) ?? link.to;
    const key = JSON.stringify([from, to, link.posture]);
    const before = joined.get(key);
    joined.set(key, before === undefined ? { ...link, from, to } : bothOf(before, link));
  }
  return [...joined.values()];
}

function bothOf(a: GraphLink, b: GraphLink): GraphLink {
  return {
    ...a,
    calls: a.calls + b.calls,
    denied: a.denied + b.denied,
    held: a.held + b.held,
    error: a.error + b.error,
    suites: [...new Set([...a.suites, ...b.suites])],
    certificates: [...new Set([...a.certificates, ...b.certificates])],
  };
}

interface Field {
  readonly height: number;
  readonly links: readonly GraphLink[];
  readonly widthOf: (link: GraphLink) => number;
  readonly isLeft: boolean;
}

/** In the order of the nodes, so that no two of them cross. */
function strands(nodes: readonly GraphNode[], { height, links, widthOf, isLeft }: Field): readonly Strand[] {
  const top = (height - nodes.length * rowHeight) / 2;
  const ends = nodes.flatMap(({ id }, row) => {
    const own = links.filter(({ from, to }) => (isLeft ? from : to) === id);
    const middle = top + (row + 0.5) * rowHeight;
    // Several links of one node, of different postures, stand beside each other.
    return own.map((link, at) => ({ id, link, y: middle + (at - (own.length - 1) / 2) * thickest }));
  });
  const widths = ends.map(({ link }) => widthOf(link));
  const side = Math.min(gatewaySide, height - rowHeight);
  const gap = ends.length > 1 ? side / (ends.length - 1) : 0;
  return ends.map(({ id, link, y }, at) => {
    const meet = height / 2 + (ends.length > 1 ? at * gap - side / 2 : 0);
    const [x0, x1] = isLeft ? [0, 100] : [100, 0];
    return {
      id: `${link.from} ${link.to} ${link.posture}`,
      posture: link.posture,
      width: Math.round((widths[at] ?? thinnest) * 10) / 10,
      path: `M${x0} ${round(y)}C50 ${round(y)} 50 ${round(meet)} ${x1} ${round(meet)}`,
      node: id,
      link,
    };
  });
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
