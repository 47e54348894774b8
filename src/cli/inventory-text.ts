/** The inventory and the migration plan for people; what strangers wrote is shown as what it is. */
import type { Inventory, InventoryServer } from "../inventory/inventory.ts";
import { type MigrationPlan, phases } from "../inventory/plan.ts";
import { isGone, type Progress } from "../inventory/progress.ts";
import { markTools } from "../inventory/tools/mark-tools.ts";
import { type Row, section, table } from "./table.ts";
import { shown } from "./tools-text.ts";

export function listText(inventory: Inventory): readonly string[] {
  if (inventory.servers.length === 0) return ["No server was found yet."];
  const headings: Row = ["server", "standing", "owner", "data", "exposure", "key exchange", "last seen"];
  const rows = inventory.servers.map((server): Row => [
    shown(server.id),
    server.standing,
    shown(server.labels.owner ?? "-"),
    server.labels.dataClass ?? "-",
    server.exposure,
    server.place.kind === "stdio" ? "local" : (server.posture?.keyExchange.verdict ?? "unknown"),
    `${day(server.lastSeenUnixMs)}${isGone(server, inventory) ? ", gone since" : ""}`,
  ]);
  return table([headings, ...rows], "");
}

export function serverText(server: InventoryServer, inventory: Inventory): readonly string[] {
  const { labels, posture, tools, names, name, version } = server;
  const marked = tools === undefined ? [] : markTools([{ server: server.id, tools }]);
  const known: readonly (readonly [string, string | undefined])[] = [
    ["called", names.join(", ") || undefined],
    ["calls itself", name === undefined ? undefined : `${name} ${version ?? ""}`],
    ["standing", server.standing],
    ["exposure", server.exposure],
    ["owner", labels.owner ?? "nobody"],
    ["purpose", labels.purpose],
    ["data class", labels.dataClass ?? "not labelled"],
    [
      "shelf life",
      labels.shelfLifeMs === undefined ? undefined : `${Math.round(labels.shelfLifeMs / 86_400_000)} days`,
    ],
    ["callers", server.authentication?.kind],
    ["first seen", day(server.firstSeenUnixMs)],
    ["last seen", `${day(server.lastSeenUnixMs)}${isGone(server, inventory) ? ", gone since" : ""}`],
    ["key exchange", posture && `${posture.keyExchange.verdict}: ${posture.keyExchange.because[0] ?? ""}`],
    [
      "authentication",
      posture && `${posture.authentication.verdict}: ${posture.authentication.because[0] ?? ""}`,
    ],
  ];
  return [
    shown(server.id),
    ...table(known.flatMap(([what, text]) => (text === undefined ? [] : [[what, shown(text)]]))),
    ...section(
      "Tools",
      marked.map(({ name: tool, may }): Row => [shown(tool), may.join(", ")]),
    ),
  ];
}

export function planText({
  assumptions,
  urgency,
  phases: parts,
  progress,
}: MigrationPlan): readonly string[] {
  const classes = urgency.map(
    ({ dataClass, servers, shelfLifeYears, isAssumed, yearsLeft, lateByYears }): Row => [
      dataClass,
      `${servers} server${servers === 1 ? "" : "s"}`,
      `${shelfLifeYears} y shelf life${isAssumed ? " (assumed)" : ""} + ${assumptions.migrationYears} y migration`,
      lateByYears > 0
        ? `> ${yearsLeft} y left: too late by ${lateByYears} y`
        : `<= ${yearsLeft} y left: in time by ${-lateByYears} y`,
    ],
  );
  return [
    ...section(`Time (assumed: a quantum computer in ${assumptions.quantumYear})`, classes),
    ...parts.flatMap(({ id, title, steps }) => [
      "",
      `${phases.findIndex((phase) => phase.id === id) + 1}. ${title}`,
      ...steps.flatMap(({ at, owner, why, how, ends, doneWhen }) => [
        `  ${shown(at)}${owner === undefined ? "" : ` (${shown(owner)})`}: ${shown(why)}`,
        ...how.map((line) => `      ${shown(line)}`),
        `    ends: ${ends}`,
        `    done when ${doneWhen}`,
      ]),
    ]),
    "",
    "Progress",
    ...table(progress.slice(-10).map(progressRow)),
  ];
}

function progressRow({ atUnixMs, servers, hybridServers, links, hybridLinks }: Progress): Row {
  return [
    day(atUnixMs),
    `servers ${hybridServers} of ${servers} hybrid (${percent(hybridServers, servers)})`,
    `client links ${hybridLinks} of ${links} (${percent(hybridLinks, links)})`,
  ];
}

function percent(part: number, whole: number): string {
  return whole === 0 ? "none to migrate" : `${Math.floor((100 * part) / whole)} %`;
}

function day(unixMs: number): string {
  return new Date(unixMs).toISOString().slice(0, 10);
}
