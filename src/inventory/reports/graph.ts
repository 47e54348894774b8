/** Clients and callers on the left, servers on the right, a line for each way there: its kind by colour, by dashes and in a word. */
import type { Inventory, InventoryServer } from "../inventory.ts";
import { escaped } from "./escaped.ts";

/** Drawn of each side; the tables have all. */
const maxDrawn = 60;

export const kinds = {
  clear: { colour: "bad", dashes: "2 4", says: "dots: clear text" },
  weak: { colour: "bad", dashes: "10 3", says: "long dashes: weak, broken by means of today" },
  classical: {
    colour: "mid",
    dashes: "6 6",
    says: "dashes: classical or downgradable, read later if recorded",
  },
  unknown: { colour: "calm", dashes: "1 7", says: "far dots: not known" },
  hybrid: { colour: "good", dashes: "none", says: "solid: hybrid (ML-KEM)" },
  local: { colour: "calm", dashes: "12 3 2 3", says: "dash and dot: a pipe on one machine" },
} as const;

interface Way {
  readonly from: string;
  readonly to: string;
}

export function graphOf({ clients, callers, servers }: Inventory): string {
  const ways = [
    ...servers.flatMap(({ id, evidence }) =>
      evidence.flatMap((each) => (each.by === "client" ? [{ from: each.file, to: id }] : [])),
    ),
    ...callers.flatMap((caller) => caller.servers.map((to) => ({ from: caller.id, to }))),
  ];
  const left = [...new Set([...clients.map(({ file }) => file), ...callers.map(({ id }) => id)])];
  const drawnLeft = left.slice(0, maxDrawn);
  const drawn = servers.slice(0, maxDrawn);
  const height = 40 * Math.max(1, drawnLeft.length, drawn.length) + 10;
  const cut = left.length > maxDrawn || servers.length > maxDrawn;
  return [
    `<svg viewBox="0 0 900 ${height}" role="img" aria-label="Clients and the servers they reach" font-size="12">`,
    ...linesOf(ways, drawnLeft, drawn),
    ...drawnLeft.map((name, at) => box(5, at, name)),
    ...drawn.map(({ id }, at) => box(595, at, id)),
    "</svg>",
    ...(cut ? [`<p>The first ${maxDrawn} of each side are drawn.</p>`] : []),
  ].join("\n");
}

function linesOf(
  ways: readonly Way[],
  left: readonly string[],
  servers: readonly InventoryServer[],
): readonly string[] {
  const once = new Map(ways.map((way) => [JSON.stringify(way), way]));
  return [...once.values()].flatMap(({ from, to }) => {
    const [a, b] = [left.indexOf(from), servers.findIndex(({ id }) => id === to)];
    const server = servers[b];
    if (a === -1 || server === undefined) return [];
    const kind = kindOf(server);
    const { colour, dashes } = kinds[kind];
    const [y1, y2] = [40 * a + 20, 40 * b + 20];
    return [
      `<line x1="305" y1="${y1}" x2="595" y2="${y2}" stroke-width="2" class="${colour}" stroke-dasharray="${dashes}"/>`,
      `<text x="540" y="${y2 - (y2 - y1) * 0.12 - 3}">${kind}</text>`,
    ];
  });
}

function box(x: number, at: number, name: string): string {
  const short = name.length > 44 ? `…${name.slice(-43)}` : name;
  return `<g><title>${escaped(name)}</title><rect x="${x}" y="${40 * at + 5}" width="300" height="30" rx="4"/><text x="${x + 8}" y="${40 * at + 24}">${escaped(short)}</text></g>`;
}

function kindOf({ place, posture }: InventoryServer): keyof typeof kinds {
  if (place.kind === "stdio") return "local";
  switch (posture?.keyExchange.verdict) {
    case "none":
      return "clear";
    case "weak":
      return "weak";
    case "classical":
    case "downgradable":
      return "classical";
    case "hybrid":
    case "hybrid-preferred":
      return "hybrid";
    case "local":
      return "local";
    default:
      return "unknown";
  }
}
