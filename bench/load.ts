/**
 * `load.ts TARGET`: the load, in a process of its own. Each line on stdin is an order; its answer is a line
 * on stdout. Connections stay open between orders, so that each round measures calls and no handshakes.
 */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import tls from "node:tls";

import { Pool } from "undici";

import { quantile } from "../src/kernel/statistics.ts";

/** Where to, and with which TLS; without `tls` in the clear. */
export interface Target {
  readonly url: string;
  /** Called in turn. */
  readonly tools?: readonly string[];
  /** Some of them are refused, and that is as it should be. */
  readonly mayBeRefused?: boolean;
  readonly tls?: {
    readonly ca: string;
    readonly group: string;
    readonly certificate?: string;
    readonly key?: string;
    /** A SPIFFE ID to expect instead of a host name. */
    readonly peer?: string;
  };
}

export type Order =
  | { readonly kind: "calls"; readonly count: number; readonly inFlight: number }
  /** Open loop: calls leave when they are due, however many are still out. */
  | { readonly kind: "paced"; readonly perSecond: number; readonly seconds: number }
  /** The same with as little work for this process as can be: on few connections, answers counted and not read. */
  | { readonly kind: "cheap"; readonly perSecond: number; readonly seconds: number }
  | { readonly kind: "handshakes"; readonly count: number };

export interface Measured {
  /** How many were answered. */
  readonly count: number;
  readonly seconds: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

const target = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as Target;
const url = new URL(target.url);
const tlsOptions = target.tls && {
  ca: target.tls.ca,
  cert: target.tls.certificate,
  key: target.tls.key,
  ecdhCurve: target.tls.group,
  minVersion: "TLSv1.3" as const,
  servername: "localhost",
  ...(target.tls.peer !== undefined && {
    checkServerIdentity: (_: string, { subjectaltname = "" }: tls.PeerCertificate) =>
      subjectaltname === `URI:${target.tls?.peer ?? ""}`
        ? undefined
        : new Error(`not the peer: ${subjectaltname}`),
  }),
};
const connections = 64;
/** More calls than this at once aren't sent: who can't keep up would otherwise be measured by the length of its queue. */
const mostOut = 256;
const pool = new Pool(url.origin, { connections, pipelining: 1, ...(tlsOptions && { connect: tlsOptions }) });
const headers: Record<string, string> = {
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
};
/** About 0.5 kB, as a real tool call is. */
const filler = "Please look at the shelves in the back room as well. ".repeat(6);
let id = 0;

async function post(message: object): Promise<Record<string, unknown>> {
  const body = JSON.stringify({ jsonrpc: "2.0", ...message });
  const answer = await pool.request({ path: url.pathname, method: "POST", headers, body });
  const text = await answer.body.text();
  // A refused call would be a cheap one.
  const isRefused = text.includes('"error":') || text.includes('"isError":true');
  if (answer.statusCode >= 500 || (target.mayBeRefused !== true && (answer.statusCode >= 300 || isRefused)))
    throw new Error(`${answer.statusCode} ${text.slice(0, 200)}`);
  return answer.headers;
}

async function initialize(): Promise<void> {
  const clientInfo = { name: "load", version: "1" };
  const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo };
  const { "mcp-session-id": session } = await post({ id: ++id, method: "initialize", params });
  if (typeof session === "string") headers["mcp-session-id"] = session;
  headers["mcp-protocol-version"] = "2025-06-18";
  await post({ method: "notifications/initialized" });
}

const { tools = ["stock"] } = target;

async function call(): Promise<void> {
  const name = tools[++id % tools.length];
  await post({ id, method: "tools/call", params: { name, arguments: { note: filler } } });
}

async function calls(count: number, inFlight: number): Promise<readonly number[]> {
  const took: number[] = [];
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const began = performance.now();
      await call();
      took.push((performance.now() - began) * 1000);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return took;
}

/** @returns what those took that were sent, from when they were due */
async function paced(perSecond: number, seconds: number): Promise<readonly number[]> {
  const took: number[] = [];
  const out = new Set<Promise<unknown>>();
  const began = performance.now();
  const count = perSecond * seconds;
  for (let next = 0; next < count; await pause(1)) {
    const due = Math.min(count, Math.ceil(((performance.now() - began) / 1000) * perSecond));
    for (; next < due; next++) {
      if (out.size >= mostOut) continue;
      const dueMs = began + (next * 1000) / perSecond;
      const sent = call().then(() => took.push((performance.now() - dueMs) * 1000));
      out.add(sent);
      void sent.then(() => out.delete(sent));
    }
  }
  await Promise.all(out);
  return took;
}

/** @returns what those took that were sent */
async function cheap(perSecond: number, seconds: number): Promise<readonly number[]> {
  const wires = await Promise.all(Array.from({ length: 4 }, wire));
  const began = performance.now();
  let sent = 0;
  while (performance.now() - began < seconds * 1000) {
    const due = Math.floor(((performance.now() - began) / 1000) * perSecond);
    for (const each of wires) {
      const room = mostOut / wires.length - each.out();
      const now = Math.max(0, Math.min(room, Math.ceil((due - sent) / wires.length)));
      sent += now;
      each.send(now);
    }
    // What can't be sent now isn't sent later.
    sent = Math.max(sent, due - mostOut);
    await pause(5);
  }
  while (wires.some((each) => each.out() > 0)) await pause(5);
  for (const each of wires) each.end();
  return wires.flatMap((each) => each.took);
}

interface Wire {
  readonly send: (count: number) => void;
  /** Not answered yet. */
  readonly out: () => number;
  readonly took: readonly number[];
  readonly end: () => void;
}

const answerHead = Buffer.from("HTTP/1.1 ");

/** A connection on which calls follow one another, whether the ones before were answered or not. */
async function wire(): Promise<Wire> {
  const socket = tls.connect({ ...tlsOptions, host: url.hostname, port: Number(url.port) });
  await once(socket, "secureConnect");
  const sentAt: number[] = [];
  const took: number[] = [];
  socket.on("data", (bytes: Buffer) => {
    for (let at = bytes.indexOf(answerHead); at >= 0; at = bytes.indexOf(answerHead, at + answerHead.length))
      took.push((performance.now() - (sentAt[took.length] ?? 0)) * 1000);
  });
  return {
    send: (count) => {
      if (count === 0) return;
      for (let i = 0; i < count; i++) sentAt.push(performance.now());
      socket.write(Array.from({ length: count }, callBytes).join(""));
    },
    out: () => sentAt.length - took.length,
    took,
    end: () => socket.destroy(),
  };
}

function callBytes(): string {
  const name = tools[++id % tools.length];
  const params = { name, arguments: { note: filler } };
  const body = JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params });
  const lines = Object.entries({ ...headers, host: url.host, "content-length": String(body.length) });
  const head = lines.map(([key, value]) => `${key}: ${value}\r\n`).join("");
  return `POST ${url.pathname} HTTP/1.1\r\n${head}\r\n${body}`;
}

async function handshakes(count: number): Promise<readonly number[]> {
  const took: number[] = [];
  for (let i = 0; i < count; i++) {
    const began = performance.now();
    const socket = tls.connect({ ...tlsOptions, host: url.hostname, port: Number(url.port) });
    await once(socket, "secureConnect");
    took.push((performance.now() - began) * 1000);
    socket.destroy();
  }
  return took;
}

async function carryOut(order: Order): Promise<readonly number[]> {
  if (order.kind === "calls") return await calls(order.count, order.inFlight);
  if (order.kind === "cheap") return await cheap(order.perSecond, order.seconds);
  if (order.kind === "paced") return await paced(order.perSecond, order.seconds);
  return await handshakes(order.count);
}

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as Order;
  if (order.kind !== "handshakes" && id === 0) await initialize();
  const began = performance.now();
  const took = await carryOut(order);
  const sorted = took.toSorted((a, b) => a - b);
  const measured: Measured = {
    count: took.length,
    seconds: (performance.now() - began) / 1000,
    p50Us: quantile(sorted, 0.5),
    p99Us: quantile(sorted, 0.99),
  };
  console.log(JSON.stringify(measured));
}
await pool.destroy();
