/** A machine on the path that doesn't like today's handshakes: a TCP proxy on loopback, so that no root is needed. */
import { once } from "node:events";
import net from "node:net";
import type { AddressInfo } from "node:net";

import { atEnd, type Cleanup } from "./cleanup.ts";

/** What comes in first on a connection. */
export interface FirstFlight {
  /** Length of the first TLS record, as its head says. */
  readonly helloBytes: number;
  /** What the client announced, and may be sent at once; undefined where that can't be asked. */
  readonly segmentBytes: number | undefined;
}

/** `late`: what comes back is held from its first long piece on, as where long packets are lost. */
export type Treatment = "pass" | "silent" | "reset" | "close" | "late";

export interface Middlebox {
  readonly address: string;
  /** One for each connection, in their order. */
  readonly seen: readonly FirstFlight[];
}

/** Of a server's answer, what a path that loses long packets lets through: a HelloRetryRequest, no certificate. */
const shortBytes = 1000;

/** @param treat what is done with a connection, by how it begins */
export async function middlebox(
  t: Cleanup,
  to: string,
  treat: (first: FirstFlight) => Treatment,
): Promise<Middlebox> {
  const segmentOf = await segmentReader();
  const [host = "", port = ""] = to.split(":");
  const seen: FirstFlight[] = [];
  const open = new Set<net.Socket>();
  const server = net.createServer((near) => {
    open.add(near);
    near.on("error", () => undefined).on("close", () => open.delete(near));
    near.once("data", (chunk: Buffer) => {
      const first = { helloBytes: chunk.readUInt16BE(3), segmentBytes: segmentOf(near) };
      seen.push(first);
      const treatment = treat(first);
      if (treatment === "reset") near.resetAndDestroy();
      else if (treatment === "close") near.destroy();
      else if (treatment === "silent") near.resume();
      else join(near, net.connect(Number(port), host), chunk, treatment);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(t, () => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

function join(near: net.Socket, far: net.Socket, first: Buffer, treatment: "pass" | "late"): void {
  far.on("error", () => near.destroy()).on("close", () => near.destroy());
  near.on("close", () => far.destroy());
  far.write(first);
  near.pipe(far);
  if (treatment === "pass") {
    far.pipe(near);
    return;
  }
  let isLost = false;
  far.on("data", (chunk: Buffer) => {
    isLost ||= chunk.length > shortBytes;
    if (!isLost) near.write(chunk);
  });
}

type SegmentReader = (socket: net.Socket) => number | undefined;

/** TCP_MAXSEG of a connection that is open: no more than the other end announced. */
export async function segmentReader(): Promise<SegmentReader> {
  const ffi = await import("node:ffi").catch(() => undefined);
  if (ffi === undefined) return () => undefined;
  const { functions } = ffi.dlopen(null, {
    getsockopt: { return: "i32", arguments: ["i32", "i32", "i32", "buffer", "buffer"] },
  });
  return (socket) => {
    const { fd } = (socket as unknown as { readonly _handle: { readonly fd: number } })._handle;
    const [value, length] = [Buffer.alloc(4), Buffer.from([4, 0, 0, 0])];
    return functions.getsockopt(fd, 6, 2, value, length) === 0 ? value.readInt32LE() : undefined;
  };
}
