/**
 * What peers are compared with: TCP as it is, and TLS 1.3 as most speak it (X25519, ECDSA P-256, mutual). `serve HOST
 * CERTIFICATE KEY AUTHORITY` (files) answers four bytes with as many as they say; `call` with the same measures that and
 * prints it.
 */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import net from "node:net";
import tls from "node:tls";

export interface PlainCosts {
  /** Until the connection is there, TLS included; undefined for one that wasn't in time. */
  readonly openMs: readonly (number | undefined)[];
  /** From a question of four bytes to an answer of one; undefined for one that wasn't there in time. */
  readonly roundTripMs: readonly (number | undefined)[];
  /** Of one answer of a million bytes; undefined for one that wasn't there in time. */
  readonly millionMs: readonly (number | undefined)[];
}

type PlainKind = "tcp" | "classical";
export type PlainMeasured = Readonly<Record<PlainKind, PlainCosts>>;

const ports: Readonly<Record<PlainKind, number>> = { tcp: 7000, classical: 7001 };
const opened = 5;
const roundTrips = 20;
const millions = 3;
/** A black hole never ends. */
const patienceMs = 4000;

const [role, host = "", certificate = "", key = "", authority = ""] = process.argv.slice(2);
const secured = {
  cert: readFileSync(certificate),
  key: readFileSync(key),
  ca: readFileSync(authority),
  minVersion: "TLSv1.3",
  ecdhCurve: "X25519",
} as const;

if (role === "serve") {
  net.createServer({ noDelay: true }, serve).listen(ports.tcp, host);
  const server = tls.createServer({ ...secured, requestCert: true, noDelay: true }, serve);
  server.on("tlsClientError", () => undefined);
  server.listen(ports.classical, host, () => process.stdout.write("ready\n"));
} else {
  const measured = { tcp: await measure("tcp"), classical: await measure("classical") };
  process.stdout.write(`${JSON.stringify(measured satisfies PlainMeasured)}\n`);
  process.exit();
}

function serve(socket: net.Socket): void {
  socket.on("error", () => socket.destroy());
  socket.on("readable", () => {
    for (;;) {
      const asked: unknown = socket.read(4);
      if (!(asked instanceof Buffer) || asked.length < 4) return;
      socket.write(Buffer.alloc(asked.readUInt32BE()));
    }
  });
}

async function measure(kind: PlainKind): Promise<PlainCosts> {
  const openMs: (number | undefined)[] = [];
  const [roundTripMs, millionMs]: [(number | undefined)[], (number | undefined)[]] = [[], []];
  for (let i = 0; i < opened; i++) openMs.push(await timed(async () => (await open(kind)).destroy()));
  const socket = await open(kind);
  for (const [times, bytes, found] of [
    [roundTrips, 1, roundTripMs],
    [millions, 1_000_000, millionMs],
  ] as const)
    for (let i = 0; i < times; i++) {
      const ms = await timed(() => ask(socket, bytes));
      found.push(ms);
      if (ms === undefined) break; // What comes would be of this one.
    }
  socket.destroy();
  return { openMs, roundTripMs, millionMs };
}

async function open(kind: PlainKind): Promise<net.Socket> {
  const target = { host, port: ports[kind], noDelay: true };
  if (kind === "tcp") {
    const socket = net.connect(target);
    await once(socket, "connect");
    return socket;
  }
  const socket = tls.connect({ ...target, ...secured, checkServerIdentity: () => undefined });
  await once(socket, "secureConnect");
  return socket.setNoDelay(true);
}

async function ask(socket: net.Socket, bytes: number): Promise<void> {
  const question = Buffer.alloc(4);
  question.writeUInt32BE(bytes);
  let left = bytes;
  const whole = new Promise<void>((resolve) => {
    const take = (chunk: Buffer): void => {
      left -= chunk.length;
      if (left > 0) return;
      socket.off("data", take);
      resolve();
    };
    socket.on("data", take);
  });
  socket.write(question);
  await whole;
}

/** @returns undefined if it takes too long */
async function timed(act: () => Promise<unknown>): Promise<number | undefined> {
  const began = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"late">((resolve) => (timer = setTimeout(() => resolve("late"), patienceMs)));
  const ended = await Promise.race([act(), late]);
  clearTimeout(timer);
  return ended === "late" ? undefined : performance.now() - began;
}
