/** What a client's configuration makes it reach, and the secrets that stand in it: text in, facts out. */
import type { ClientKind } from "./client-kinds.ts";
import type { ClientEntry, Reached, SeenSecret } from "./client-sighting.ts";
import { configDocument, isTable, type Table, type Value } from "./config-document.ts";
import { connectedServer } from "./latticegate-command.ts";
import { secretsOf, secretsOfArgument } from "./secrets.ts";

export interface ClientConfig {
  readonly entries: readonly ClientEntry[];
  readonly secrets: readonly SeenSecret[];
  /** Folders of projects that the file knows of, whether it has servers for them or not. */
  readonly projects: readonly string[];
  /** What couldn't be read, one sentence each. */
  readonly faults: readonly string[];
}

const maxEntries = 1000;
const maxSecrets = 200;
const maxProjects = 1000;
/** Strings in which secrets are looked for; the servers' come first. */
const maxStrings = 20_000;
const maxArguments = 1000;
const maxNames = 200;

/** Never throws: a text that is nothing of the kind gives faults. */
export function readClientConfig(text: string, kind: ClientKind): ClientConfig {
  const { root, faults } = configDocument(text, kind.format);
  const tables = kind.tables.flatMap((pattern) => tablesAt(root, pattern, []));
  const entries: ClientEntry[] = [];
  const secrets = new SecretSearch();
  const all = tables.flatMap(({ path, table }) => [...table].map(([name, value]) => ({ path, name, value })));
  for (const { path, name, value } of all.slice(0, maxEntries)) {
    entries.push({
      name,
      path: [...path, name],
      ...projectOf(path),
      isDisabled: isDisabled(root, kind, { path, name, value }),
      reaches: reachedBy(value, kind),
    });
    secrets.look(value, [...path, name]);
  }
  secrets.look(root, []);
  const more = [
    ...(all.length > maxEntries ? [`it names more than ${maxEntries} servers; the first were read`] : []),
    ...secrets.faults(),
  ];
  const projects = kind.tables.some((pattern) => pattern.includes("*")) ? keysOf(root.get("projects")) : [];
  return {
    entries,
    secrets: secrets.found,
    projects: projects.slice(0, maxProjects),
    faults: [...faults, ...more],
  };
}

interface FoundTable {
  readonly path: readonly string[];
  readonly table: Table;
}

function tablesAt(value: Value, pattern: readonly string[], path: readonly string[]): readonly FoundTable[] {
  if (!isTable(value)) return [];
  const [key, ...rest] = pattern;
  if (key === undefined) return [{ path, table: value }];
  const names = key === "*" ? [...value.keys()] : [key];
  return names.flatMap((name) => {
    const inner = value.get(name);
    return inner === undefined ? [] : tablesAt(inner, rest, [...path, name]);
  });
}

/** `projects.<folder>.mcpServers` of Claude Code. */
function projectOf(path: readonly string[]): { readonly project?: string } {
  const [top, project] = path;
  return top === "projects" && project !== undefined ? { project } : {};
}

interface Named {
  readonly path: readonly string[];
  readonly name: string;
  readonly value: Value;
}

function isDisabled(root: Table, kind: ClientKind, { path, name, value }: Named): boolean {
  if (isTable(value) && (value.get("disabled") === true || value.get("enabled") === false)) return true;
  if (kind.id === "gemini-cli") {
    const rules = at(root, ["mcp"]);
    const allowed = rules?.get("allowed");
    return (
      names(rules?.get("excluded")).includes(name) || (Array.isArray(allowed) && !allowed.includes(name))
    );
  }
  return names(at(root, path.slice(0, -1))?.get("disabledMcpServers")).includes(name);
}

function at(root: Table, path: readonly string[]): Table | undefined {
  let table: Value | undefined = root;
  for (const key of path) table = isTable(table) ? table.get(key) : undefined;
  return isTable(table) ? table : undefined;
}

function names(value: Value | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];
}

function reachedBy(value: Value, kind: ClientKind): Reached {
  if (!isTable(value)) return { kind: "unreadable", because: "it is no object" };
  const remote = kind.remote.find(({ key }) => typeof value.get(key) === "string");
  const type = value.get("type") ?? value.get("transport");
  const isRemote =
    remote !== undefined && (kind.id === "gemini-cli" || isHttpType(type) || !value.has("command"));
  if (isRemote) return overHttp(value, remote, type);
  if (value.has("command")) return started(value);
  return { kind: "unreadable", because: whyNot(value, kind) };
}

function whyNot(value: Table, kind: ClientKind): string {
  if (kind.id === "zed" && value.has("settings"))
    return "an extension of the editor decides how it is started";
  return `it has neither a command nor ${kind.remote.map(({ key }) => key).join(" or ")}`;
}

function isHttpType(type: Value | undefined): boolean {
  return typeof type === "string" && /^(?:http|sse|streamable-?http)$/i.test(type);
}

function overHttp(value: Table, remote: ClientKind["remote"][number], type: Value | undefined): Reached {
  const url = value.get(remote.key);
  const headers = ["headers", "http_headers", "env_http_headers"].flatMap((key) => keysOf(value.get(key)));
  const bearer = typeof value.get("bearer_token_env_var") === "string" ? ["Authorization"] : [];
  return {
    kind: "http",
    transport: transportOf(type) ?? remote.transport,
    url: typeof url === "string" ? url.slice(0, 8192) : "",
    headers: [...new Set([...headers, ...bearer])].slice(0, maxNames),
  };
}

/** VS Code and Claude Code try Streamable HTTP under `http`; `sse` is the old one everywhere. */
function transportOf(type: Value | undefined): "streamable-http" | "http+sse" | undefined {
  if (!isHttpType(type) || typeof type !== "string") return undefined;
  return type.toLowerCase() === "sse" ? "http+sse" : "streamable-http";
}

function started(value: Table): Reached {
  // Zed once had `{ "command": { "path", "args", "env" } }`.
  const inner = value.get("command");
  const [table, program] = isTable(inner) ? [inner, inner.get("path")] : [value, inner];
  if (typeof program !== "string" || program === "")
    return { kind: "unreadable", because: "its command is no text" };
  const args = table.get("args") ?? [];
  if (!Array.isArray(args) || args.some((arg) => typeof arg !== "string"))
    return { kind: "unreadable", because: "its arguments are no list of texts" };
  const command = [program, ...names(args).slice(0, maxArguments)];
  const server = connectedServer(command);
  if (server !== undefined) return { kind: "connect", server };
  const forwarded = names(table.get("env_vars"));
  return {
    kind: "stdio",
    command,
    environment: [...new Set([...keysOf(table.get("env")), ...forwarded])].slice(0, maxNames),
  };
}

function keysOf(value: Value | undefined): readonly string[] {
  return isTable(value) ? [...value.keys()] : [];
}

/** Looks into each value once: servers first, then the rest of the file. */
class SecretSearch {
  readonly found: SeenSecret[] = [];
  readonly #seen = new Set<Value>();
  #left = maxStrings;
  #isCut = false;

  look(value: Value, path: readonly string[]): void {
    if (isTable(value)) this.#table(value, path);
    else if (Array.isArray(value)) this.#list(value, path);
    else if (typeof value === "string") this.#text(value, path);
  }

  faults(): readonly string[] {
    return this.#isCut ? ["it holds more than is looked through for secrets; there may be more"] : [];
  }

  #table(table: Table, path: readonly string[]): void {
    if (this.#isSeen(table)) return;
    this.#command(table, path);
    for (const [name, value] of table) {
      // What a user typed: long, and no configuration.
      if (name !== "history") this.look(value, [...path, name]);
    }
  }

  /** Arguments are read as a command line: the value of `--token` is the next one. */
  #command(table: Table, path: readonly string[]): void {
    const args = table.get("args");
    if (!Array.isArray(args) || this.#isSeen(args)) return;
    const command = args.map((arg) => (typeof arg === "string" ? arg : ""));
    command.slice(0, maxArguments).forEach((_, index) => {
      this.#note(secretsOfArgument(command, index), [...path, "args", String(index)]);
    });
  }

  #list(list: readonly Value[], path: readonly string[]): void {
    if (this.#isSeen(list)) return;
    list.forEach((value, index) => {
      if (typeof value === "string") this.#text(value, path, index);
      else this.look(value, [...path, String(index)]);
    });
  }

  #text(text: string, path: readonly string[], index?: number): void {
    this.#left -= 1;
    if (this.#left < 0 || text.length > 64 * 1024) {
      this.#isCut = true;
      return;
    }
    this.#note(secretsOf(path.at(-1), text), index === undefined ? path : [...path, String(index)]);
  }

  #note(what: readonly string[], path: readonly string[]): void {
    if (what.length === 0) return;
    if (this.found.length < maxSecrets) this.found.push({ at: path.join("."), what: what.join(", ") });
    else this.#isCut = true;
  }

  #isSeen(value: Value): boolean {
    if (this.#seen.has(value)) return true;
    this.#seen.add(value);
    return false;
  }
}
