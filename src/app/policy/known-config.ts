/** What a config, and what its gateway has pinned, says of the things that rules name. */
import { existsSync } from "node:fs";
import path from "node:path";

import { type KeptTools, readPins } from "../../host/store/stored-pins.ts";
import { openTools } from "../../host/store/state-tools.ts";
import type { Known, KnownTool } from "../../policy/check/check-rules.ts";
import { matcher } from "../../policy/patterns.ts";
import type { TrialWorld } from "../../policy/trial/described-call.ts";
import { type Config, parseConfig, type ServerConfig } from "../config.ts";
import { surroundingsIn } from "../config/surroundings.ts";
import { statePaths } from "../state-folder.ts";
import { readOnlyUntil } from "../tools/kept-tools.ts";
import { namesInConfig } from "./refuse-wrong-rules.ts";
import { readYaml, withoutAliases } from "./rule-file.ts";
import { knownTool } from "./world-file.ts";

/** The config but for its rules, which may be wrong; a bundle that it follows isn't looked into. @throws Refusal `bad_config` */
export function configWithoutRules(file: string): Config {
  const { document } = readYaml(file);
  withoutAliases(file, (options): unknown => document.toJS(options));
  if (document.has("policies") && !document.hasIn(["policies", "bundle"])) document.set("policies", []);
  return parseConfig(String(document), path.resolve(file));
}

export function knownOfConfig(config: Config): Known {
  return { ...namesInConfig(config), tools: pinnedTools(config) };
}

export function trialWorldOfConfig(config: Config): TrialWorld {
  const tools = pinnedTools(config);
  return {
    trustDomain: config.trust_domain,
    surroundings: surroundingsIn(config),
    isReadOnly: (server, tool) => tools.get(server)?.get(tool)?.onlyReads === true,
  };
}

/** By server, those of the config whose tools the gateway has pinned. */
function pinnedTools({ state, servers }: Config): Known["tools"] {
  const { database } = statePaths(state);
  if (!existsSync(database)) return new Map();
  const store = openTools(database);
  try {
    const pinned = new Map<string, ReadonlyMap<string, KnownTool>>();
    for (const server of store.servers().filter((name) => Object.hasOwn(servers, name))) {
      const tools = toolsIn(readPins(store.pins(server), server), servers[server]);
      if (tools.size > 0) pinned.set(server, tools);
    }
    return pinned;
  } finally {
    store.close();
  }
}

function toolsIn(kept: KeptTools, server: ServerConfig | undefined): ReadonlyMap<string, KnownTool> {
  const isConfigured = matcher(server !== undefined && "read_only" in server ? server.read_only : []);
  return new Map(
    [...kept.pins.pinned].map(([name, { contentHash }]) => {
      const onlyReads = isConfigured(name) || (readOnlyUntil(kept, name) ?? 0) > Date.now();
      return [name, declaredTool(kept.pins.forms.get(contentHash), onlyReads)];
    }),
  );
}

function declaredTool(form: string | undefined, onlyReads: boolean): KnownTool {
  const { inputSchema: input, outputSchema: output } = JSON.parse(form ?? "{}") as Readonly<
    Record<string, unknown>
  >;
  return knownTool({ input, output, onlyReads });
}
