/** Names of adopted servers behind the gateway: one place has one name, two places never the same. */
import path from "node:path";

import { sha256Hex } from "../../crypto/hash.ts";
import { utf8 } from "../../kernel/bytes.ts";
import type { Config } from "../config.ts";
import type { Records } from "./records.ts";
import { type EntryServer, isPlainValue } from "./server-of-entry.ts";

export interface NamedServer {
  readonly name: string;
  readonly place: string;
  /** As it stands in the config; absent if it stands there already. */
  readonly definition?: unknown;
  /** Files of its secrets, relative to the folder of adopted things, with what goes into them. */
  readonly secrets: ReadonlyMap<string, string>;
}

export class ServerNames {
  readonly #config: Config;
  readonly #folder: string;
  readonly #places = new Map<string, string>();
  readonly #taken: Set<string>;

  /** @param folder of adopted things */
  constructor(config: Config, records: Records, folder: string) {
    this.#config = config;
    this.#folder = folder;
    this.#taken = new Set([
      ...Object.keys(config.servers),
      ...Object.keys(config.virtual_servers),
      ...Object.keys(records.servers),
    ]);
    for (const [name, { place }] of Object.entries(records.servers))
      if (Object.hasOwn(config.servers, name)) this.#places.set(place, name);
  }

  of(wanted: string, server: EntryServer): NamedServer {
    const place = placeOf(server);
    const there = this.#places.get(place) ?? this.#byHand(server);
    if (there !== undefined) return { name: there, place, secrets: new Map() };
    const name = this.#free(wanted);
    this.#taken.add(name);
    this.#places.set(place, name);
    return { name, place, ...this.#definition(name, server) };
  }

  #free(wanted: string): string {
    const base = wanted
      .slice(0, 256)
      .toLowerCase()
      .replaceAll(/[^a-z0-9._-]+/g, "-")
      .replace(/^[._-]+/, "")
      .slice(0, 48);
    const plain = base === "" ? "server" : base;
    for (let number = 1; ; number += 1) {
      const name = number === 1 ? plain : `${plain}-${number}`;
      if (!this.#taken.has(name)) return name;
    }
  }

  /** One that the operator registered, and that is the same beyond doubt: it has no secrets to compare. */
  #byHand(server: EntryServer): string | undefined {
    if (server.kind === "stdio" || Object.keys(server.headers).length > 0) return undefined;
    const found = Object.entries(this.#config.servers).find(
      ([, one]) =>
        "url" in one &&
        one.url === server.url &&
        one.transport === server.transport &&
        one.auth === undefined &&
        Object.keys(one.headers).length === 0,
    );
    return found?.[0];
  }

  #definition(name: string, server: EntryServer): Pick<NamedServer, "definition" | "secrets"> {
    const secrets = new Map<string, string>();
    const kept = (what: string, value: string): { readonly file: string } => {
      const file = path.join(
        "secrets",
        name,
        what.replaceAll(/[^\w-]/g, (odd) => `~${odd.charCodeAt(0).toString(16)}`),
      );
      secrets.set(file, value);
      return { file: this.#fromConfig(path.join(this.#folder, file)) };
    };
    if (server.kind === "stdio") {
      const env = Object.entries(server.env).map(([key, value]) => [
        key,
        isPlainValue(key, value) ? value : kept(key, value),
      ]);
      const { command, cwd } = server;
      return {
        definition: { command, cwd, ...(env.length > 0 && { env: Object.fromEntries(env) }) },
        secrets,
      };
    }
    const headers = Object.entries(server.headers).map(([key, value]) => [key, kept(key, value)]);
    const definition = {
      url: server.url,
      ...(server.transport === "http+sse" && { transport: server.transport }),
      ...(headers.length > 0 && { headers: Object.fromEntries(headers) }),
    };
    return { definition, secrets };
  }

  #fromConfig(file: string): string {
    const relative = path.relative(this.#config.folder, file);
    return relative.startsWith("..") || path.isAbsolute(relative) ? file : relative;
  }
}

function placeOf(server: EntryServer): string {
  const sorted = (pairs: Readonly<Record<string, string>>): unknown =>
    Object.entries(pairs).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const parts =
    server.kind === "stdio"
      ? [server.command, server.cwd, sorted(server.env)]
      : [server.url, server.transport, sorted(server.headers)];
  return sha256Hex(utf8(JSON.stringify([server.kind, ...parts])));
}
