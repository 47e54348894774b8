/** What a look around found, for people: what is worst first, every name as what it is. */
import type { Inventory, InventoryServer } from "../inventory/inventory.ts";
import type { Evidence } from "../inventory/sighting.ts";
import type { MarkedInventory } from "../inventory/marked-inventory.ts";
import { type Row, table } from "./table.ts";
import { shown } from "./tools-text.ts";

/** Shown of each list; the rest is in `--json`. */
const maxShown = 50;

export function scanText({ inventory, tools, combinations }: MarkedInventory): readonly string[] {
  const { servers, clients, endpoints, problems } = inventory;
  const secrets = clients.flatMap((client) =>
    client.secrets.map(({ at, what }): Row => [
      shown(client.file),
      shown(at),
      client.readableBy === undefined ? what : `${what}; ${client.readableBy} may read the file`,
    ]),
  );
  return [
    `${count(servers.length, "MCP server")}, ${count(clients.length, "client configuration")}, ${count(endpoints.length, "other listener")}`,
    ...part("Servers, the weakest link first", [headings, ...servers.toSorted(weakestFirst).map(rowOf)]),
    ...part(
      "Why",
      servers.toSorted(weakestFirst).flatMap((server) => reasonsOf(server)),
    ),
    ...part("Other listeners", endpoints.map(endpointRow)),
    ...part("Secrets in the clear; take them out, and change them", secrets),
    ...part(
      "Tools",
      tools.flatMap(({ server, name, findings }) =>
        findings.map(({ severity, says }): Row => [severity, shown(`${server}#${name}`), shown(says)]),
      ),
    ),
    ...part(
      "Together",
      combinations.map(({ who, kind, parts, says }): Row => [
        kind,
        shown(who),
        `${says} (${parts.map(({ trait, tools: named }) => `${trait}: ${shown(named.join(", "))}`).join("; ")})`,
      ]),
    ),
    ...part(
      "Not seen, or in part",
      problems.map(({ at, because }): Row => [shown(at), shown(because)]),
    ),
  ];
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

function part(title: string, rows: readonly Row[]): readonly string[] {
  if (rows.length === 0 || (rows.length === 1 && rows[0] === headings)) return [];
  const left = rows.length - maxShown;
  return [
    "",
    title,
    ...table(rows.slice(0, maxShown)),
    ...(left > 0 ? [`  … and ${left} more, in --json`] : []),
  ];
}

const headings: Row = ["server", "name", "standing", "key exchange", "authentication", "callers", "tools"];

/** From worst to best; what isn't known stands before what is well. */
const order = ["none", "weak", "unknown", "classical", "downgradable", "hybrid-preferred", "hybrid"];

function weakestFirst(a: InventoryServer, b: InventoryServer): number {
  return rank(a) - rank(b) || (a.id < b.id ? -1 : 1);
}

function rank({ posture, place }: InventoryServer): number {
  if (place.kind === "stdio") return order.length;
  const { keyExchange, authentication } = posture ?? {};
  const isBad = [keyExchange?.verdict, authentication?.verdict].some((verdict) => verdict === "weak");
  return Math.min(
    order.indexOf(keyExchange?.verdict ?? "unknown"),
    isBad ? order.indexOf("weak") : order.length,
  );
}

function rowOf(server: InventoryServer): Row {
  const { id, names, name, standing, posture, place, authentication, tools, isCut } = server;
  const isLocal = place.kind === "stdio";
  return [
    shown(id).slice(0, 70),
    shown([...new Set([...names, ...(name === undefined ? [] : [name])])].join(", ")).slice(0, 40),
    standing,
    isLocal ? "local" : (posture?.keyExchange.verdict ?? "unknown"),
    isLocal ? "local" : (posture?.authentication.verdict ?? "unknown"),
    callersOf(authentication?.kind),
    tools === undefined ? "not asked" : `${tools.length}${isCut === true ? "+" : ""}`,
  ];
}

function callersOf(kind: string | undefined): string {
  if (kind === undefined || kind === "unknown") return "unknown";
  return kind === "none" ? "anybody" : kind === "local-user" ? "this user" : kind;
}

function reasonsOf(server: InventoryServer): readonly Row[] {
  const { posture, id, evidence, standing } = server;
  const verdicts = posture === undefined ? [] : [posture.keyExchange, posture.authentication];
  const wanting = verdicts
    .filter(({ verdict }) => !["hybrid", "post-quantum", "local"].includes(verdict))
    .flatMap(({ because, dates }) => {
      const [first] = dates;
      const until = first === undefined ? "" : `; ${first.what} from ${first.from} on (${first.source})`;
      return because.slice(0, 1).map((text) => `${text}${until}`);
    });
  const seen = standing === "shadow" ? [`in nobody's configuration; seen ${seenBy(evidence[0])}`] : [];
  return [...seen, ...wanting].map((text): Row => [shown(id).slice(0, 70), shown(text)]);
}

function seenBy(evidence: Evidence | undefined): string {
  switch (evidence?.by) {
    case "process":
      return `as process ${evidence.pid}`;
    case "listener":
      return `at port ${evidence.port}${evidence.pid === undefined ? "" : ` of process ${evidence.pid}`}`;
    case "traffic":
      return `in the traffic of ${evidence.gateway}`;
    case "card":
      return `in ${evidence.url}`;
    default:
      return "on the network";
  }
}

function endpointRow({ host, port, answers, posture }: Inventory["endpoints"][number]): Row {
  return [
    `${host}:${port}`,
    answers,
    posture === undefined
      ? ""
      : `key exchange ${posture.keyExchange.verdict}, authentication ${posture.authentication.verdict}`,
  ];
}
