/** The building's rules, checked on imports alone: who stands on which floor, and who may reach the machine. */
import path from "node:path/posix";

import { parseSync } from "oxc-parser";

export interface Source {
  /** Relative to the repository, with slashes. */
  readonly path: string;
  readonly text: string;
}

/** From the ground up; a file may import its own folder and any lower floor. */
export const floors = [
  ["kernel"],
  ["model"],
  ["crypto", "wire", "merkle", "expr"],
  ["identity", "policy", "integrity", "audit", "inspect", "detect", "virtual", "bridge", "openapi"],
  ["respond", "inventory", "compliance"],
  ["gate"],
  ["host"],
  ["control"],
  ["app"],
  ["cli", "public"],
] as const satisfies readonly (readonly string[])[];

/** The floors from here up may reach the machine. */
const hostFloor = floors.findIndex((folders) => folders.some((folder) => folder === "host"));

/** What Node brings that is no IO, and the one folder below host/ that may have it. */
const allowedBelowHost: Readonly<Record<string, string>> = { "node:crypto": "crypto", "node:buffer": "wire" };

/** The published entry points that work without a machine around them. */
const withoutHost = ["src/public/verify.ts", "src/public/policy.ts", "src/public/client.ts"];

/** @returns one sentence for each import that breaks a rule */
export function breaches(sources: readonly Source[]): readonly string[] {
  const imports = new Map(sources.map((source) => [source.path, importsOf(source)]));
  const found: string[] = [];
  for (const [file, targets] of imports) {
    for (const target of targets) {
      const why = forbidden(file, target);
      if (why !== undefined) found.push(`${file} imports ${target}: ${why}`);
    }
  }
  for (const entry of withoutHost.filter((file) => imports.has(file))) {
    for (const file of reachedFrom(entry, imports)) {
      if (floorOf(file) >= hostFloor && !withoutHost.includes(file))
        found.push(`${entry} reaches ${file}: it must work without IO`);
    }
  }
  return found;
}

function forbidden(file: string, target: string): string | undefined {
  if (!target.startsWith("src/")) {
    if (target.startsWith("test/")) return "the product knows nothing of its tests";
    if (target.startsWith("web/")) return "the page is served, never imported";
    return forbiddenPackage(file, target);
  }
  const [from, to] = [folderOf(file), folderOf(target)];
  if (from === to) return undefined;
  if (floorOf(target) === -1) return `${to}/ stands on no floor`;
  if (floorOf(file) === floorOf(target))
    return `${from}/ and ${to}/ stand on one floor and don't know each other`;
  return floorOf(file) > floorOf(target) ? undefined : `${to}/ stands above ${from}/`;
}

function forbiddenPackage(file: string, target: string): string | undefined {
  if (floorOf(file) >= hostFloor || !target.startsWith("node:")) return undefined;
  const folder = allowedBelowHost[target];
  return folder === folderOf(file) ? undefined : "below host/ nothing reaches the machine";
}

function folderOf(file: string): string {
  return file.split("/")[1] ?? "";
}

function floorOf(file: string): number {
  return floors.findIndex((folders) => folders.some((folder) => folder === folderOf(file)));
}

function reachedFrom(entry: string, imports: ReadonlyMap<string, readonly string[]>): ReadonlySet<string> {
  const reached = new Set([entry]);
  for (const file of reached)
    for (const target of imports.get(file) ?? []) if (target.startsWith("src/")) reached.add(target);
  return reached;
}

/** What a file imports or exports from elsewhere, types too: paths from the repository's root, or package names. */
function importsOf({ path: file, text }: Source): readonly string[] {
  const { module } = parseSync(file, text);
  const specifiers = [
    ...module.staticImports.map(({ moduleRequest }) => moduleRequest.value),
    ...module.staticExports.flatMap(({ entries }) =>
      entries.flatMap((entry) => entry.moduleRequest?.value ?? []),
    ),
    ...module.dynamicImports.map(({ moduleRequest: { start, end } }) => text.slice(start + 1, end - 1)),
  ];
  return specifiers.map((name) => (name.startsWith(".") ? path.join(path.dirname(file), name) : name));
}
