/** A network that fails when a test says so: bytes there and back, until they are cut. */
import { once } from "node:events";
import net from "node:net";
import type { AddressInfo } from "node:net";

import { atEnd, type Cleanup } from "./cleanup.ts";

export interface BreakableLink {
  /** Where to connect instead. */
  readonly address: string;
  /** Breaks all connections there are; later ones work. */
  readonly cut: () => void;
  /** From now on nothing gets through, on connections old and new, and none ends. */
  readonly stall: () => void;
  /** Connections that have ended. */
  readonly ended: () => number;
}

export async function breakableLink(t: Cleanup, address: string): Promise<BreakableLink> {
  const [host, port] = address.split(":");
  const open = new Set<net.Socket>();
  let ended = 0;
  let isStalled = false;
  const server = net.createServer((near) => {
    near.on("close", () => (ended += 1));
    if (isStalled) {
      open.add(near);
      near.resume().on("error", () => undefined);
      return;
    }
    const far = net.connect(Number(port), host);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from);
      from.pipe(to);
      from.on("error", () => undefined);
      from.on("close", () => {
        open.delete(from);
        to.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = (): void => {
    for (const socket of open) socket.destroy();
  };
  const stall = (): void => {
    isStalled = true;
    for (const socket of open) socket.unpipe().resume();
  };
  atEnd(t, () => {
    cut();
    server.close();
  });
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, cut, stall, ended: () => ended };
}
