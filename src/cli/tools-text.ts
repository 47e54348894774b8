/** Servers' tools as lines for a terminal: what servers say is shown as what it is, and moves no cursor. */
import type { ToolChanges, ToolRow, ToolVersion } from "../app/tools/tool-report.ts";
import { revealed } from "../wire/hidden-text.ts";
import { table } from "./table.ts";

/** A row for each tool; those that wait for somebody stand before the others of their server. */
export function listLines(rows: readonly ToolRow[]): readonly string[] {
  if (rows.length === 0) return ["no server's tools were seen yet"];
  const sorted = rows.toSorted(
    (a, b) => byText(a.server, b.server) || Number(a.isCalled) - Number(b.isCalled) || byText(a.tool, b.tool),
  );
  const lines = table(
    [
      ["server", "tool", "state", "effect", "first seen"],
      ...sorted.map(({ server, tool, state, effect, firstSeen }) => [
        shown(server),
        shownName(tool),
        state,
        effect,
        firstSeen,
      ]),
    ],
    "",
  );
  return [...lines, ...waitingLines(sorted)];
}

export function diffLines(changes: readonly ToolChanges[]): readonly string[] {
  return changes.flatMap((change, i) => [...(i === 0 ? [] : [""]), ...changeLines(change)]);
}

export function historyLines(versions: readonly ToolVersion[]): readonly string[] {
  if (versions.length === 0) return ["nothing was pinned yet"];
  const rows = versions.map(({ version, isNow, at, tools, what, who, because }) => [
    `${version}${isNow ? " *" : ""}`,
    at,
    `${tools} tool${tools === 1 ? "" : "s"}`,
    shown(what),
    shown(who),
    shown(because),
  ]);
  return table([["version", "at", "", "what", "who", "because"], ...rows], "");
}

/** JSON for a terminal: whatever isn't visible ASCII is escaped. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(
    /[^\n\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** One line of somebody else's text. */
export function shown(text: string): string {
  return revealed(text.replaceAll("\n", "⏎"));
}

/** Some tools have none. */
function shownName(tool: string): string {
  return tool === "" ? "(no name)" : shown(tool);
}

function waitingLines(rows: readonly ToolRow[]): readonly string[] {
  const waiting = rows.filter(({ isCalled }) => !isCalled);
  if (waiting.length === 0) return [];
  const what =
    waiting.length === 1
      ? "1 tool isn't called until somebody approves it:"
      : `${waiting.length} tools aren't called until somebody approves them:`;
  const servers = [...new Set(waiting.map(({ server }) => server))];
  return ["", what, ...servers.map((server) => `  latticegate tools diff ${server}`)];
}

function changeLines(change: ToolChanges): readonly string[] {
  const { server, tool, state, isCalled, findings, diff, pinnedHash, offeredHash } = change;
  const hashes = [
    ...(pinnedHash === undefined ? [] : [`  pinned   ${pinnedHash}`]),
    ...(offeredHash === undefined ? [] : [`  offered  ${offeredHash}`]),
  ];
  return [
    `${server}/${shownName(tool)}: ${state}${isCalled ? "" : ", isn't called"}`,
    ...hashes,
    ...findings.map((finding) => `  ! ${shown(finding)}`),
    ...diff.map(shown),
    ...(state === "removed" ? [approveLine("To forget it", change)] : []),
    ...(isCalled || offeredHash === undefined ? [] : [approveLine("To take it up", change)]),
  ];
}

/** What was looked at is what is approved: should it change again meanwhile, the command says so. */
function approveLine(what: string, { server, tool, offeredHash }: ToolChanges): string {
  const words = [
    isPlain(tool) ? tool : quoted(tool),
    ...(offeredHash === undefined ? [] : ["--as", offeredHash]),
    '--because "…"',
  ];
  return `${what}: latticegate tools approve ${[server, ...words].filter((word) => word !== "").join(" ")}`;
}

function isPlain(name: string): boolean {
  return /^[A-Za-z0-9_./-]+$/.test(name) && !name.startsWith("-");
}

/** As a POSIX shell takes it where it is visible ASCII; what isn't has to be named by its hash alone. */
function quoted(name: string): string {
  return /^[\x20-\x7e]+$/.test(name) && !name.startsWith("-") ? `'${name.replaceAll("'", `'\\''`)}'` : "";
}

function byText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
