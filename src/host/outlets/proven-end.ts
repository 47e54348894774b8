/**
 * TLS that says how it ended. Node tells the end that the other one said under TLS (close_notify, RFC 8446 §6.1) and the
 * end of the TCP connection, which anybody on the way can forge, by the same event; here TLS gets its bytes from us, so
 * the one comes before we have passed on the other.
 */
import type net from "node:net";
import { Duplex } from "node:stream";
import tls from "node:tls";

export interface ProvenTls {
  readonly socket: tls.TLSSocket;
  /** Whether the end that was told was said under TLS. */
  readonly isEndProven: () => boolean;
}

/** @param raw takes no listeners of others */
export function provenTls(raw: net.Socket, options: tls.ConnectionOptions, connected: () => void): ProvenTls {
  let isPassedOn = false;
  let isProven = false;
  const between = new Duplex({
    allowHalfOpen: true,
    read: () => void raw.resume(),
    write: (chunk: Uint8Array, _encoding, done) => void raw.write(chunk, done),
    final: (done) => void raw.end(done),
    destroy: (error, done) => {
      raw.destroy();
      done(error);
    },
  });
  raw.on("data", (chunk) => {
    if (!between.push(chunk)) raw.pause();
  });
  // What came before is read by then.
  raw.on("end", () =>
    setImmediate(() => {
      isPassedOn = true;
      between.push(null);
    }),
  );
  raw.on("error", (error) => between.destroy(error));
  raw.on("close", () => setImmediate(() => between.destroy()));
  const socket = tls.connect({ ...options, socket: between }, connected);
  socket.on("end", () => (isProven = !isPassedOn));
  return { socket, isEndProven: () => isProven };
}
