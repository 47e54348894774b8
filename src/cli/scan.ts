/** `latticegate scan` */
import os from "node:os";

import { markTools } from "../inventory/tools/mark-tools.ts";
import { toxicCombinations } from "../inventory/tools/toxic-combinations.ts";
import { type Inventory, inventoryOf } from "../inventory/inventory.ts";
import { placeKey, type Sighting } from "../inventory/sighting.ts";
import { inventoryPlace, keepSightings } from "../app/inventory/keep-inventory.ts";
import { scan as look } from "../app/scan/scan.ts";
import type { ClientSearch } from "../app/scan/search-clients.ts";
import { thisPlatform } from "../host/scan/this-machine.ts";
import { systemClock } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Command, type CommandCall, configOption } from "./command.ts";
import { type Scanned, scanText } from "./scan-text.ts";
import { jsonText } from "./tools-text.ts";

export const scan = {
  name: "scan",
  arguments: "",
  summary:
    "Find what speaks MCP on this machine: clients' configurations, processes, ports; with what cryptography. Starts and changes nothing, and prints no secret; --keep adds it to the inventory.",
  options: {
    home: {
      type: "string",
      multiple: true,
      value: "FOLDER",
      help: "Look for clients in this home, instead of your own; may be given more than once.",
    },
    project: {
      type: "string",
      multiple: true,
      value: "FOLDER",
      help: "Look for projects' configurations below this folder, too.",
    },
    "no-asking": {
      type: "boolean",
      help: "Read files and processes alone: open no connection to any server or port.",
    },
    check: {
      type: "boolean",
      help: "Exit with 1 if a server is in the clear, weak, or in nobody's configuration.",
    },
    keep: {
      type: "boolean",
      help: "Keep what is found in the inventory of the config's state folder; .latticegate without a config.",
    },
    ...configOption,
    json: { type: "boolean", help: "Print everything that was found as JSON." },
  },
  run: async (call) => {
    if (call.positionals.length > 0) throw new Refusal("bad_config", "Expected no further argument.");
    const clock = systemClock;
    const over = new AbortController();
    process.once("SIGINT", () => over.abort());
    const sightings: Sighting[] = [];
    for await (const sighting of look({
      machine: machineOf(call),
      asks: !call.flag("no-asking"),
      clock,
      signal: over.signal,
      onProgress: (what) => void process.stderr.write(`Looking at ${what} …\n`),
    })) {
      sightings.push(sighting);
    }
    const now = clock.nowUnixMs();
    const place = call.flag("keep") ? await inventoryPlace(call.text("config")) : undefined;
    const kept = place && (await keepSightings(place, sightings, now));
    const found = scanned(kept ?? inventoryOf(sightings, undefined, now));
    if (call.flag("json")) call.out(jsonText(found));
    else for (const line of scanText(found)) call.out(line);
    return call.flag("check") && found.inventory.servers.some(isWanting) ? 1 : 0;
  },
} as const satisfies Command;

function machineOf(call: CommandCall): Omit<ClientSearch, "signal"> {
  const ownHome = os.homedir();
  const homes = call.texts("home");
  return {
    platform: thisPlatform(),
    environment: process.env,
    ownHome,
    homes: homes.length === 0 ? [ownHome] : homes,
    projects: call.texts("project"),
  };
}

function scanned(inventory: Inventory): Scanned {
  const tools = markTools(
    inventory.servers.flatMap(({ id, tools: listed }) =>
      listed === undefined ? [] : [{ server: id, tools: listed }],
    ),
  );
  const reaches = inventory.clients.map((client) => ({
    who: client.file,
    servers: inventory.servers
      .filter(({ evidence }) => evidence.some((each) => each.by === "client" && each.file === client.file))
      .map(({ place }) => placeKey(place)),
  }));
  return { inventory, tools, combinations: toxicCombinations(reaches, tools) };
}

function isWanting({ posture, standing }: Inventory["servers"][number]): boolean {
  const verdicts = [posture?.keyExchange.verdict, posture?.authentication.verdict];
  return standing === "shadow" || verdicts.some((verdict) => verdict === "none" || verdict === "weak");
}
