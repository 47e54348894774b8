/** The one port of a relay: a connection begins with a ClientHello, or with the token of a relayed stream. */
import net from "node:net";

import { readSplicePreface, splicePrefaceBytes } from "../../wire/rendezvous.ts";

interface RelayPortOptions {
  /** Somebody who speaks TLS; nothing was read off it. */
  readonly onTls: (socket: net.Socket) => void;
  /** The end of a relayed stream; its token was read off it. */
  readonly onSplice: (socket: net.Socket, token: string) => void;
}

const prefaceMs = 5000;
/** The type of a TLS record with a handshake (RFC 8446 §5.1). */
const handshakeRecord = 22;
const keepAliveMs = 30_000;
const maxConnections = 8192;
/** Connections that haven't said yet what they are. */
const maxSilent = 512;

export function relayPort({ onTls, onSplice }: RelayPortOptions): net.Server {
  let silent = 0;
  const settings = {
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveMs,
    allowHalfOpen: true,
  };
  const server = net.createServer(settings, (socket) => {
    if (silent >= maxSilent) {
      socket.destroy();
      return;
    }
    silent += 1;
    const over = (): void => {
      clearTimeout(late);
      socket.off("readable", look).off("close", over);
      silent -= 1;
    };
    const late = setTimeout(() => socket.destroy(), prefaceMs);
    let held: Buffer = Buffer.alloc(0);
    const look = (): void => {
      const read: unknown = socket.read();
      if (!(read instanceof Buffer)) return;
      held = Buffer.concat([held, read]);
      const isTls = held[0] === handshakeRecord;
      if (!isTls && held.length < splicePrefaceBytes) return;
      over();
      const token = isTls ? undefined : readSplicePreface(held);
      const rest = isTls ? held : held.subarray(splicePrefaceBytes);
      if (rest.length > 0) socket.unshift(rest);
      if (isTls) onTls(socket);
      else if (token === undefined) socket.destroy();
      else onSplice(socket, token);
    };
    socket.on("error", () => socket.destroy());
    socket.on("readable", look).once("close", over);
  });
  server.maxConnections = maxConnections;
  return server;
}
