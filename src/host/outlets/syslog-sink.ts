/**
 * Syslog over TLS (RFC 5425), or over plain TCP with the same framing. The protocol acknowledges nothing, so each batch
 * travels on a connection of its own: it counts as taken once we closed it and the other end, which by then has read all
 * of it, closed it too (RFC 5425 §4.4).
 */
import net from "node:net";
import tls from "node:tls";

import { onAbort } from "../on-abort.ts";
import { syslogFrame } from "../../respond/events/syslog.ts";
import type { Teller, Told } from "../../respond/events/told.ts";
import { type OutletTls, negotiatedLink, outletTlsOptions } from "./outlet-tls.ts";
import type { Sink, SinkLink } from "./sink.ts";

export interface SyslogOptions {
  readonly host: string;
  readonly port: number;
  /** Absent for plain TCP. */
  readonly tls?: OutletTls;
  readonly teller: Teller;
  /** In one line. */
  readonly format: (told: Told, teller: Teller) => string;
  /** For each step: to connect, to be read, to be closed. */
  readonly timeoutMs?: number;
}

const batch = 500;
const batchesInDoubt = 4;

export function syslogSink(options: SyslogOptions): Sink {
  const { teller, format, timeoutMs = 10_000 } = options;
  let link: SinkLink | undefined;
  return {
    maxBatch: batch,
    // What it had read may not have been written yet when it died.
    inDoubt: batchesInDoubt,
    link: () => link,
    close: () => Promise.resolve(),
    send: async (events, signal) => {
      const frames = events.map((told) => syslogFrame(told, teller, format(told, teller)));
      const failed = await new Promise<string | undefined>((resolve) => {
        const socket = open(options, () => {
          if (socket instanceof tls.TLSSocket) link = negotiatedLink(socket);
          socket.end(Buffer.concat(frames), () => (isWritten = true));
        });
        let isWritten = false;
        let isClosed = false;
        let error: Error | undefined;
        const stopListening = onAbort(signal, () => socket.destroy());
        socket.setTimeout(timeoutMs, () => socket.destroy(new Error("it didn't go on in time")));
        // Whatever it says; nothing is expected. Its end is what counts.
        socket.resume();
        socket.on("end", () => (isClosed = isWritten));
        socket.on("error", (cause: Error) => (error ??= cause));
        socket.on("close", () => {
          stopListening();
          if (error !== undefined) resolve(whyOf(error));
          else resolve(isClosed ? undefined : "it ended the connection before all was read");
        });
      });
      return failed === undefined ? { taken: events.length } : { taken: 0, failed };
    },
  };
}

function open({ host, port, tls: secure }: SyslogOptions, connected: () => void): net.Socket {
  if (secure === undefined) return net.connect({ host, port, allowHalfOpen: true }, connected);
  const name = net.isIP(host) === 0 ? { servername: host } : {};
  // The other end's close is what is waited for, so ours doesn't come with it.
  return tls.connect({ ...outletTlsOptions(secure), host, port, ...name }, connected);
}

/** Node's codes and sentences name addresses of the operator's own, nothing else. */
function whyOf(error: Error): string {
  return "code" in error && typeof error.code === "string"
    ? `${error.code}: ${error.message}`
    : error.message;
}
