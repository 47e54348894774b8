/** Who talks to what: callers, the gateway and its servers as nodes, their links with what protects them. */
import { busiest, type Counted, countedIn, suitesIn, type TrafficRow } from "./traffic-report.ts";

type Posture = "hybrid" | "classical" | "plain" | "local" | "unknown";

export interface MapServer {
  readonly name: string;
  /** How it is reached, and where. */
  readonly what: string;
  /** On this machine: no network is in between. */
  readonly isLocal: boolean;
  readonly isVirtual: boolean;
  /** Negotiated when it was asked last, whether or not calls say so. */
  readonly negotiated?: {
    readonly group: string;
    readonly certificate: string | null;
    readonly isHybrid: boolean;
  };
}

interface MapRestriction {
  readonly id: string;
  readonly action: string;
  readonly because: string;
  readonly until: string;
  readonly caller?: string;
  readonly server?: string;
}

interface MapIncident {
  readonly id: string;
  readonly callers: readonly string[];
  readonly servers: readonly string[];
}

interface Material {
  /** By caller, server, verdict and links; `atUnixMs` is when each was last seen. */
  readonly rows: readonly TrafficRow[];
  readonly servers: readonly MapServer[];
  readonly restrictions: readonly MapRestriction[];
  readonly incidents: readonly MapIncident[];
  readonly gateway: string;
}

interface MapNode extends Counted {
  readonly id: string;
  readonly kind: "caller" | "gateway" | "server";
  readonly name: string;
  readonly what: string;
  readonly posture: Posture;
  readonly lastSeenUnixMs: number | null;
  readonly restrictions: readonly Omit<MapRestriction, "caller" | "server">[];
  readonly incidents: readonly string[];
}

interface MapLink extends Counted {
  readonly from: string;
  readonly to: string;
  readonly posture: Posture;
  readonly suites: Record<string, number>;
  readonly certificates: readonly string[];
}

export interface TrafficMap {
  readonly nodes: readonly MapNode[];
  readonly links: readonly MapLink[];
  readonly routes: readonly (Counted & { readonly caller: string; readonly server: string })[];
  /** Callers that there is no room for. */
  readonly left: number;
}

/** What can be seen at once. */
const maxCallers = 100;
const maxRoutes = 500;

const erased = "(erased or not told apart)";
const gatewayNode = "gateway";

export function trafficMap({ rows, servers, restrictions, incidents, gateway }: Material): TrafficMap {
  const byCaller = Map.groupBy(rows, ({ caller }) => caller || erased);
  // Who is restricted is shown though nothing comes of it any more.
  for (const { caller } of restrictions)
    if (caller !== undefined && !byCaller.has(caller)) byCaller.set(caller, []);
  const about = { restrictions, incidents };
  const callers = [...byCaller]
    .map(([name, all]) => ({ name, all, isRestricted: restrictions.some(({ caller }) => caller === name) }))
    .toSorted((a, b) => Number(b.isRestricted) - Number(a.isRestricted) || callsIn(b.all) - callsIn(a.all));
  const shown = callers.slice(0, maxCallers);
  const callerLinks = shown.map(({ name, all }) => callerLink(name, all));
  const serverLinks = servers.map((server) => serverLink(server, rowsOf(rows, server)));
  const names = new Set(shown.map(({ name }) => name));
  return {
    nodes: [
      ...shown.map(({ name, all }, i) => callerNode(name, all, { ...about, link: callerLinks[i] })),
      {
        ...countedIn(rows),
        id: gatewayNode,
        kind: "gateway",
        name: gateway,
        what: "this gateway",
        posture: weakest(callerLinks.map(({ posture }) => posture)),
        lastSeenUnixMs: lastIn(rows),
        restrictions: [],
        incidents: [],
      },
      ...servers.map((server, i) =>
        serverNode(server, rowsOf(rows, server), { ...about, link: serverLinks[i] }),
      ),
    ],
    links: [...callerLinks.filter(({ calls }) => calls > 0), ...serverLinks],
    routes: routesIn(rows).filter(({ caller }) => names.has(caller)),
    left: callers.length - shown.length,
  };
}

interface About extends Pick<Material, "restrictions" | "incidents"> {
  readonly link: MapLink | undefined;
}

function callerNode(name: string, rows: readonly TrafficRow[], about: About): MapNode {
  return {
    ...countedIn(rows),
    id: callerId(name),
    kind: "caller",
    name,
    what: whatIsCaller(name),
    posture: about.link?.posture ?? "unknown",
    lastSeenUnixMs: lastIn(rows),
    restrictions: about.restrictions.filter(({ caller }) => caller === name).map(shownRestriction),
    incidents: about.incidents.filter(({ callers }) => callers.includes(name)).map(({ id }) => id),
  };
}

function serverNode(server: MapServer, rows: readonly TrafficRow[], about: About): MapNode {
  const { name, what } = server;
  return {
    ...countedIn(rows),
    id: serverId(name),
    kind: "server",
    name,
    what,
    posture: about.link?.posture ?? "unknown",
    lastSeenUnixMs: lastIn(rows),
    // Of those about one caller at this server, the caller's node tells.
    restrictions: about.restrictions
      .filter((each) => each.server === name && each.caller === undefined)
      .map(shownRestriction),
    incidents: about.incidents.filter(({ servers }) => servers.includes(name)).map(({ id }) => id),
  };
}

export function callerId(name: string): string {
  return `caller:${name}`;
}

export function serverId(name: string): string {
  return `server:${name}`;
}

function shownRestriction({ id, action, because, until }: MapRestriction): MapNode["restrictions"][number] {
  return { id, action, because, until };
}

function whatIsCaller(name: string): string {
  if (name.startsWith("spiffe://")) return "workload";
  if (name.startsWith("oauth:")) return "client with a token";
  return name === erased ? "callers" : "nobody that was proven";
}

function rowsOf(rows: readonly TrafficRow[], { name }: MapServer): readonly TrafficRow[] {
  return rows.filter(({ server }) => server === name);
}

function callerLink(name: string, rows: readonly TrafficRow[]): MapLink {
  return {
    ...countedIn(rows),
    from: callerId(name),
    to: gatewayNode,
    posture: weakest(rows.map(({ link }) => postureIn(link))),
    suites: suitesIn(rows),
    certificates: certificatesIn(rows.map(({ link }) => link)),
  };
}

function serverLink(server: MapServer, rows: readonly TrafficRow[]): MapLink {
  const reached = rows.filter(({ serverLink: link }) => link !== "");
  const { negotiated } = server;
  const noted = reached.length === 0 ? negotiated : undefined;
  const said = noted && (noted.isHybrid ? "hybrid" : "classical");
  return {
    ...countedIn(rows),
    from: gatewayNode,
    to: serverId(server.name),
    posture:
      server.isLocal || server.isVirtual
        ? "local"
        : (said ?? weakest(reached.map(({ serverLink: link }) => postureIn(link)))),
    suites: noted ? { [noted.group]: 0 } : suitesIn(reached, ({ serverLink: link }) => link),
    certificates: noted
      ? [noted.certificate].filter((each) => each !== null)
      : certificatesIn(reached.map(({ serverLink: link }) => link)),
  };
}

function routesIn(rows: readonly TrafficRow[]): TrafficMap["routes"] {
  const name = ({ caller, server }: TrafficRow): string => `${server}\n${caller || erased}`;
  return busiest(
    rows.filter(({ server }) => server !== ""),
    name,
    maxRoutes,
  ).map(([text, counted]) => {
    const [server = "", ...caller] = text.split("\n");
    return { caller: caller.join("\n"), server, ...counted };
  });
}

const strength = ["plain", "classical", "hybrid", "local", "unknown"] as const;

/** What isn't known says nothing where something is. */
function weakest(all: readonly Posture[]): Posture {
  return strength.find((each) => all.includes(each)) ?? "unknown";
}

function postureIn(link: string): Posture {
  const [kind] = link.split(" ", 1);
  return kind === "hybrid" || kind === "classical" || kind === "plain" ? kind : "unknown";
}

function certificatesIn(links: readonly string[]): readonly string[] {
  const names = links.map((link) => link.split(" ")[2] ?? "-").filter((name) => name !== "-");
  return [...new Set(names)];
}

function callsIn(rows: readonly TrafficRow[]): number {
  return rows.reduce((sum, { calls }) => sum + calls, 0);
}

function lastIn(rows: readonly TrafficRow[]): number | null {
  return rows.length === 0 ? null : Math.max(...rows.map(({ atUnixMs }) => atUnixMs));
}
