/** A peer's end of a relayed stream: one connection to the relay, which becomes the other peer's. */
import type net from "node:net";

import { type Place, spliceReady, splicePreface } from "../../wire/rendezvous.ts";
import { within } from "../within.ts";
import { onAbort } from "../on-abort.ts";
import type { PeerPort } from "./peer-port.ts";

/** The other end has as long to come; a token doesn't live longer. */
const readyMs = 10_000;

/** @throws if the relay can't be reached, or the other end doesn't come */
export async function openRelayedStream(
  relay: Place,
  token: string,
  { port, signal }: { readonly port: PeerPort; readonly signal: AbortSignal },
): Promise<net.Socket> {
  const socket = await port.dialBeside(relay, { timeoutMs: readyMs, signal });
  const stop = onAbort(signal, () => socket.destroy());
  socket.write(splicePreface(token));
  const ready = readExactly(socket, spliceReady.length);
  const isReady =
    (await within(ready, readyMs)) && Buffer.from(spliceReady).equals((await ready) ?? Buffer.alloc(0));
  stop();
  if (isReady && !socket.destroyed) return socket;
  socket.destroy();
  throw new Error("The other end didn't come to the relay in time.");
}

/**
 * The first bytes of a stream; what comes after them stays for its next reader.
 * @returns undefined if it ends before
 */
export function readExactly(socket: net.Socket, bytes: number): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const finish = (read: Buffer | undefined): void => {
      socket.off("readable", look).off("end", end).off("close", end);
      resolve(read);
    };
    const end = (): void => finish(undefined);
    const look = (): void => {
      const chunk: unknown = socket.read(bytes);
      if (!(chunk instanceof Buffer)) return;
      if (chunk.length === bytes) finish(chunk);
      else finish(undefined);
    };
    socket.on("readable", look).on("end", end).on("close", end);
    look();
  });
}
