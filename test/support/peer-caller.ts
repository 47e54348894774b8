/**
 * A calling peer as a process, to be run in a home of a lab. Its one argument is a `CallerSettings` in JSON; each line
 * on stdin is a numbered `CallerOrder`, answered by one line once it is done. It ends with its stdin.
 */
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

import { openTunnel, type Tunnel } from "../../src/app/connect.ts";
import { openPeerLink } from "../../src/app/peer/peer-link.ts";
import { peerSettings } from "../../src/app/peer/peer-places.ts";
import { openSidecarIdentity, type SidecarIdentity } from "../../src/app/sidecar-identity.ts";
import { collected } from "../../src/host/net/http-exchange.ts";
import type { PeerDialler } from "../../src/host/peer/peer-dialler.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { readPeerName, serverIdOf } from "../../src/identity/peer-name.ts";
import { Refusal } from "../../src/kernel/refusal.ts";
import type {
  CallerOrder,
  CallerSettings,
  CallsOutcome,
  FailedCall,
  LoadOutcome,
  MetOutcome,
  Told,
} from "./peer-orders.ts";
import { modernCall } from "./ways.ts";

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
let load: { readonly over: AbortController; readonly outcome: Promise<LoadOutcome> } | undefined;

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
      return await open(order);
    case "call":
      return await call(order);
    case "load":
      load = startLoad(order.everyMs);
      return undefined;
    case "unload":
      load?.over.abort();
      return await load?.outcome;
    case "heard":
      return await heard();
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

async function open({ target, whom }: CallerOrder & { do: "open" }): Promise<void> {
  const { state, joinToken, patienceMs, http } = settings;
  await tunnel?.close();
  const named = readPeerName(target);
  path = named === undefined ? new URL(target).pathname : `/mcp/${named.server}`;
  const expected = whom === undefined ? {} : { peer: whom };
  const patience = patienceMs === undefined ? {} : { patienceMs };
  const about = { target, peers, ...expected, ...probing, ...patience, links: http && { http } };
  const options = { ...about, state, joinToken, clock: systemClock, log };
  tunnel = await openTunnel(options, { clients: "many" });
}

async function call(order: CallerOrder & { do: "call" }): Promise<CallsOutcome> {
  const ms: number[] = [];
  const failures: FailedCall[] = [];
  let next = order.first;
  const cpu = process.cpuUsage();
  const began = performance.now();
  const work = async (): Promise<void> => {
    while (next < order.first + order.count) {
      const number = next++;
      const sent = performance.now();
      const failure = await one(order, number);
      if (failure === undefined) ms.push(performance.now() - sent);
      else failures.push(failure);
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

function startLoad(everyMs: number): NonNullable<typeof load> {
  const over = new AbortController();
  const answered: number[] = [];
  const failures: FailedCall[] = [];
  const go = async (): Promise<LoadOutcome> => {
    const calls: Promise<void>[] = [];
    for (let number = 1; !over.signal.aborted; number++) {
      const ended = one({ tool: "echo" }, number).then((failure) =>
        failure === undefined ? void answered.push(number) : void failures.push(failure),
      );
      calls.push(ended);
      await pause(everyMs, undefined, { signal: over.signal }).catch(() => undefined);
    }
    await Promise.all(calls);
    return { answered, failures };
  };
  return { over, outcome: go() };
}

/** @returns what it failed with */
async function one(
  { tool, arguments: given }: Pick<CallerOrder & { do: "call" }, "tool" | "arguments">,
  number: number,
): Promise<FailedCall | undefined> {
  try {
    const { status, text } = await sent(tool, { ...given, call: number }, number);
    return status === 200
      ? undefined
      : { call: number, text: `${status} ${text}`.slice(0, 300), isLost: true };
  } catch (error) {
    const isLost = !(error instanceof Refusal && error.facts["sent"] === false);
    return { call: number, text: String(error), isLost };
  }
}

async function sent(
  tool: string,
  given: Readonly<Record<string, unknown>>,
  id: number,
): Promise<{ readonly status: number; readonly text: string }> {
  if (tunnel === undefined) throw new Error("nothing is open");
  const { headers = {}, body = "" } = modernCall(tool, given, id);
  const answer = await collected(
    await tunnel.send({
      method: "POST",
      path,
      headers: Object.entries(headers).flatMap(([name, value]) => [name, String(value)]),
      body: Buffer.from(body),
    }),
  );
  const bytes = answer.kind === "whole" ? answer.body : Buffer.concat(await Array.fromAsync(answer.chunks));
  return { status: answer.status, text: Buffer.from(bytes).toString() };
}

async function heard(): Promise<readonly number[]> {
  const { status, text } = await sent("heard", {}, 0);
  if (status !== 200) throw new Error(text);
  const answer = JSON.parse(text) as { readonly result: { readonly content: readonly [{ text: string }] } };
  const lines = JSON.parse(answer.result.content[0].text) as readonly string[];
  return lines.flatMap((line) => {
    const message = JSON.parse(Buffer.from(line, "base64").toString()) as {
      readonly params?: { readonly arguments?: { readonly call?: number } };
    };
    const number = message.params?.arguments?.call;
    return number === undefined ? [] : [number];
  });
}
