/** The inventory as one page: no script, nothing loaded from anywhere, everything of others' escaped. */
import { sha256 } from "../../crypto/hash.ts";
import { utf8 } from "../../kernel/bytes.ts";
import type { Inventory, InventoryServer } from "../inventory.ts";
import { phases, type MigrationPlan, type Step } from "../plan.ts";
import { isGone } from "../progress.ts";
import { escaped } from "./escaped.ts";
import { graphOf, kinds } from "./graph.ts";

const style = `
:root { color-scheme: light dark; --ink: #1b1b1f; --paper: #fff; --line: #c7c7cf; --bad: #b3261e; --mid: #8a5000; --good: #1b6e3a; --calm: #5a5f71 }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e2e6; --paper: #131316; --line: #46464f; --bad: #ff8a80; --mid: #ffb95c; --good: #7bdc9a; --calm: #b0b4c8 } }
body { font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 75rem; margin: auto; padding: 1rem; overflow-wrap: anywhere }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid var(--line); min-width: 5rem }
.wide svg { min-width: 44rem } svg text { fill: var(--ink) } svg rect { fill: none; stroke: var(--line) }
.bad { stroke: var(--bad) } .mid { stroke: var(--mid) } .good { stroke: var(--good) } .calm { stroke: var(--calm) }
code { font-size: .9em }
`;

const policy = `default-src 'none'; style-src 'sha256-${Buffer.from(sha256(utf8(style))).toString("base64")}'; base-uri 'none'; form-action 'none'`;

export function htmlOf(inventory: Inventory, plan: MigrationPlan): string {
  const at = new Date(inventory.atUnixMs).toISOString();
  const secrets = inventory.clients.flatMap(({ file, secrets: own }) =>
    own.map(({ at: place, what }) => [file, place, what]),
  );
  return [
    `<!doctype html><html lang="en"><head><meta charset="utf-8">`,
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    `<meta name="viewport" content="width=device-width, initial-scale=1">`,
    `<title>MCP inventory, ${at}</title><style>${style}</style></head><body>`,
    `<h1>MCP inventory</h1><p>As of ${at}: ${inventory.servers.length} servers, ${inventory.clients.length} client configurations, ${inventory.endpoints.length} other listeners.</p>`,
    `<h2>Who reaches what</h2><div class="wide">${graphOf(inventory)}</div>${legend()}`,
    `<h2>Servers</h2>${tableOf(
      serverHeadings,
      inventory.servers.map((server) => serverRow(server, inventory)),
    )}`,
    ...(secrets.length === 0
      ? []
      : [`<h2>Secrets in the clear</h2>${tableOf(["file", "place", "looks like"], secrets)}`]),
    `<h2>Migration</h2>${planOf(plan)}`,
    `</body></html>\n`,
  ].join("\n");
}

const serverHeadings = [
  "server",
  "called",
  "standing",
  "exposure",
  "owner",
  "data",
  "key exchange",
  "authentication",
  "tools",
  "seen",
];

function serverRow(server: InventoryServer, inventory: Inventory): readonly string[] {
  const { id, names, standing, exposure, labels, posture, tools } = server;
  const day = (unixMs: number): string => new Date(unixMs).toISOString().slice(0, 10);
  const verdict = (
    of: { readonly verdict: string; readonly because: readonly string[] } | undefined,
  ): string => (of === undefined ? "unknown" : `${of.verdict}: ${of.because[0] ?? ""}`);
  return [
    id,
    names.join(", "),
    standing,
    exposure,
    labels.owner ?? "nobody",
    labels.dataClass ?? "not labelled",
    verdict(posture?.keyExchange),
    verdict(posture?.authentication),
    tools === undefined ? "not asked" : String(tools.length),
    `${day(server.firstSeenUnixMs)} to ${day(server.lastSeenUnixMs)}${isGone(server, inventory) ? ", gone since" : ""}`,
  ];
}

function tableOf(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = headings.map((text) => `<th scope="col">${escaped(text)}</th>`).join("");
  const body = rows.map((row) => `<tr>${row.map((text) => `<td>${escaped(text)}</td>`).join("")}</tr>`);
  return `<div class="wide"><table><thead><tr>${head}</tr></thead><tbody>${body.join("\n")}</tbody></table></div>`;
}

function legend(): string {
  const rows = Object.entries(kinds).map(
    ([name, { colour, dashes, says }]) =>
      `<li><svg width="60" height="10" role="img" aria-label="${name}"><line x1="0" y1="5" x2="60" y2="5" stroke-width="3" class="${colour}" stroke-dasharray="${dashes}"/></svg> ${escaped(says)}</li>`,
  );
  return `<ul>${rows.join("")}</ul>`;
}

function planOf({ assumptions, urgency, phases: parts, progress }: MigrationPlan): string {
  const { quantumYear, migrationYears } = assumptions;
  const now = progress.at(-1);
  const late = urgency.map((each) => [
    each.dataClass,
    String(each.servers),
    `${each.shelfLifeYears}${each.isAssumed ? " (assumed)" : ""}`,
    String(each.yearsLeft),
    each.lateByYears > 0 ? `too late by ${each.lateByYears}` : `in time by ${-each.lateByYears}`,
  ]);
  return [
    ...(now === undefined
      ? []
      : [
          `<p>Hybrid: ${now.hybridServers} of ${now.servers} servers, ${now.hybridLinks} of ${now.links} client links.</p>`,
        ]),
    `<p>Assumed: a quantum computer in ${quantumYear}, ${migrationYears} years of migration.</p>`,
    tableOf(["data class", "servers", "shelf life, years", "years left", "Mosca"], late),
    ...parts.map(
      ({ id, title, steps }) =>
        `<h3>${phases.findIndex((phase) => phase.id === id) + 1}. ${escaped(title)}</h3><ol>${steps.map(stepOf).join("")}</ol>`,
    ),
  ].join("\n");
}

function stepOf({ at, why, how, ends, doneWhen }: Step): string {
  const lines = how.map((line) => `<li><code>${escaped(line)}</code></li>`).join("");
  return `<li><strong>${escaped(at)}</strong>: ${escaped(why)}<ul>${lines}</ul>Ends: ${escaped(ends)} Done when ${escaped(doneWhen)}.</li>`;
}
