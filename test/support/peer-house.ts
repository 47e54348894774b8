/** A gateway and a relay in the public network of a lab, and peers in homes behind NATs of it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { type Config, loadConfig } from "../../src/app/config.ts";
import { systemClock } from "../../src/host/system.ts";
import { atEnd, type Cleanup } from "./cleanup.ts";
import { latticegate, type Started, startProcess } from "./cli.ts";
import { openPolicy, quicklyUnlocked } from "./gateway.ts";
import { labFolder, type Network, openNetwork, type Space } from "./lab.ts";
import { openSite, type Site } from "./nat.ts";
import type { CallerOrder, CallerSettings, CallsOutcome, MetOutcome, Told } from "./peer-caller.ts";

export interface PeerHouse {
  readonly network: Network;
  /** Where gateway and relay are. */
  readonly town: Site;
  readonly folder: string;
  readonly config: Config;
  readonly gateway: Started;
  readonly relay: Started;
  /** How peers name the relay. */
  readonly via: string;
  /** For that SPIFFE path. */
  readonly joinToken: (identity: string) => Promise<string>;
  /** Starts the relay where it was, with the identity it had. */
  readonly startRelay: () => Promise<Started>;
}

/** A server that peers call by its name. */
export interface CalledHome {
  readonly target: string;
  readonly process: Started;
}

export interface CallingHome {
  readonly meet: (target: string, times: number) => Promise<readonly MetOutcome[]>;
  readonly open: (target: string) => Promise<void>;
  readonly call: (
    calls: Omit<CallerOrder & { do: "call" }, "do" | "tool" | "first"> & {
      readonly tool?: string;
      readonly first?: number;
    },
  ) => Promise<CallsOutcome>;
  /** What was logged since the last time. */
  readonly told: () => Promise<readonly Told[]>;
  readonly close: () => Promise<void>;
}

const townAddress = "203.0.113.1";
const ports = { gateway: 8443, relay: 8445 } as const;
const relayPlace = `${townAddress}:${ports.relay}`;

/** @param yaml of the gateway's config */
export async function openPeerHouse(t: Cleanup, yaml = ""): Promise<PeerHouse> {
  const network = openNetwork(t);
  const town = await openSite(t, network, { kind: "none", label: "town", address: townAddress });
  const folder = await labFolder(t);
  const configFile = path.join(folder, "latticegate.yaml");
  const address = `${townAddress}:${ports.gateway}`;
  await quicklyUnlocked(path.join(folder, "state"));
  await writeFile(configFile, `state: ./state\nlisten: ${address}\ndashboard: off\n${yaml}\n${openPolicy}`);
  const place = homeOf(town);
  const args = ["up", "--config", configFile];
  const gateway = await startIn(t, place, args, /^Latticegate is up/);
  const config = loadConfig(configFile);
  const joinToken = (identity: string): Promise<string> =>
    makeJoinToken(config, { path: identity, address }, systemClock);
  const state = await prepared(folder, "relay");
  const token = await joinToken("server/relay");
  const startRelay = (): Promise<Started> =>
    startIn(
      t,
      place,
      ["relay", "--listen", relayPlace, "--state", state, "--join", token, "--verbose"],
      /^Relay relay listens/,
    );
  const relay = await startRelay();
  const via = `relay@${relayPlace}`;
  return { network, town, folder, config, gateway, relay, via, joinToken, startRelay };
}

/** @param home of that site; the first one by default */
export async function openCalled(
  t: Cleanup,
  house: PeerHouse,
  {
    name,
    home,
    more = [],
  }: { readonly name: string; readonly home: Space; readonly more?: readonly string[] },
): Promise<CalledHome> {
  const state = await prepared(house.folder, name);
  const found = more.includes("--lan") ? [] : ["--via", house.via];
  const asked = [
    "--p2p",
    ...found,
    ...more,
    "--allow",
    "spiffe://*/agent/*",
    "--state",
    state,
    "--verbose",
    "--join",
    await house.joinToken(`server/${name}`),
  ];
  const server = fileURLToPath(new URL("./scripted-server.ts", import.meta.url));
  const args = ["expose", ...asked, "--", process.execPath, server];
  const process_ = await startIn(t, home, args, /^Peers reach it as (\S+)$/);
  return { target: process_.groups[0] ?? "", process: process_ };
}

export async function openCalling(
  t: Cleanup,
  house: PeerHouse,
  {
    name,
    home,
    ...settings
  }: { readonly name: string; readonly home: Space } & Partial<Omit<CallerSettings, "state" | "joinToken">>,
): Promise<CallingHome> {
  const { via = [house.via], isLocal = false } = settings;
  const joinToken = await house.joinToken(`agent/${name}`);
  const state = await prepared(house.folder, name);
  const ask = await startCaller(t, home, { ...settings, via, isLocal, state, joinToken });
  return {
    meet: async (target, times) => (await ask({ do: "meet", target, times })) as readonly MetOutcome[],
    open: async (target) => void (await ask({ do: "open", target })),
    call: async (calls) => (await ask({ do: "call", tool: "echo", first: 1, ...calls })) as CallsOutcome,
    told: async () => (await ask({ do: "told" })) as readonly Told[],
    close: async () => void (await ask({ do: "close" })),
  };
}

interface AnswerLine {
  readonly id: number;
  readonly answer?: unknown;
  readonly error?: string;
}

async function startCaller(
  t: Cleanup,
  home: Space,
  settings: CallerSettings,
): Promise<(order: CallerOrder) => Promise<unknown>> {
  const [program, ...before] = home.on;
  const script = fileURLToPath(new URL("./peer-caller.ts", import.meta.url));
  const child = spawn(program, [...before, process.execPath, script, JSON.stringify(settings)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  atEnd(t, async () => {
    child.kill("SIGKILL");
    await exited;
  });
  const waiting = new Map<number, PromiseWithResolvers<unknown>>([[0, Promise.withResolvers()]]);
  const up = waiting.get(0)?.promise;
  createInterface({ input: child.stdout }).on("line", (line) => {
    const { id, answer, error } = JSON.parse(line) as AnswerLine;
    if (error === undefined) waiting.get(id)?.resolve(answer);
    else waiting.get(id)?.reject(new Error(error));
    waiting.delete(id);
  });
  child.once("exit", () => waiting.forEach(({ reject }) => reject(new Error("The caller ended."))));
  await up;
  let last = 0;
  return async (order) => {
    const id = (last += 1);
    const answered = Promise.withResolvers<unknown>();
    waiting.set(id, answered);
    child.stdin.write(`${JSON.stringify({ id, ...order })}\n`);
    return await answered.promise;
  };
}

/** The only home of that site, or the first. */
export function homeOf({ homes: [home] }: Site): Space {
  if (home === undefined) throw new Error("a site has a home");
  return home;
}

async function prepared(folder: string, name: string): Promise<string> {
  const state = path.join(folder, name);
  await quicklyUnlocked(state);
  return state;
}

async function startIn(t: Cleanup, { on }: Space, args: readonly string[], ready: RegExp): Promise<Started> {
  return await startProcess(t, [...on, process.execPath, ...latticegate(args)], ready);
}
