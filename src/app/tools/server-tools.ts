/** Servers' tools as this end keeps them: pinned in its state database, recorded in its log. */
import { readFileSync } from "node:fs";
import path from "node:path";

import type { Tools, Upstreams } from "../../gate/ports.ts";
import type { World } from "../../gate/world.ts";
import { openTools } from "../../host/store/state-tools.ts";
import { watchFiles } from "../../host/store/watched-files.ts";
import { gatewayIdOf, spiffeId } from "../../identity/spiffe-id.ts";
import type { Log } from "../../kernel/log.ts";
import type { Config, ServerConfig } from "../config.ts";
import { doctorPath } from "../doctor-rule.ts";
import { statePaths } from "../state-folder.ts";
import { askManifest } from "./ask-manifest.ts";
import { keptPins } from "./kept-pins.ts";
import { keptServers, type ServerPinning } from "./kept-tools.ts";
import { toolRecords } from "./tool-records.ts";

export interface ServerTools extends Tools {
  /** Takes up what commands changed. */
  readonly pinned: () => World["tools"];
  /** Calls `act` after each change of this process's own. */
  readonly onChange: (act: () => void) => void;
  /** Whether another process changed something that `pinned` hasn't taken up. */
  readonly isBehind: () => boolean;
  /** Writes into the log what isn't there yet. */
  readonly record: () => void;
  /** Where servers are asked for manifests; they aren't before. */
  readonly askThrough: (upstreams: Pick<Upstreams, "forward">) => void;
  /** Who says of which servers nothing is taken up for now. */
  readonly freezeBy: (isFrozen: (server: string) => boolean) => void;
}

/** How one server's tools are pinned, and where its manifest stands. */
export interface ServerPins extends ServerPinning {
  /** Absolute path. */
  readonly manifest?: string;
}

interface Keeping extends Omit<Parameters<typeof toolRecords>[0], "store"> {
  /** The state folder. */
  readonly state: string;
  readonly onlooker?: string;
}

/** Of a gateway's servers, those whose tools are pinned at all. */
export function gatewayPins(config: Config): ReadonlyMap<string, ServerPins> {
  return new Map(
    Object.entries(config.servers).flatMap(([name, server]): readonly (readonly [string, ServerPins])[] => {
      if ("forward" in server) return [];
      const uri = serverUri(config.trust_domain, name, server);
      return pinsOf(name, server, { uri, folder: config.folder });
    }),
  );
}

/** Whom the doctor's and the self-check's lists are asked as. */
export function onlookerOf({ trust_domain: domain }: Config): string {
  return spiffeId(domain, doctorPath);
}

/** What manifests call a server (RFC 8707): its identity, its address, or what it is behind this gateway. */
export function serverUri(domain: string, name: string, server: ServerConfig): string {
  if (!("url" in server)) return `${gatewayIdOf(domain)}?server=${name}`;
  return server.peer ?? server.url;
}

export function pinsOf(
  name: string,
  server: ServerConfig,
  { uri, folder }: { readonly uri: string; readonly folder: string },
): readonly (readonly [string, ServerPins])[] {
  if ("forward" in server || server.tools.pin === "off") return [];
  const { pin, accept, publishers, manifest } = server.tools;
  const file = manifest === undefined ? {} : { manifest: path.resolve(folder, manifest) };
  return [[name, { pin, accept, publishers, uri, ...file }]];
}

/** @throws Refusal `bad_state` if what was pinned can't be read */
export function openServerTools(
  servers: ReadonlyMap<string, ServerPins>,
  keeping: Keeping,
  opening: AsyncDisposableStack,
): ServerTools {
  const { clock, log, onlooker } = keeping;
  const store = openTools(statePaths(keeping.state).database);
  opening.defer(store.close);
  const records = toolRecords({ ...keeping, store });
  opening.defer(records.stop);
  let changed = (): void => {};
  let upstreams: Pick<Upstreams, "forward"> | undefined;
  let isFrozen = (_server: string): boolean => false;
  const kept = keptServers({
    servers,
    pins: keptPins(servers.keys(), store, clock),
    clock,
    onChange: () => {
      changed();
      records.write();
    },
    askManifest: async (call) => upstreams && (await askManifest(call, upstreams, log)),
    isFrozen: (server) => isFrozen(server),
    ...(onlooker !== undefined && { onlooker }),
  });
  followManifests(servers, kept.takeUp, { log, opening });
  return {
    ...kept,
    onChange: (act) => (changed = act),
    record: records.write,
    askThrough: (use) => (upstreams = use),
    freezeBy: (says) => (isFrozen = says),
  };
}

/** Files with manifests count as they are now, and whenever they are replaced. */
function followManifests(
  servers: ReadonlyMap<string, ServerPins>,
  takeUp: (server: string, document: Uint8Array) => void,
  { log, opening }: { readonly log: Log; readonly opening: AsyncDisposableStack },
): void {
  for (const [server, { manifest: file }] of servers) {
    if (file === undefined) continue;
    const read = (): void => {
      try {
        takeUp(server, readFileSync(file));
      } catch (error) {
        const reason = error instanceof Error ? error.message : "unknown";
        log.error("manifest.unreadable", { server, reason });
      }
    };
    read();
    opening.defer(watchFiles([file], read).stop);
  }
}

/** How soon a command's change is in force where nobody else watches the state database. */
const watchMs = 100;

/** Tells when commands changed something, at an end that has no other world to follow. */
export function followTools(
  tools: ServerTools,
  { log, opening }: { readonly log: Log; readonly opening: AsyncDisposableStack },
): { readonly onChange: (act: () => void) => void } {
  let changed = (): void => {};
  const timer = setInterval(() => {
    try {
      if (!tools.isBehind()) return;
      changed();
      tools.record();
    } catch (error) {
      // Tried again at the next tick; until then what was pinned counts.
      log.error("state.unreadable", { reason: error instanceof Error ? error.message : "unknown" });
    }
  }, watchMs).unref();
  opening.defer(() => clearInterval(timer));
  return { onChange: (act) => (changed = act) };
}
