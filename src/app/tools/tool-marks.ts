/** What the tools behind the gateway may do, alone and together: the marks of the scan, on what is pinned or offered. */
import { existsSync } from "node:fs";

import { openTools, type ToolStore } from "../../host/store/state-tools.ts";
import { type KeptTools, readPins } from "../../host/store/stored-pins.ts";
import { seenTool } from "../../inventory/seen-tool.ts";
import type { SeenTool } from "../../inventory/sighting.ts";
import { type MarkedTool, markTools } from "../../inventory/tools/mark-tools.ts";
import { type ToxicCombination, toxicCombinations } from "../../inventory/tools/toxic-combinations.ts";
import { matcher } from "../../policy/patterns.ts";
import { surroundingsOf } from "../../policy/surroundings.ts";
import type { Config } from "../config.ts";
import { surroundingsIn } from "../config/surroundings.ts";
import { statePaths } from "../state-folder.ts";
import { readOnlyUntil } from "./kept-tools.ts";

export interface MarkedServers {
  readonly tools: readonly MarkedTool[];
  /** Tools beyond those that are looked at. */
  readonly left: number;
}

/** Each costs some milliseconds, of a gateway that has calls to pass. */
const maxMarked = 1000;

/** Marks of all tools, made anew after pins have changed. */
export function markedServers(config: Config, nowUnixMs: () => number): () => MarkedServers {
  let made: { readonly of: string; readonly marked: MarkedServers } | undefined;
  return () => {
    const { database } = statePaths(config.state);
    if (!existsSync(database)) return { tools: [], left: 0 };
    const store = openTools(database);
    try {
      const of = JSON.stringify([...store.revisions()]);
      if (made?.of !== of) made = { of, marked: marked(config, store, nowUnixMs()) };
      return made.marked;
    } finally {
      store.close();
    }
  };
}

function marked(config: Config, store: ToolStore, nowUnixMs: number): MarkedServers {
  const { servers } = config;
  const surroundings = surroundingsOf(surroundingsIn(config));
  let left = 0;
  let room = maxMarked;
  const known = store.servers().filter((server) => Object.hasOwn(servers, server));
  const listed = known.map((server) => {
    const kept = readPins(store.pins(server), server);
    const own = servers[server];
    const isConfigured = matcher(own !== undefined && "read_only" in own ? own.read_only : []);
    const all = declared(kept);
    const tools = all.slice(0, room);
    room -= tools.length;
    left += all.length - tools.length;
    return {
      server,
      tools,
      operator: (tool: string) => ({
        isReadOnly: isConfigured(tool) || (readOnlyUntil(kept, tool) ?? 0) > nowUnixMs,
        labels: surroundings.answerLabels("tools", server, tool),
      }),
    };
  });
  return { tools: markTools(listed), left };
}

/** As they are pinned; those that were never pinned as they are offered. */
function declared({ pins }: KeptTools): readonly SeenTool[] {
  const names = new Set([...pins.pinned.keys(), ...pins.pending.keys()]);
  return [...names].flatMap((name) => {
    const hash = pins.pinned.get(name)?.contentHash ?? pins.pending.get(name)?.contentHash;
    const form = hash === undefined ? undefined : pins.forms.get(hash);
    return form === undefined ? [] : (seenTool(JSON.parse(form)) ?? []);
  });
}

/** Of whom it is asked what they have in one context. */
export interface Contexts {
  /** Servers behind each virtual server. */
  readonly virtual: ReadonlyMap<string, readonly string[]>;
  /** Servers that each caller has called lately. */
  readonly callers: ReadonlyMap<string, ReadonlySet<string>>;
}

/** More callers than that have the same few combinations. */
const maxCallers = 200;

export function combinationsOf(
  tools: readonly MarkedTool[],
  { virtual, callers }: Contexts,
): readonly ToxicCombination[] {
  const servers = [...new Set(tools.map(({ server }) => server))];
  return toxicCombinations(
    [
      { who: "*", servers },
      ...[...virtual].map(([who, own]) => ({ who, servers: own })),
      ...[...callers].slice(0, maxCallers).map(([who, own]) => ({ who, servers: [...own] })),
    ],
    tools,
  );
}
