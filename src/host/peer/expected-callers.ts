/** Connections that come in on the port of a peer that calls: of the one it has asked to come, and of nobody else. */
import type net from "node:net";

import type { Place } from "../../wire/rendezvous.ts";

/** Who may come. */
interface Expected extends Place {
  /** Whether it keeps that port towards everybody. */
  readonly hasThatPort: boolean;
}

export interface ExpectedCallers {
  readonly expect: (from: Expected, take: (socket: net.Socket) => void, until: AbortSignal) => void;
  /** Hands the connection to whoever expects it, or ends it. */
  readonly meet: (socket: net.Socket) => void;
}

/** Whoever else is behind the same address finds nothing to try here but a handshake; and that not often. */
const maxFromAnyPort = 8;

export function expectedCallers(): ExpectedCallers {
  const all = new Set<{
    readonly from: Expected;
    readonly take: (socket: net.Socket) => void;
    left: number;
  }>();
  return {
    expect: (from, take, until) => {
      const one = { from, take, left: maxFromAnyPort };
      all.add(one);
      until.addEventListener("abort", () => all.delete(one), { once: true });
    },
    meet: (socket) => {
      socket.on("error", () => socket.destroy());
      const { remoteAddress, remotePort } = socket;
      const those = [...all].filter(({ from }) => from.host === remoteAddress);
      const one =
        those.find(({ from }) => from.port === remotePort) ??
        those.find(({ from, left }) => !from.hasThatPort && left > 0);
      if (one === undefined) {
        socket.destroy();
        return;
      }
      if (one.from.port !== remotePort) one.left -= 1;
      one.take(socket);
    },
  };
}
