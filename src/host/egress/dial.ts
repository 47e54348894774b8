/** Names to addresses, and addresses to sockets: what was judged is what is dialled. */
import { lookup } from "node:dns/promises";
import net from "node:net";

import { EgressRefusal } from "./egress-desk.ts";

const lookupMs = 5000;
const dialMs = 10_000;
/** Of a name with many. */
export const maxAddresses = 4;

export type Resolve = (host: string) => Promise<readonly string[]>;

/** As the machine does it. @throws EgressRefusal */
export async function resolve(host: string): Promise<readonly string[]> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new EgressRefusal(504, `Looking up ${host} took too long.`)),
    lookupMs,
  );
  try {
    const found = await Promise.race([lookup(host, { all: true }), late]);
    return found.map(({ address }) => address);
  } catch (cause) {
    if (cause instanceof EgressRefusal) throw cause;
    throw new EgressRefusal(502, `There is no address for ${host}.`, cause);
  } finally {
    clearTimeout(timer);
  }
}

/** @throws EgressRefusal if none of them answers */
export async function dial(
  addresses: readonly string[],
  port: number,
): Promise<{ readonly socket: net.Socket; readonly address: string }> {
  let last: unknown;
  for (const address of addresses) {
    try {
      return { socket: await dialOne(address, port), address };
    } catch (cause) {
      last = cause;
    }
  }
  throw new EgressRefusal(502, "The destination can't be reached.", last);
}

async function dialOne(host: string, port: number): Promise<net.Socket> {
  const { promise, resolve: done, reject } = Promise.withResolvers<net.Socket>();
  const socket = net.connect({ host, port, allowHalfOpen: true, noDelay: true });
  const timer = setTimeout(() => socket.destroy(new Error("no answer in time")), dialMs);
  socket.once("connect", () => done(socket)).once("error", reject);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.removeListener("error", reject);
  }
}
