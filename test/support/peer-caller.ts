/**
 * A calling peer as a process, to be run in a home of a lab. Its one argument is a `CallerSettings` in JSON; each line
 * on stdin is a numbered `CallerOrder`, answered by one line once it is done. It ends with its stdin.
 */
import { createInterface } from "node:readline";

import { openTunnel, type Tunnel } from "../../src/app/connect.ts";
import { openPeerLink } from "../../src/app/peer/peer-link.ts";
import { peerSettings } from "../../src/app/peer/peer-places.ts";
import { openSidecarIdentity, type SidecarIdentity } from "../../src/app/sidecar-identity.ts";
import { collected } from "../../src/host/net/http-exchange.ts";
import type { PeerDialler } from "../../src/host/peer/peer-dialler.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { readPeerName, serverIdOf } from "../../src/identity/peer-name.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import type { PeerPath } from "../../src/model/peer-path.ts";
import { modernCall } from "./ways.ts";

export interface CallerSettings {
  readonly state: string;
  readonly joinToken: string;
  readonly via: readonly string[];
  readonly isLocal: boolean;
  readonly probeEachMs?: number;
  readonly patienceMs?: number;
}

/**
 * `meet`: links to a peer, each with its own dialler, ended at once. `open`: takes that server for what follows.
 * `call`: that many tool calls, each with its number among its arguments. `told`: what was logged since the last time.
 */
export type CallerOrder =
  | { readonly do: "meet"; readonly target: string; readonly times: number }
  | { readonly do: "open"; readonly target: string }
  | {
      readonly do: "call";
      readonly first: number;
      readonly count: number;
      readonly inFlight: number;
      readonly tool: string;
      readonly arguments?: Readonly<Record<string, unknown>>;
    }
  | { readonly do: "told" }
  | { readonly do: "close" };

export interface MetOutcome {
  readonly ms: number;
  readonly path?: PeerPath;
  readonly failure?: string;
}

export interface CallsOutcome {
  /** Of calls that were answered, in order. */
  readonly ms: readonly number[];
  readonly wholeMs: number;
  readonly cpuMs: number;
  readonly failures: readonly {
    readonly call: number;
    readonly text: string;
    /** Whether it may have been carried out. */
    readonly maySent: boolean;
  }[];
}

/** A line of the log. */
export type Told = { readonly event: string; readonly time: string } & Readonly<Record<string, unknown>>;

const settings = JSON.parse(process.argv[2] ?? "{}") as CallerSettings;
const told: Told[] = [];
const log = systemLog({
  level: "info",
  form: "json",
  write: (line) => void told.push(JSON.parse(line) as Told),
});
const peers = { via: settings.via, isLocal: settings.isLocal };
const probing = settings.probeEachMs === undefined ? {} : { probeEachMs: settings.probeEachMs };
let identity: SidecarIdentity | undefined;
let tunnel: Tunnel | undefined;
let path = "";

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const { id, ...order } = JSON.parse(line) as CallerOrder & { readonly id: number };
    obey(order as CallerOrder).then(
      (answer) => say({ id, answer }),
      (error: unknown) => say({ id, error: error instanceof Error ? error.message : String(error) }),
    );
  })
  .on("close", () => process.exit());
say({ id: 0, answer: "up" });

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function obey(order: CallerOrder): Promise<unknown> {
  switch (order.do) {
    case "meet":
      return await meet(order);
    case "open":
      return await open(order.target);
    case "call":
      return await call(order);
    case "told":
      return told.splice(0);
    case "close":
      break;
  }
  await tunnel?.close();
  return undefined;
}

async function meet({ target, times }: CallerOrder & { do: "meet" }): Promise<readonly MetOutcome[]> {
  const { state, joinToken } = settings;
  const own = (identity ??= await openSidecarIdentity({ state, joinToken, clock: systemClock, log }));
  const outcomes: MetOutcome[] = [];
  for (let i = 0; i < times; i++) outcomes.push(await meetOnce(target, own));
  return outcomes;
}

async function meetOnce(target: string, own: SidecarIdentity): Promise<MetOutcome> {
  const peer = readPeerName(target);
  if (peer === undefined) throw new Error(`${target} names no peer`);
  const dialler: PeerDialler = await openPeerLink({
    peer,
    spiffeId: serverIdOf(peer, own.trustDomain),
    settings: peerSettings(peers, own.trustDomain),
    identity: own,
    clock: systemClock,
    log,
  });
  const began = performance.now();
  try {
    const link = await dialler.connect();
    const ms = performance.now() - began;
    const found = dialler.path();
    link.destroy();
    return { ms, ...(found && { path: found }) };
  } catch (error) {
    return { ms: performance.now() - began, failure: String(error) };
  } finally {
    dialler.stop();
  }
}

async function open(target: string): Promise<void> {
  const { state, joinToken, patienceMs } = settings;
  await tunnel?.close();
  path = `/mcp/${readPeerName(target)?.server ?? target}`;
  const patience = patienceMs === undefined ? {} : { patienceMs };
  const options = { target, peers, state, joinToken, clock: systemClock, log, ...probing, ...patience };
  tunnel = await openTunnel(options, { clients: "many" });
}

async function call(order: CallerOrder & { do: "call" }): Promise<CallsOutcome> {
  const ms: number[] = [];
  const failures: CallsOutcome["failures"][number][] = [];
  let next = order.first;
  const cpu = process.cpuUsage();
  const began = performance.now();
  const work = async (): Promise<void> => {
    while (next < order.first + order.count) {
      const number = next++;
      const sent = performance.now();
      const failure = await one(order, number);
      if (failure === undefined) ms.push(performance.now() - sent);
      else failures.push({ call: number, ...failure });
    }
  };
  await Promise.all(Array.from({ length: order.inFlight }, work));
  const { user, system } = process.cpuUsage(cpu);
  return {
    ms: ms.toSorted((a, b) => a - b),
    wholeMs: performance.now() - began,
    cpuMs: (user + system) / 1000,
    failures,
  };
}

/** @returns what it failed with */
async function one(
  { tool, arguments: given }: CallerOrder & { do: "call" },
  number: number,
): Promise<{ readonly text: string; readonly maySent: boolean } | undefined> {
  if (tunnel === undefined) throw new Error("nothing is open");
  const { headers = {}, body = "" } = modernCall(tool, { ...given, call: number }, number);
  const request = {
    method: "POST",
    path,
    headers: Object.entries(headers).flatMap(([name, value]) => [name, String(value)]),
    body: Buffer.from(body),
  } as const;
  try {
    const answer = await collected(await tunnel.send(request));
    if (answer.kind === "stream") return { text: "a stream", maySent: true };
    if (answer.status === 200) return undefined;
    return { text: `${answer.status} ${Buffer.from(answer.body).toString()}`.slice(0, 300), maySent: true };
  } catch (error) {
    const maySent = !(error instanceof Refusal && error.facts["sent"] === false);
    return { text: String(error), maySent };
  }
}
