/** `latticegate scan` */
import { randomInt } from "node:crypto";
import { existsSync } from "node:fs";
import os from "node:os";

import { type Config, loadConfig } from "../app/config.ts";
import { inventoryPlace, keepSightings } from "../app/inventory/keep-inventory.ts";
import { scan as look } from "../app/scan/scan.ts";
import type { ClientSearch } from "../app/scan/search-clients.ts";
import { defaultPace } from "../app/scan/search-network.ts";
import type { TrafficSearch } from "../app/scan/search-traffic.ts";
import { statePaths } from "../app/state-folder.ts";
import { asWritten, type Naming, withNames } from "../app/subject-names.ts";
import { thisPlatform } from "../host/scan/this-machine.ts";
import { systemClock } from "../host/system.ts";
import { type Inventory, inventoryOf } from "../inventory/inventory.ts";
import { markedInventory } from "../inventory/marked-inventory.ts";
import { defaultPorts, parsePorts } from "../inventory/targets.ts";
import { Refusal } from "../kernel/refusal.ts";
import { parseDurationMs } from "../kernel/units.ts";
import { type Command, type CommandCall, configFile, configOption } from "./command.ts";
import { scanText } from "./scan-text.ts";
import { timesBetween } from "./time-option.ts";
import { jsonText, shown } from "./tools-text.ts";

export const scan = {
  options: {
    ...configOption,
    port: {
      type: "string",
      value: "PORTS",
      help: `Ports of TARGETs that name none, such as 80,443,8000-8100; ${defaultPorts.join(",")} by default.`,
    },
    public: { type: "boolean", help: "TARGETs may be on the Internet; ask nobody's network but your own." },
    rate: {
      type: "string",
      value: "N",
      help: `Connections a second on the network; ${defaultPace.perSecond} by default.`,
    },
    for: { type: "string", value: "TIME", help: "How long to look at the network at most; 10m by default." },
    since: {
      type: "string",
      value: "TIME",
      help: "How far back to read a gateway's log; 30d ago by default.",
    },
    "network-only": { type: "boolean", help: "Look at the TARGETs alone, not at this machine." },
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
    json: { type: "boolean", help: "Print everything that was found as JSON." },
  },
  run: async (call) => {
    const over = new AbortController();
    process.once("SIGINT", () => over.abort());
    const gateway = gatewayOf(call);
    // What is kept has callers as the log has them, so that what is erased there is erased.
    const sightings = await withGatewayNames(call.flag("keep") ? undefined : gateway, async (named) => {
      const request = {
        ...(!call.flag("network-only") && { machine: machineOf(call) }),
        ...(gateway && { traffic: { ...gateway.traffic, named } }),
        ...(call.positionals.length > 0 && { network: networkOf(call) }),
        asks: !call.flag("no-asking"),
        clock: systemClock,
        signal: over.signal,
        onProgress: (what: string) => call.doing(`Looking at ${shown(what)}`),
      };
      return await Array.fromAsync(look(request));
    });
    const nowUnixMs = systemClock.nowUnixMs();
    const place = call.flag("keep") ? await inventoryPlace(call.text("config")) : undefined;
    const kept = place && (await keepSightings(place, sightings, nowUnixMs));
    const found = markedInventory(kept ?? inventoryOf(sightings, undefined, nowUnixMs));
    if (call.flag("json")) call.out(jsonText(found));
    else for (const line of scanText(found)) call.out(line);
    return call.flag("check") && found.inventory.servers.some(isWanting) ? 1 : 0;
  },
} as const satisfies Command;

interface Gateway {
  readonly config: Config;
  readonly traffic: Omit<TrafficSearch, "named" | "asking" | "signal">;
}

/** The one whose config is named, or stands here. */
function gatewayOf(call: CommandCall): Gateway | undefined {
  const file = configFile(call);
  if (call.text("config") === undefined && !existsSync(file)) return undefined;
  const config = loadConfig(file);
  const nowUnixMs = systemClock.nowUnixMs();
  const { sinceUnixMs = nowUnixMs - monthMs } = timesBetween(call.text("since"), undefined, nowUnixMs);
  const { log } = statePaths(config.state);
  return {
    config,
    traffic: { gateway: config.file, config, folder: log, sinceUnixMs, untilUnixMs: nowUnixMs },
  };
}

const monthMs = 30 * 24 * 3_600_000;

async function withGatewayNames<T>(
  gateway: Gateway | undefined,
  work: (named: Naming) => Promise<T>,
): Promise<T> {
  if (gateway === undefined) return await work(asWritten.named);
  const { state, unlock } = gateway.config;
  return await withNames(
    { state, unlock },
    ({ named }) => work(named),
    (why) =>
      void process.stderr.write(`Pseudonyms are shown, since no names can be found for them: ${why}\n`),
  );
}

function networkOf(call: CommandCall): NonNullable<Parameters<typeof look>[0]["network"]> {
  const perSecond = Number(call.text("rate") ?? defaultPace.perSecond);
  if (!Number.isInteger(perSecond) || perSecond < 1 || perSecond > 10_000)
    throw new Refusal("bad_config", "--rate takes a number of connections from 1 to 10000.");
  const wholeTimeoutMs = parseDurationMs(call.text("for") ?? "10m");
  if (wholeTimeoutMs === undefined || wholeTimeoutMs < 1000)
    throw new Refusal("bad_config", "--for takes a time such as 90s or 10m.");
  const ports = call.text("port");
  return {
    targets: call.positionals,
    ports: ports === undefined ? defaultPorts : parsePorts(ports),
    isPublic: call.flag("public"),
    pace: { ...defaultPace, perSecond },
    wholeTimeoutMs,
    seed: randomInt(2 ** 32 - 1),
  };
}

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

function isWanting({ posture, standing }: Inventory["servers"][number]): boolean {
  const verdicts = [posture?.keyExchange.verdict, posture?.authentication.verdict];
  return standing === "shadow" || verdicts.some((verdict) => verdict === "none" || verdict === "weak");
}
