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
import type {
  CallerOrder,
  CallerSettings,
  CallsOutcome,
  LoadOutcome,
  MetOutcome,
  Told,
} from "./peer-orders.ts";

export interface PeerHouse {
  readonly network: Network;
  /** Where gateway and relay are. */
  readonly town: Site;
  readonly folder: string;
  readonly config: Config;
  readonly gateway: Started;
  readonly relay: PeerRelay;
  /** For that SPIFFE path. */
  readonly joinToken: (identity: string) => Promise<string>;
}

export interface PeerRelay {
  /** How peers name it. */
  readonly via: string;
  readonly process: Started;
  /** Starts it again where it was, with the identity it had. */
  readonly again: () => Promise<Started>;
}

/** A server that peers call by its name. */
export interface CalledHome {
  readonly target: string;
  readonly process: Started;
}

export interface CallingHome {
  readonly meet: (target: string, times: number) => Promise<readonly MetOutcome[]>;
  /** @param whom to expect there, a SPIFFE ID; for URLs */
  readonly open: (target: string, whom?: string) => Promise<void>;
  readonly call: (
    calls: Omit<CallerOrder & { do: "call" }, "do" | "tool" | "first"> & {
      readonly tool?: string;
      readonly first?: number;
    },
  ) => Promise<CallsOutcome>;
  /** Calls every so often from now on. @returns ends that, with what became of all */
  readonly load: (everyMs: number) => Promise<() => Promise<LoadOutcome>>;
  /** Numbers of the calls that the server was sent, in order. */
  readonly heard: () => Promise<readonly number[]>;
  /** What was logged since the last time. */
  readonly told: () => Promise<readonly Told[]>;
  readonly close: () => Promise<void>;
  /** SIGSTOP and SIGCONT. */
  readonly signal: (signal: NodeJS.Signals) => void;
  readonly pid: number;
}

const townAddress = "203.0.113.1";
const ports = { gateway: 8443, relay: 8445 } as const;

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
  const grounds = { network, town, folder, config, gateway, joinToken };
  return { ...grounds, relay: await openRelay(t, grounds, { name: "relay", port: ports.relay }) };
}

export async function openRelay(
  t: Cleanup,
  { town, folder, joinToken }: Omit<PeerHouse, "relay">,
  { name, port }: { readonly name: string; readonly port: number },
): Promise<PeerRelay> {
  const place = `${townAddress}:${port}`;
  const state = await prepared(folder, name);
  const token = await joinToken(`server/${name}`);
  const args = ["relay", "--listen", place, "--state", state, "--join", token, "--verbose"];
  const again = (): Promise<Started> => startIn(t, homeOf(town), args, /^Relay \S+ listens/);
  return { via: `${name}@${place}`, process: await again(), again };
}

interface Peer {
  readonly name: string;
  readonly home: Space;
  /** How the relays are named; the house's own by default, and none for peers of one network. */
  readonly via?: readonly string[];
  readonly isLocal?: boolean;
}

interface CalledSpec extends Peer {
  /** Where it is reached as every exposed server is, beside its name; on its own machine alone by default. */
  readonly listen?: string;
}

export async function openCalled(
  t: Cleanup,
  house: PeerHouse,
  { name, home, via = [house.relay.via], isLocal = false, listen = "127.0.0.1:0" }: CalledSpec,
): Promise<CalledHome> {
  const state = await prepared(house.folder, name);
  const found = isLocal ? ["--lan"] : via.flatMap((relay) => ["--via", relay]);
  const token = await house.joinToken(`server/${name}`);
  const identity = ["--state", state, "--join", token, "--listen", listen];
  const server = ["--", process.execPath, fileURLToPath(new URL("./scripted-server.ts", import.meta.url))];
  const args = ["--p2p", ...found, "--allow", "spiffe://*/agent/*", "--verbose", ...identity, ...server];
  const started = await startIn(t, home, ["expose", ...args], /^Peers reach it as (\S+)$/);
  return { target: started.groups[0] ?? "", process: started };
}

/** @param settings of the process that calls, where they aren't as usual */
export async function openCalling(
  t: Cleanup,
  house: PeerHouse,
  { name, home, via = [house.relay.via], isLocal = false }: Peer,
  settings: Partial<CallerSettings> = {},
): Promise<CallingHome> {
  const joinToken = await house.joinToken(`agent/${name}`);
  const state = await prepared(house.folder, name);
  const found = { via: isLocal ? [] : via, isLocal };
  const { ask, signal, pid } = await startCaller(t, home, { ...found, state, joinToken, ...settings });
  return {
    meet: async (target, times) => (await ask({ do: "meet", target, times })) as readonly MetOutcome[],
    open: async (target, whom) =>
      void (await ask({ do: "open", target, ...(whom !== undefined && { whom }) })),
    call: async (calls) => (await ask({ do: "call", tool: "echo", first: 1, ...calls })) as CallsOutcome,
    load: async (everyMs) => {
      await ask({ do: "load", everyMs });
      return async () => (await ask({ do: "unload" })) as LoadOutcome;
    },
    heard: async () => (await ask({ do: "heard" })) as readonly number[],
    told: async () => (await ask({ do: "told" })) as readonly Told[],
    close: async () => void (await ask({ do: "close" })),
    signal,
    pid,
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
): Promise<Pick<CallingHome, "signal" | "pid"> & { readonly ask: (order: CallerOrder) => Promise<unknown> }> {
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
  const ask = async (order: CallerOrder): Promise<unknown> => {
    const id = (last += 1);
    const answered = Promise.withResolvers<unknown>();
    waiting.set(id, answered);
    child.stdin.write(`${JSON.stringify({ id, ...order })}\n`);
    return await answered.promise;
  };
  return { ask, signal: (name) => void child.kill(name), pid: child.pid ?? 0 };
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
