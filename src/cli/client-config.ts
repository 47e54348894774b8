/** What a person pastes into an MCP client so that it reaches the servers through `latticegate connect`. */
import { fileURLToPath } from "node:url";

import type { Config } from "../app/config.ts";

/** JSON in the form all common clients share (`mcpServers`). */
export function clientConfigText(config: Config, sidecarState: string): string {
  const main = fileURLToPath(new URL("main.ts", import.meta.url));
  const entry = import.meta.url.endsWith(".ts") ? main : main.replace(/\.ts$/, ".js");
  const servers = Object.keys(config.servers).map((name) => [
    name,
    { command: process.execPath, args: [entry, "connect", name, "--state", sidecarState] },
  ]);
  return JSON.stringify({ mcpServers: Object.fromEntries(servers) }, null, 2);
}
