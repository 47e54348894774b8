/** Full TLS handshakes over loopback, one after the other: the client here, the server in a process of its own. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { duplexPair } from "node:stream";
import tls from "node:tls";
import { fileURLToPath } from "node:url";

import { type ClientEnd, clientOptions, type End } from "./handshake-ends.ts";
import type { Order, Report } from "./handshake-server.ts";
import { type Sample, sampledAsync } from "./stopwatch.ts";

export interface Ends {
  readonly server: End;
  readonly client: ClientEnd;
}

/** What goes over the wire until both ends are done. */
export interface HandshakeBytes {
  /** Of what the client sends, its first message: a record with the ClientHello. */
  readonly hello: number;
  readonly sentByClient: number;
  readonly sentByServer: number;
}

export interface HandshakeSample extends Sample {
  /** `cpuUs` is the client's. */
  readonly serverCpuUs: number;
}

interface HandshakeRow {
  readonly bytes: () => Promise<HandshakeBytes>;
  readonly sample: (sliceMs: number) => Promise<HandshakeSample>;
}

export interface HandshakeLab {
  /** @param index of the ends it was opened with */
  readonly row: (index: number) => HandshakeRow;
  readonly close: () => Promise<void>;
}

type Settled = Extract<Report, { kind: "settled" }>;

/** So that the share of asking for the server's time is small. */
const leastHandshakes = 3;
/** Far more than the slowest takes on a busy machine. */
const handshakeTimeoutMs = 10_000;
/** With it each end closes its link: an alert in a record of its own (RFC 8446 §5.2, §6.1). */
const closeNotifyBytes = 24;

/** @throws Error if the server's process doesn't start */
export async function openHandshakeLab(ends: readonly Ends[]): Promise<HandshakeLab> {
  const program = fileURLToPath(
    new URL(`handshake-server${path.extname(import.meta.filename)}`, import.meta.url),
  );
  const child = fork(program, { execArgv: [], stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const { ports } = await asked(child, { kind: "serve", ends: ends.map(({ server }) => server) }, "serving");
  const settled = (): Promise<Settled> => asked(child, { kind: "settle" }, "settled");
  return {
    row: (index) => {
      const [of, port] = [ends[index], ports[index]];
      if (of === undefined || port === undefined) throw new Error(`no ends ${index}`);
      return rowOf(of.client, port, settled);
    },
    close: async () => {
      const ended = once(child, "exit");
      child.disconnect();
      await ended;
    },
  };
}

function rowOf(client: ClientEnd, port: number, settled: () => Promise<Settled>): HandshakeRow {
  const options = { ...clientOptions(client), host: "127.0.0.1", port };
  return {
    bytes: async () => {
      const before = await settled();
      await handshakeUs(options, client.group);
      const { receivedBytes, sentBytes } = allDone(1, before, await settled());
      return {
        hello: await helloBytes(options),
        sentByClient: receivedBytes - closeNotifyBytes,
        sentByServer: sentBytes - closeNotifyBytes,
      };
    },
    sample: async (ms) => {
      const before = await settled();
      const slice = { ms, leastOperations: leastHandshakes };
      const sample = await sampledAsync(() => handshakeUs(options, client.group), slice);
      const { cpuUs } = allDone(sample.operations, before, await settled());
      return { ...sample, serverCpuUs: (cpuUs - before.cpuUs) / sample.operations };
    },
  };
}

/** A client is done before the server has judged its certificate, so that a refusal would pass for a handshake. */
function allDone(operations: number, before: Settled, after: Settled): Settled {
  const done = after.handshakes - before.handshakes;
  if (done === operations) return after;
  throw new Error(`the server let in ${done} of ${operations} clients`);
}

/** From connecting until the client has verified the server and said so; resolves when the link is closed. */
function handshakeUs(options: tls.ConnectionOptions, group: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    let tookUs = 0;
    const socket = tls.connect({ ...options, timeout: handshakeTimeoutMs }, () => {
      tookUs = (performance.now() - began) * 1000;
      if (!isOver(socket, group)) socket.destroy(new Error(`the handshake wasn't one with ${group}`));
    });
    socket.once("timeout", () => socket.destroy(new Error(`no handshake with ${group} in time`)));
    socket.once("error", reject);
    socket.once("close", () => resolve(tookUs));
    socket.resume(); // Ends when the server has ended.
  });
}

/** A resumed or a classical handshake would be measured as what it isn't. */
function isOver(socket: tls.TLSSocket, group: string): boolean {
  const info = socket.getEphemeralKeyInfo();
  return info !== null && "name" in info && info.name === group && !socket.isSessionReused();
}

/** The first thing a client says is said to nobody here. */
async function helloBytes(options: tls.ConnectionOptions): Promise<number> {
  const [here, there] = duplexPair();
  const socket = tls.connect({ ...options, socket: here });
  socket.on("error", () => undefined);
  const [hello] = (await once(there, "data")) as [Uint8Array];
  socket.destroy();
  there.destroy();
  return hello.length;
}

function asked<const Kind extends Report["kind"]>(
  child: ChildProcess,
  order: Order,
  kind: Kind,
): Promise<Extract<Report, { kind: Kind }>> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void =>
      reject(new Error(`the handshake server ended with ${String(code)}`));
    child.once("exit", ended);
    child.once("message", (said: Report) => {
      child.off("exit", ended);
      if (said.kind === kind) resolve(said as Extract<Report, { kind: Kind }>);
      else reject(new Error(`the handshake server said ${said.kind}, expected ${kind}`));
    });
    child.send(order, (error) => {
      if (error !== null) reject(error);
    });
  });
}
