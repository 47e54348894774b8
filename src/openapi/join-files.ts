/** The files a document is split into, joined to the first one, so that every `$ref` points into one value. */
import { Refusal } from "../kernel/refusal.ts";
import { isObject, type JsonObject } from "./values.ts";

/** @throws anything if the file can't be had; its message is told */
export type LoadFile = (path: string) => string;

interface Joined {
  readonly root: JsonObject;
  readonly missing: readonly string[];
}

/** Where joined files stand in the first one. */
const place = "x-latticegate-files";
const maxFiles = 500;

/** Below: the only place where values are changed; they are ours, nobody else has them. */
type Writable = Record<string, unknown>;

export function joinFiles(main: JsonObject, name: string, load: (path: string) => JsonObject): Joined {
  const files = new Map<string, { readonly id: string; readonly value: Writable } | undefined>();
  const missing: string[] = [];
  const root: Writable = main;
  const waiting: { readonly path: string; readonly value: Writable; readonly prefix: string }[] = [
    { path: base(name), value: root, prefix: "" },
  ];
  const idOf = (path: string): string | undefined => {
    if (!files.has(path)) {
      if (files.size >= maxFiles) throw new Refusal("bad_config", `more than ${maxFiles} files.`);
      try {
        const file = { id: String(files.size), value: load(path) as Writable };
        files.set(path, file);
        waiting.push({ path, value: file.value, prefix: `${place}/${file.id}` });
      } catch (error) {
        files.set(path, undefined);
        missing.push(`${path}: ${error instanceof Error ? error.message : "can't be read"}`);
      }
    }
    return files.get(path)?.id;
  };
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
    for (const node of nodesWithRef(file.value)) {
      node["$ref"] = pointedTo(String(node["$ref"]), file, { idOf, missing, main: base(name) });
    }
  }
  const joined = [...files.values()].flatMap((file) =>
    file === undefined ? [] : [[file.id, file.value] as const],
  );
  if (joined.length > 0) root[place] = Object.fromEntries(joined);
  return { root, missing };
}

function pointedTo(
  ref: string,
  from: { readonly path: string; readonly prefix: string },
  known: {
    readonly idOf: (path: string) => string | undefined;
    readonly missing: string[];
    readonly main: string;
  },
): string {
  const [file, pointer] = splitRef(ref);
  if (file === "") return from.prefix === "" ? ref : `#/${from.prefix}${pointer}`;
  const path = relativeTo(from.path, file);
  if (path === undefined) {
    known.missing.push(`${file.slice(0, 200)}: outside of the document's folder`);
    return ref;
  }
  if (path === known.main) return `#${pointer}`;
  const id = known.idOf(path);
  return id === undefined ? ref : `#/${place}/${id}${pointer}`;
}

function splitRef(ref: string): readonly [string, string] {
  const hash = ref.indexOf("#");
  return hash === -1 ? [ref, ""] : [ref.slice(0, hash), ref.slice(hash + 1)];
}

/** @returns undefined for a URL, an absolute path, and whatever leaves the folder */
function relativeTo(from: string, ref: string): string | undefined {
  if (/^(?:[a-z][a-z0-9+.-]*:|[/\\])/i.test(ref) || ref.includes("\0") || ref.includes("\\"))
    return undefined;
  let decoded = ref;
  try {
    decoded = decodeURIComponent(ref);
  } catch {
    // A file's name may have a percent sign of its own.
  }
  const parts = from.split("/").slice(0, -1);
  for (const part of decoded.split("/")) {
    if (part === "..") {
      if (parts.pop() === undefined) return undefined;
    } else if (part !== "." && part !== "") parts.push(part);
  }
  return parts.length === 0 || decoded.startsWith("/") ? undefined : parts.join("/");
}

function base(name: string): string {
  return name.slice(Math.max(name.lastIndexOf("/"), name.lastIndexOf("\\")) + 1);
}

function nodesWithRef(value: Writable): readonly Writable[] {
  const found: Writable[] = [];
  const waiting: unknown[] = [value];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (typeof next !== "object" || next === null) continue;
    if (isObject(next) && typeof next["$ref"] === "string") found.push(next);
    for (const child of Object.values(next)) if (typeof child === "object") waiting.push(child);
  }
  return found;
}
