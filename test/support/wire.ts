/**
 * The network between the namespaces of a lab, as a process: what the TUN device of one sends goes to the device that
 * has its destination, over the wires of both, each with loss, delay, rate and MTU, past a middlebox that reads hellos.
 * Each line on stdin is a `WireOrder` in JSON, answered by one line with what was counted since the one before. It ends
 * with its stdin.
 */
import ffi from "node:ffi";
import fs from "node:fs";
import { createInterface } from "node:readline";

import { checksummed, destinationOf, type Packet, packetTooBig, readPacket, resetOf } from "./packets.ts";

export interface WireConduct {
  /** Longest packet that is passed on. */
  readonly mtu: number;
  /** Senders of longer ones are told so (ICMP, RFC 792), or not. */
  readonly tellsSenders: boolean;
  /** Of a thousand packets in each direction. */
  readonly lossPermille: number;
  /** One way. */
  readonly delayMs: number;
  /** In each direction; 0 is as fast as it goes. */
  readonly kbitPerSecond: number;
  /** What is done with connections whose ClientHello is longer than `boxBytes`, or doesn't fit in one segment. */
  readonly box: "none" | "drops-big" | "drops-split" | "resets-big";
  readonly boxBytes: number;
}

/** `plug` makes a device, or gives one other addresses; `conduct` is by device, those left out are as good as new. */
export type WireOrder =
  | { readonly plug: string; readonly addresses: readonly string[] }
  | { readonly conduct: Readonly<Record<string, WireConduct>> };

export interface WireCounts {
  packets: number;
  bytes: number;
  lost: number;
  tooBig: number;
  /** Connections that the box cut or swallowed, and those it let through. */
  caught: number;
  passed: number;
}

/** One direction of a wire: what is on its way, in order. */
interface Lane {
  readonly waiting: { readonly dueMs: number; readonly arrive: () => void }[];
  busyUntilMs: number;
}

interface Wire {
  readonly descriptor: number;
  readonly up: Lane;
  readonly down: Lane;
  addresses: readonly string[];
  conduct: WireConduct;
}

const [tun, noPacketInfo, setInterface] = [0x0001, 0x1000, 0x400454ca];
const longestPacket = 65_536;
/** What waits longer for a slow wire is dropped, as a router's queue does. */
const longestQueueMs = 200;
/** Timers are of whole milliseconds. */
const timerMs = 0.5;

const goodWire: WireConduct = {
  mtu: 1500,
  tellsSenders: true,
  lossPermille: 0,
  delayMs: 0,
  kbitPerSecond: 0,
  box: "none",
  boxBytes: 1200,
};

const { functions } = ffi.dlopen(null, {
  ioctl: { return: "i32", arguments: ["i32", "u64", "buffer"] },
});

const wires = new Map<string, Wire>();
let counts = fresh();
/** Connections the box looks at: waiting for their first bytes, or caught. */
const flows = new Map<string, "opened" | "caught">();

createInterface({ input: process.stdin })
  .on("line", (line) => {
    obey(JSON.parse(line) as WireOrder);
    process.stdout.write(`${JSON.stringify(counts)}\n`);
    counts = fresh();
  })
  // Reads of a device don't end, and an orderly exit would wait for them.
  .on("close", () => process.kill(process.pid, "SIGKILL"));

function obey(order: WireOrder): void {
  if ("conduct" in order) {
    flows.clear();
    for (const [device, wire] of wires) wire.conduct = order.conduct[device] ?? goodWire;
    return;
  }
  const { plug, addresses } = order;
  const known = wires.get(plug);
  if (known !== undefined) {
    known.addresses = addresses;
    return;
  }
  const lane = (): Lane => ({ waiting: [], busyUntilMs: 0 });
  const descriptor = openDevice(plug);
  const wire = { descriptor, up: lane(), down: lane(), addresses, conduct: goodWire };
  wires.set(plug, wire);
  void carry(wire);
}

function fresh(): WireCounts {
  return { packets: 0, bytes: 0, lost: 0, tooBig: 0, caught: 0, passed: 0 };
}

function openDevice(name: string): number {
  const descriptor = fs.openSync("/dev/net/tun", "r+");
  const request = Buffer.alloc(40);
  request.write(name, "ascii");
  request.writeUInt16LE(tun | noPacketInfo, 16);
  if (functions.ioctl(descriptor, BigInt(setInterface), request) !== 0) {
    throw new Error(`${name} can't be made`);
  }
  return descriptor;
}

/** Until the device is gone, with its namespace. */
async function carry(wire: Wire): Promise<void> {
  const buffer = Buffer.alloc(longestPacket);
  for (;;) {
    const length = await new Promise<number>((resolve) => {
      fs.read(wire.descriptor, buffer, 0, buffer.length, null, (error, bytes) =>
        resolve(error === null ? bytes : 0),
      );
    });
    if (length === 0) return;
    const packet = readPacket(Buffer.from(buffer.subarray(0, length)));
    if (packet !== undefined) pass(packet, wire);
  }
}

/** Up the sender's wire, and down the receiver's. What nobody has the address of is dropped. */
function pass(packet: Packet, from: Wire): void {
  counts.packets += 1;
  counts.bytes += packet.bytes.length;
  const destination = destinationOf(packet);
  const to = [...wires.values()].find(({ addresses }) => addresses.includes(destination));
  if (to === undefined) return;
  const ends = { from: from.descriptor, to: to.descriptor };
  along(from.up, from.conduct, { packet, ...ends }, () =>
    along(to.down, to.conduct, { packet, ...ends }, () => write(to.descriptor, packet.bytes)),
  );
}

interface Passing {
  readonly packet: Packet;
  /** Descriptors of both devices. */
  readonly from: number;
  readonly to: number;
}

function along(lane: Lane, conduct: WireConduct, passing: Passing, arrive: () => void): void {
  const { packet, from, to } = passing;
  const { bytes } = packet;
  if (Math.random() * 1000 < conduct.lossPermille) {
    counts.lost += 1;
    return;
  }
  if (bytes.length > conduct.mtu) {
    counts.tooBig += 1;
    if (conduct.tellsSenders) write(from, packetTooBig(packet, conduct.mtu));
    return;
  }
  if (conduct.box !== "none" && isCaught(packet, conduct)) {
    if (conduct.box === "resets-big") {
      const { toSender, toReceiver } = resetOf(packet);
      write(from, toSender);
      write(to, toReceiver);
    }
    return;
  }
  later(lane, conduct, bytes.length, arrive);
}

function later(lane: Lane, conduct: WireConduct, bytes: number, arrive: () => void): void {
  const nowMs = performance.now();
  const { delayMs, kbitPerSecond } = conduct;
  const beginsMs = Math.max(lane.busyUntilMs, nowMs);
  if (beginsMs - nowMs > longestQueueMs) {
    counts.lost += 1;
    return;
  }
  lane.busyUntilMs = beginsMs + (kbitPerSecond === 0 ? 0 : (bytes * 8) / kbitPerSecond);
  const dueMs = lane.busyUntilMs + delayMs;
  if (dueMs <= nowMs && lane.waiting.length === 0) {
    arrive();
    return;
  }
  lane.waiting.push({ dueMs, arrive });
  if (lane.waiting.length === 1) wake(lane);
}

function wake(lane: Lane): void {
  const [next] = lane.waiting;
  if (next === undefined) return;
  setTimeout(
    () => {
      const untilMs = performance.now() + timerMs;
      const kept = lane.waiting.findIndex(({ dueMs }) => dueMs > untilMs);
      const arrived = lane.waiting.splice(0, kept === -1 ? lane.waiting.length : kept);
      for (const { arrive } of arrived) arrive();
      wake(lane);
    },
    Math.max(next.dueMs - performance.now(), 0),
  );
}

/** A box that looks at the first bytes of a connection, and at nothing after that. */
function isCaught({ flow, isOpening, payload }: Packet, { box, boxBytes }: WireConduct): boolean {
  if (isOpening) {
    flows.set(flow, "opened");
    return false;
  }
  const state = flows.get(flow);
  if (state === "caught") return payload.length > 0;
  if (state === undefined || payload.length < 5) return false;
  const helloBytes = payload.readUInt16BE(3) + 5;
  const isBad = box === "drops-split" ? helloBytes > payload.length : helloBytes > boxBytes;
  counts[isBad ? "caught" : "passed"] += 1;
  if (isBad) flows.set(flow, "caught");
  else flows.delete(flow);
  return isBad;
}

function write(to: number, bytes: Buffer): void {
  try {
    fs.writeSync(to, checksummed(bytes));
  } catch {
    // The device isn't up yet, or is gone.
  }
}
