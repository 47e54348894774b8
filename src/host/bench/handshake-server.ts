/**
 * The server's end of measured handshakes: a process of its own, so that its CPU time is that of one end alone.
 * It is told by its parent what to serve, and ends with it.
 */
import tls from "node:tls";

import { type End, serverOptions } from "./handshake-ends.ts";
import { cpuUsOfProcess } from "./stopwatch.ts";

export type Order =
  | { readonly kind: "serve"; readonly ends: readonly End[] }
  /** Asked when the client's links are closed; answered when the server's are, too. */
  | { readonly kind: "settle" };

export type Report =
  | { readonly kind: "serving"; readonly ports: readonly number[] }
  | {
      readonly kind: "settled";
      /** Since the process began. */
      readonly cpuUs: number;
      /** Since then, those in which the client was proven: a client alone can't know. */
      readonly handshakes: number;
      /** What the last link carried, TLS records and all. */
      readonly receivedBytes: number;
      readonly sentBytes: number;
    };

const links = { open: 0, handshakes: 0, receivedBytes: 0, sentBytes: 0, onIdle: (): void => undefined };

process.on("message", (order: Order) => void carryOut(order));
process.on("disconnect", () => process.exit());

async function carryOut(order: Order): Promise<void> {
  if (order.kind === "serve") report({ kind: "serving", ports: await Promise.all(order.ends.map(serve)) });
  else if (links.open === 0) settle();
  else links.onIdle = settle;
}

function serve(end: End): Promise<number> {
  const server = tls.createServer(serverOptions(end), (socket) => {
    links.handshakes++;
    socket.on("error", () => socket.destroy());
    socket.resume().end(); // The client sees the end, and closes.
  });
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  server.on("connection", (socket) => {
    links.open++;
    socket.once("close", () => {
      links.open--;
      links.receivedBytes = socket.bytesRead;
      links.sentBytes = socket.bytesWritten;
      if (links.open === 0) links.onIdle();
    });
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
}

function settle(): void {
  links.onIdle = () => undefined;
  const { handshakes, receivedBytes, sentBytes } = links;
  report({ kind: "settled", cpuUs: cpuUsOfProcess(), handshakes, receivedBytes, sentBytes });
}

function report(said: Report): void {
  process.send?.(said);
}
