/** What a relay's streams cost it: memory of idle ones, CPU of bytes that pass. Over loopback; needs no root. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { median } from "../src/kernel/statistics.ts";
import { readExactly } from "../src/host/peer/relayed-stream.ts";
import { splicePreface, spliceReady } from "../src/wire/rendezvous.ts";
import type { Cleanup } from "../test/support/cleanup.ts";
import { onMeasuredCore } from "./contestants.ts";
import { cpuMs } from "./machine.ts";
import type { OfferedTokens } from "./relay-streams.ts";

export interface StreamCosts {
  readonly idleStreams: number;
  /** Of the relay's process, for each. */
  readonly idleKiB: number;
  /** Of one stream, in each round. */
  readonly cpuMsPerMB: readonly number[];
  readonly mBPerSecond: readonly number[];
}

const idleStreams = 1000;
const passedMB = 300;
const chunk = Buffer.alloc(64 * 1024);
const script = fileURLToPath(new URL("relay-streams.ts", import.meta.url));

export async function measureStreams(t: Cleanup, rounds: number): Promise<StreamCosts> {
  const relay = await startRelay(t);
  const one = await relay.stream();
  for (let i = 0; i < 50; i++) await relay.stream(); // What the first ones of all cost isn't each one's.
  const before = await relay.memory();
  for (let i = 0; i < idleStreams; i++) await relay.stream();
  const idleKiB = ((await relay.memory()) - before) / idleStreams / 1024;
  const samples: { readonly cpuMsPerMB: number; readonly mBPerSecond: number }[] = [];
  for (let round = 0; round <= rounds; round++) {
    const cpu = cpuMs([relay.pid]);
    const began = performance.now();
    await pass(one, passedMB * 1e6);
    const seconds = (performance.now() - began) / 1000;
    // The first is to warm up.
    if (round > 0)
      samples.push({ cpuMsPerMB: (cpuMs([relay.pid]) - cpu) / passedMB, mBPerSecond: passedMB / seconds });
  }
  return {
    idleStreams,
    idleKiB,
    cpuMsPerMB: samples.map(({ cpuMsPerMB }) => cpuMsPerMB),
    mBPerSecond: samples.map(({ mBPerSecond }) => mBPerSecond),
  };
}

interface Ends {
  readonly caller: net.Socket;
  readonly peer: net.Socket;
}

async function startRelay(t: Cleanup): Promise<{
  readonly pid: number;
  readonly stream: () => Promise<Ends>;
  readonly memory: () => Promise<number>;
}> {
  const [program = process.execPath, ...args] = [
    ...onMeasuredCore,
    process.execPath,
    "--expose-gc",
    script,
  ].values();
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => child.kill());
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const said = async (): Promise<unknown> => JSON.parse(String((await lines.next()).value));
  const port = Number(await said());
  const ask = async (order: string): Promise<unknown> => {
    child.stdin.write(`${order}\n`);
    return await said();
  };
  const end = async (token: string): Promise<net.Socket> => {
    const socket = net.connect({ host: "127.0.0.1", port, noDelay: true });
    t.after(() => socket.destroy());
    await once(socket, "connect");
    socket.write(splicePreface(token));
    return socket;
  };
  return {
    pid: child.pid ?? 0,
    stream: async () => {
      const [offered] = (await ask("offer 1")) as readonly OfferedTokens[];
      const [caller, peer] = [await end(offered?.caller ?? ""), await end(offered?.peer ?? "")];
      await Promise.all([caller, peer].map((each) => readExactly(each, spliceReady.length)));
      return { caller, peer };
    },
    memory: async () => Number(await ask("memory")),
  };
}

async function pass({ caller, peer }: Ends, bytes: number): Promise<void> {
  let [left, toSend] = [bytes, bytes];
  const whole = Promise.withResolvers<void>();
  const take = (data: Buffer): void => {
    left -= data.length;
    if (left <= 0) whole.resolve();
  };
  caller.on("data", take);
  const fill = (): void => {
    while (toSend > 0) {
      const piece = chunk.subarray(0, Math.min(chunk.length, toSend));
      toSend -= piece.length;
      if (!peer.write(piece)) return;
    }
  };
  peer.on("drain", fill);
  fill();
  await whole.promise;
  peer.off("drain", fill);
  caller.off("data", take);
}

export function printStreams({ idleStreams: count, idleKiB, cpuMsPerMB, mBPerSecond }: StreamCosts): void {
  console.log(
    `\nA relay's streams, over loopback; ${passedMB} MB through one, ${cpuMsPerMB.length} rounds.\n`,
  );
  console.log(`CPU of the relay, ms per MB     ${median(cpuMsPerMB).toFixed(2)}`);
  console.log(`through one stream, MB/s        ${median(mBPerSecond).toFixed(0)}`);
  console.log(
    `memory of an idle one, KiB      ${idleKiB.toFixed(1)} (of ${count}, the kernel's buffers aside)`,
  );
}
