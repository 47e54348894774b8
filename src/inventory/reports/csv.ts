/** Servers as CSV (RFC 4180); a cell that a spreadsheet would take for a formula gets a quote in front. */
import type { Inventory, InventoryServer } from "../inventory.ts";
import { isGone } from "../progress.ts";

const columns: readonly (readonly [
  string,
  (server: InventoryServer, inventory: Inventory) => string | number | undefined,
])[] = [
  ["id", ({ id }) => id],
  ["names", ({ names }) => names.join(" ")],
  ["name", ({ name }) => name],
  ["version", ({ version }) => version],
  ["standing", ({ standing }) => standing],
  ["exposure", ({ exposure }) => exposure],
  ["owner", ({ labels }) => labels.owner],
  ["purpose", ({ labels }) => labels.purpose],
  ["data_class", ({ labels }) => labels.dataClass],
  ["shelf_life_days", ({ labels }) => labels.shelfLifeMs && Math.round(labels.shelfLifeMs / 86_400_000)],
  ["authentication", ({ authentication }) => authentication?.kind],
  ["key_exchange_verdict", ({ posture }) => posture?.keyExchange.verdict],
  ["key_exchange_because", ({ posture }) => posture?.keyExchange.because[0]],
  ["authentication_verdict", ({ posture }) => posture?.authentication.verdict],
  ["authentication_because", ({ posture }) => posture?.authentication.because[0]],
  ["tools", ({ tools }) => tools?.length],
  ["first_seen", ({ firstSeenUnixMs }) => new Date(firstSeenUnixMs).toISOString()],
  ["last_seen", ({ lastSeenUnixMs }) => new Date(lastSeenUnixMs).toISOString()],
  ["is_gone", (server, inventory) => String(isGone(server, inventory))],
];

/** Ends with CRLF, as each of its lines. */
export function csvOf(inventory: Inventory): string {
  const rows = inventory.servers.map((server) => columns.map(([, of]) => of(server, inventory) ?? ""));
  return [columns.map(([name]) => name), ...rows]
    .map((row) => `${row.map((value) => cell(String(value))).join(",")}\r\n`)
    .join("");
}

function cell(text: string): string {
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
