/**
 * A report as one page: no script runs, nothing is loaded, everything is escaped. It holds the signed document that it
 * shows; INVARIANT: it is made of that document alone, so whoever makes it again gets the same bytes.
 */
import { sha256 } from "../crypto/hash.ts";
import { toBase64, utf8 } from "../kernel/bytes.ts";
import type { Report, ReportedControl, ReportedFramework } from "./report.ts";

const style = `
:root { color-scheme: light dark; --ink: #1b1b1f; --paper: #fff; --line: #c7c7cf; --soft: #595d6b; --met: #1b6e3a; --not: #b3261e; --none: #7a4a00 }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e2e6; --paper: #131316; --line: #46464f; --soft: #b0b4c8; --met: #7bdc9a; --not: #ff8a80; --none: #ffb95c } }
body { font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 75rem; margin: auto; padding: 1rem; overflow-wrap: anywhere }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line); min-width: 5rem }
.met { color: var(--met); font-weight: 600 } .not { color: var(--not); font-weight: 600 } .none { color: var(--none); font-weight: 600 }
.soft { color: var(--soft); font-size: .875rem }
code { font-size: .85em }
h2 { margin-top: 2.5rem }
@media print { body { max-width: none } tr { break-inside: avoid } }
`;

const policy = `default-src 'none'; style-src 'sha256-${toBase64(sha256(utf8(style)))}'; base-uri 'none'; form-action 'none'`;

const opening = `<script type="application/json" id="report">`;
const closing = "</script>";

/** @param document the signed document that the report stands in, JSON */
export function reportHtml(report: Report, document: string): string {
  const { at, gateway, version, log, tested, frameworks } = report;
  return [
    `<!doctype html><html lang="en"><head><meta charset="utf-8">`,
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    `<meta name="viewport" content="width=device-width, initial-scale=1">`,
    `<title>Compliance of ${escaped(gateway)}, ${escaped(at)}</title><style>${style}</style></head><body>`,
    `<h1>Compliance evidence</h1>`,
    `<p>${escaped(gateway)}, ${escaped(at)}, Latticegate ${escaped(version)}, log of ${log.size} entries. ${escaped(tested.why)}</p>`,
    `<p>What is met is shown by entries of this deployment's log, and where something is refused by a test that passed here. Each entry opens with <code>latticegate audit show ID</code>; <code>latticegate assess verify FILE</code> checks this file.</p>`,
    summaryOf(frameworks),
    ...frameworks.map(frameworkHtml),
    testsHtml(report),
    log.checkpoint === "" ? "" : `<h2>Head of the log</h2><pre>${escaped(log.checkpoint)}</pre>`,
    `${opening}${inScript(document)}${closing}</body></html>\n`,
  ].join("\n");
}

/** The signed document of a page; undefined where there is none. */
export function documentIn(html: string): string | undefined {
  const from = html.indexOf(opening);
  const to = html.indexOf(closing, from);
  return from === -1 || to === -1 ? undefined : html.slice(from + opening.length, to);
}

/** JSON that can't end the element it stands in, and says the same. */
export function inScript(json: string): string {
  return json.replaceAll("<", String.raw`\u003c`);
}

function summaryOf(frameworks: readonly ReportedFramework[]): string {
  const rows = frameworks.map(({ name, title, counts }) => [
    `<a href="#${escaped(name)}">${escaped(title)}</a>`,
    String(counts.met),
    String(counts["not met"]),
    String(counts["no evidence"]),
  ]);
  return tableOf(["framework", "met", "not met", "no evidence"], rows);
}

function frameworkHtml({ name, title, source, note, controls, levels = [] }: ReportedFramework): string {
  const reached = levels.map(({ dimension, level, missing }) => [
    escaped(dimension),
    `L${level}`,
    missing
      .map(({ control, because }) => `<code>${escaped(control)}</code> ${escaped(because)}`)
      .join("<br>"),
  ]);
  return [
    `<h2 id="${escaped(name)}">${escaped(title)}</h2>`,
    `<p class="soft">${note === undefined ? "" : `${escaped(note)} `}<code>${escaped(source)}</code></p>`,
    reached.length === 0 ? "" : tableOf(["dimension", "level", "missing for the next"], reached),
    tableOf(["control", "verdict", "shown by", "what is missing"], controls.map(controlRow)),
  ].join("\n");
}

const marks = {
  met: `<span class="met">✓ met</span>`,
  "not met": `<span class="not">✗ not met</span>`,
  "no evidence": `<span class="none">– no evidence</span>`,
} as const;

function controlRow({
  id,
  title,
  asks,
  grade,
  verdict,
  because,
  evidence,
  tests,
}: ReportedControl): readonly string[] {
  const shown = [
    ...evidence.flatMap(({ says, count, isLeast, examples }) =>
      count === 0
        ? []
        : [
            `${escaped(says)} (${count}${isLeast ? " or more" : ""}): ${examples.map(({ id: entry }) => `<code>${escaped(entry)}</code>`).join(", ")}`,
          ],
    ),
    ...tests.map(
      ({ test, result, entry }) => `test ${escaped(test)} ${result}: <code>${escaped(entry.id)}</code>`,
    ),
  ];
  const binding = grade?.binding === "should" ? ` <span class="soft">(should)</span>` : "";
  return [
    `<code>${escaped(id)}</code>${binding}<br><strong>${escaped(title)}</strong><br><span class="soft">${escaped(asks)}</span>`,
    marks[verdict],
    shown.join("<br>"),
    because.map(escaped).join("<br>"),
  ];
}

function testsHtml({ tests }: Report): string {
  const rows = tests.map(({ test, shows, result }) => [
    `<code>${escaped(test)}</code>`,
    escaped(shows),
    result === null ? "never run" : escaped(result.result),
    result === null ? "" : `${escaped(result.says)}<br><code>${escaped(result.entry.id)}</code>`,
  ]);
  return `<h2>Tests</h2>\n${tableOf(["test", "shows", "result", "seen"], rows)}`;
}

/** @param rows already escaped */
function tableOf(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = headings.map((heading) => `<th scope="col">${heading}</th>`).join("");
  const body = rows.map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join("")}</tr>`);
  return `<div class="wide"><table><thead><tr>${head}</tr></thead><tbody>${body.join("\n")}</tbody></table></div>`;
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? "");
}
