/**
 * The path between the two namespaces of a lab, as a process: packets of two TUN devices are handed over with loss,
 * delay and an MTU, past a middlebox that reads hellos. Names of the devices are its arguments; each line on stdin is a
 * `WireConduct` in JSON, answered by one line with what was counted under the one before. It ends with its stdin.
 */
import ffi from "node:ffi";
import fs from "node:fs";
import { createInterface } from "node:readline";

import { checksummed, type Packet, packetTooBig, readPacket, resetOf } from "./packets.ts";

export interface WireConduct {
  /** Longest packet that is passed on. */
  readonly mtu: number;
  /** Senders of longer ones are told so (ICMP, RFC 792), or not. */
  readonly tellsSenders: boolean;
  /** Of a thousand packets in each direction. */
  readonly lossPermille: number;
  /** One way. */
  readonly delayMs: number;
  /** What is done with connections whose ClientHello is longer than `boxBytes`, or doesn't fit in one segment. */
  readonly box: "none" | "drops-big" | "drops-split" | "resets-big";
  readonly boxBytes: number;
}

export interface WireCounts {
  packets: number;
  bytes: number;
  lost: number;
  tooBig: number;
  /** Connections that the box cut or swallowed, and those it let through. */
  caught: number;
  passed: number;
}

const [tun, noPacketInfo, setInterface] = [0x0001, 0x1000, 0x400454ca];
const longestPacket = 65_536;

const { functions } = ffi.dlopen(null, {
  ioctl: { return: "i32", arguments: ["i32", "u64", "buffer"] },
});

let conduct: WireConduct = {
  mtu: 1500,
  tellsSenders: true,
  lossPermille: 0,
  delayMs: 0,
  box: "none",
  boxBytes: 1200,
};
let counts = fresh();
/** Connections the box looks at: waiting for their first bytes, or caught. */
const flows = new Map<string, "opened" | "caught">();
const [one = "", other = ""] = process.argv.slice(2);
const [near, far] = [openDevice(one), openDevice(other)];

void carry(near, far);
void carry(far, near);
process.stdout.write("up\n");
createInterface({ input: process.stdin })
  .on("line", (line) => {
    process.stdout.write(`${JSON.stringify(counts)}\n`);
    counts = fresh();
    flows.clear();
    conduct = JSON.parse(line) as WireConduct;
  })
  // Reads of a device don't end, and an orderly exit would wait for them.
  .on("close", () => process.kill(process.pid, "SIGKILL"));

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

async function carry(from: number, to: number): Promise<void> {
  const buffer = Buffer.alloc(longestPacket);
  for (;;) {
    const length = await new Promise<number>((resolve) => {
      fs.read(from, buffer, 0, buffer.length, null, (error, bytes) => resolve(error === null ? bytes : 0));
    });
    const packet = readPacket(Buffer.from(buffer.subarray(0, length)));
    if (packet !== undefined) pass(packet, from, to);
  }
}

function pass(packet: Packet, from: number, to: number): void {
  const { bytes } = packet;
  counts.packets += 1;
  counts.bytes += bytes.length;
  if (Math.random() * 1000 < conduct.lossPermille) {
    counts.lost += 1;
    return;
  }
  if (bytes.length > conduct.mtu) {
    counts.tooBig += 1;
    if (conduct.tellsSenders) write(from, packetTooBig(packet, conduct.mtu));
    return;
  }
  if (conduct.box !== "none" && isCaught(packet)) {
    if (conduct.box === "resets-big") {
      const { toSender, toReceiver } = resetOf(packet);
      write(from, toSender);
      write(to, toReceiver);
    }
    return;
  }
  setTimeout(() => write(to, bytes), conduct.delayMs);
}

/** A box that looks at the first bytes of a connection, and at nothing after that. */
function isCaught({ flow, isOpening, payload }: Packet): boolean {
  if (isOpening) {
    flows.set(flow, "opened");
    return false;
  }
  const state = flows.get(flow);
  if (state === "caught") return payload.length > 0;
  if (state === undefined || payload.length < 5) return false;
  const helloBytes = payload.readUInt16BE(3) + 5;
  const isBad = conduct.box === "drops-split" ? helloBytes > payload.length : helloBytes > conduct.boxBytes;
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
