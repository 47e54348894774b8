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
  /** For each step: to connect, to be taken by the network, to be closed. */
  readonly timeoutMs?: number;
}

const batch = 500;
const batchesInDoubt = 4;
/**
 * Who turns our certificate away does so once TLS 1.3 has let us send already, and some without an alert: so much time is
 * left to them before our end, after which theirs means that all was read.
 */
const settleMs = 250;

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
      const failed = await carried({ ...options, timeoutMs }, Buffer.concat(frames), {
        signal,
        onLink: (met) => (link = met),
      });
      return failed === undefined ? { taken: events.length } : { taken: 0, failed };
    },
  };
}

/** @returns why it isn't known to have been read; undefined if it was */
function carried(
  options: SyslogOptions & { readonly timeoutMs: number },
  bytes: Uint8Array,
  on: { readonly signal: AbortSignal; readonly onLink: (link: SinkLink) => void },
): Promise<string | undefined> {
  return new Promise((resolve) => {
    let isOurEnd = false;
    let isRead = false;
    let error: Error | undefined;
    let waiting: NodeJS.Timeout | undefined;
    const socket = open(options, () => {
      if (socket instanceof tls.TLSSocket) on.onLink(negotiatedLink(socket));
      socket.write(bytes, () => {
        waiting = setTimeout(() => {
          isOurEnd = true;
          socket.end();
        }, settleMs);
      });
    });
    const stopListening = onAbort(on.signal, () => socket.destroy());
    socket.setTimeout(options.timeoutMs, () => socket.destroy(new Error("it didn't go on in time")));
    // Whatever it says; nothing is expected. Its end is what counts.
    socket.resume();
    socket.on("end", () => (isRead = isOurEnd));
    socket.on("error", (cause: Error) => (error ??= cause));
    socket.on("close", () => {
      clearTimeout(waiting);
      stopListening();
      if (error !== undefined) resolve(whyOf(error));
      else resolve(isRead ? undefined : "it ended the connection before all was read");
    });
  });
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
