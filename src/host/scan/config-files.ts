/** Where clients' configurations stand on this machine: in homes, for the whole machine, and in folders of projects. */
import { opendir, readdir } from "node:fs/promises";
import path from "node:path";

import { type ClientKind, clientKinds, type Platform } from "../../inventory/clients/client-kinds.ts";
import type { Problem } from "../../inventory/sighting.ts";
import { whyNot } from "./read-bounded.ts";

export interface ConfigFile {
  readonly kind: ClientKind;
  readonly file: string;
  /** The home it was looked for in. */
  readonly home?: string;
}

export type FoundFile = ConfigFile | Problem;

export interface Homes {
  readonly platform: Platform;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Of whoever runs this: variables of the environment mean it. */
  readonly ownHome: string;
  readonly homes: readonly string[];
}

/** Folders whose name a `*` stands for. */
const maxFolders = 200;

/** Files that may be there; most aren't. */
export async function userFiles(homes: Homes): Promise<readonly ConfigFile[]> {
  const found: ConfigFile[] = [];
  const seen = new Set<string>();
  for (const kind of clientKinds) {
    for (const place of kind.files[homes.platform]) {
      for (const { file, home } of placesOf(place, homes)) {
        for (const one of await withFolders(file)) {
          if (seen.has(`${kind.id} ${one}`)) continue;
          seen.add(`${kind.id} ${one}`);
          found.push({ kind, file: one, ...(home === undefined ? {} : { home }) });
        }
      }
    }
  }
  return found;
}

interface PlacedFile {
  readonly file: string;
  readonly home?: string;
}

function placesOf(place: string, homes: Homes): readonly PlacedFile[] {
  if (place.startsWith("~/") || place.startsWith("$APPDATA/"))
    return homes.homes.flatMap((home) => inHome(place, home, homes).map((file) => ({ file, home })));
  const [, name = "", rest = ""] = /^\$([A-Z]+)\/(.*)$/.exec(place) ?? [];
  if (name === "") return [{ file: place }];
  const folder = homes.environment[name] ?? machineFolders[name];
  return folder === undefined ? [] : [{ file: path.join(folder, rest) }];
}

const machineFolders: Readonly<Record<string, string>> = {
  PROGRAMDATA: "C:\\ProgramData",
  PROGRAMFILES: "C:\\Program Files",
};

/** Folders that a variable of whoever runs this moves elsewhere. */
const moved = [
  { folder: "~/.config/", variable: "XDG_CONFIG_HOME" },
  { folder: "$APPDATA/", variable: "APPDATA" },
  { folder: "~/.codex/", variable: "CODEX_HOME" },
  { folder: "~/.copilot/", variable: "COPILOT_HOME" },
  { folder: "~/.claude.json", variable: "CLAUDE_CONFIG_DIR", within: ".claude.json" },
] as const;

function inHome(place: string, home: string, { environment, ownHome }: Homes): readonly string[] {
  const usual = place.startsWith("~/")
    ? path.join(home, place.slice(2))
    : path.join(home, "AppData", "Roaming", place.slice("$APPDATA/".length));
  if (path.resolve(home) !== path.resolve(ownHome)) return [usual];
  const elsewhere = moved.flatMap((row) => {
    const folder = environment[row.variable];
    if (folder === undefined || !path.isAbsolute(folder) || !place.startsWith(row.folder)) return [];
    return [path.join(folder, "within" in row ? row.within : place.slice(row.folder.length))];
  });
  return [usual, ...elsewhere];
}

/** One `*` in a path: each folder that stands there. */
async function withFolders(file: string): Promise<readonly string[]> {
  const at = file.indexOf(`${path.sep}*${path.sep}`);
  if (at === -1) return [file];
  const folder = file.slice(0, at);
  const names = await readdir(folder).catch(() => []);
  return names.slice(0, maxFolders).map((name) => path.join(folder, name, file.slice(at + 3)));
}

/** How far folders of projects are searched. */
export interface ProjectLimits {
  readonly depth: number;
  readonly folders: number;
}

const projectLimits: ProjectLimits = { depth: 8, folders: 20_000 };
/** What no project of somebody's own stands in. */
const skipped = new Set([
  "node_modules",
  "bower_components",
  "vendor",
  "target",
  "dist",
  "__pycache__",
  "venv",
]);
/** A folder with more has what is looked for among the first, or is told. */
const maxNames = 10_000;

/** Breadth first. Links to folders aren't followed, so no circle is. */
export async function* projectFiles(
  tops: readonly string[],
  signal: AbortSignal,
  limits: ProjectLimits = projectLimits,
): AsyncGenerator<FoundFile> {
  const queue = tops.map((folder) => ({ folder, depth: 0 }));
  const seen = new Set<string>();
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    signal.throwIfAborted();
    if (seen.has(next.folder)) continue;
    if (seen.size >= limits.folders) {
      yield { at: next.folder, because: `more than ${limits.folders} folders; the rest wasn't searched` };
      return;
    }
    seen.add(next.folder);
    const { names, folders, problem } = await namesIn(next.folder);
    if (problem !== undefined) yield problem;
    yield* filesAmong(next.folder, names);
    if (next.depth >= limits.depth) continue;
    for (const name of folders) queue.push({ folder: path.join(next.folder, name), depth: next.depth + 1 });
  }
}

interface FolderNames {
  readonly names: readonly string[];
  readonly folders: readonly string[];
  readonly problem?: Problem;
}

async function namesIn(folder: string): Promise<FolderNames> {
  const names: string[] = [];
  const folders: string[] = [];
  try {
    for await (const entry of await opendir(folder)) {
      if (names.length >= maxNames) {
        const because = `it holds more than ${maxNames} names; the rest wasn't looked at`;
        return { names, folders, problem: { at: folder, because } };
      }
      names.push(entry.name);
      if (entry.isDirectory() && !entry.name.startsWith(".") && !skipped.has(entry.name))
        folders.push(entry.name);
    }
    return { names, folders };
  } catch (error) {
    const why = whyNot(error);
    const because = why.kind === "absent" ? "there is no such folder" : why.because;
    return { names, folders, problem: { at: folder, because } };
  }
}

function filesAmong(folder: string, names: readonly string[]): readonly ConfigFile[] {
  return clientKinds.flatMap((kind) =>
    kind.projectFiles.flatMap((wanted) => {
      if (wanted.startsWith("*")) {
        const ending = wanted.slice(1);
        return names
          .filter((name) => name.endsWith(ending))
          .map((name) => ({ kind, file: path.join(folder, name) }));
      }
      const [first = ""] = wanted.split("/");
      return names.includes(first) ? [{ kind, file: path.join(folder, wanted) }] : [];
    }),
  );
}
