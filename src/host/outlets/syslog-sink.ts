/**
 * Syslog over TLS (RFC 5425), or over plain TCP with the same framing. The protocol acknowledges nothing, so each batch
 * travels on a connection of its own: it counts as taken once we closed it and the other end, which by then has read all
 * of it, closed it too (RFC 5425 §4.4), and said so under TLS.
 */
import net from "node:net";
import tls from "node:tls";

import { onAbort } from "../on-abort.ts";
import { boundedFrame, type LineFormat } from "../../respond/events/shortened.ts";
import type { Teller } from "../../respond/events/told.ts";
import { type OutletTls, negotiatedLink, outletTlsOptions } from "./outlet-tls.ts";
import { provenTls } from "./proven-end.ts";
import type { Sink, SinkLink } from "./sink.ts";

export interface SyslogOptions {
  readonly host: string;
  readonly port: number;
  /** Absent for plain TCP. */
  readonly tls?: OutletTls;
  readonly teller: Teller;
  /** In one line. */
  readonly format: LineFormat;
  /** Of a message with its frame; what rsyslog takes unless it is told otherwise, by default. */
  readonly maxMessageBytes?: number;
  /** For each step: to connect, to be taken by the network, to be closed. */
  readonly timeoutMs?: number;
  /** Whether the end of the TCP connection counts like one that TLS proves. */
  readonly unprovenEnd?: boolean;
}

const batch = 500;
const batchesInDoubt = 4;
/**
 * Who turns our certificate away does so once TLS 1.3 has let us send already, and some without an alert: so much time is
 * left to them before our end, after which theirs means that all was read.
 */
const settleMs = 250;

export function syslogSink(options: SyslogOptions): Sink {
  const { teller, format, timeoutMs = 10_000, maxMessageBytes: maxBytes = 8192 } = options;
  let link: SinkLink | undefined;
  return {
    maxBatch: batch,
    // What it had read may not have been written yet when it died.
    inDoubt: batchesInDoubt,
    link: () => link,
    close: () => Promise.resolve(),
    send: async (events, signal) => {
      const frames = events.map((told) => boundedFrame(told, teller, { format, maxBytes }));
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
    // INVARIANT: what the other end sends gives it no more time.
    const wait = (ms: number, then: () => void): void => {
      clearTimeout(waiting);
      waiting = setTimeout(then, ms);
    };
    const late = (): void => void socket.destroy(new Error("it didn't go on in time"));
    const { socket, isEndProven } = open(options, () => {
      if (socket instanceof tls.TLSSocket) on.onLink(negotiatedLink(socket));
      write(0);
    });
    const write = (from: number): void => {
      wait(options.timeoutMs, late);
      const to = from + stepBytes;
      socket.write(bytes.subarray(from, to), () => (to < bytes.length ? write(to) : wait(settleMs, end)));
    };
    const end = (): void => {
      isOurEnd = true;
      wait(options.timeoutMs, late);
      socket.end();
    };
    const stopListening = onAbort(on.signal, () => socket.destroy());
    wait(options.timeoutMs, late);
    // Whatever it says; nothing is expected. Its end is what counts.
    socket.resume();
    socket.on("end", () => {
      isRead = isOurEnd;
      if (!isOurEnd) socket.destroy();
    });
    socket.on("error", (cause: Error) => (error ??= cause));
    socket.on("close", () => {
      clearTimeout(waiting);
      stopListening();
      if (error !== undefined) resolve(whyOf(error));
      else if (!isRead) resolve("it ended the connection before all was read");
      else resolve(isEndProven() || options.unprovenEnd === true ? undefined : unproven);
    });
  });
}

/** Sent at once; each such step has the time of one. */
const stepBytes = 64 * 1024;

const unproven =
  "it ended the connection without a word under TLS (close_notify), so nothing proves that it has read all: see danger_unproven_end";

interface Opened {
  readonly socket: net.Socket;
  readonly isEndProven: () => boolean;
}

function open({ host, port, tls: secure }: SyslogOptions, connected: () => void): Opened {
  const raw = { host, port, allowHalfOpen: true };
  // Without TLS nothing is proven, and the config says so.
  if (secure === undefined) return { socket: net.connect(raw, connected), isEndProven: () => true };
  const name = net.isIP(host) === 0 ? { servername: host } : {};
  return provenTls(net.connect(raw), { ...outletTlsOptions(secure), host, ...name }, connected);
}

/** Node's codes and sentences name addresses of the operator's own, nothing else. */
function whyOf(error: Error): string {
  return "code" in error && typeof error.code === "string"
    ? `${error.code}: ${error.message}`
    : error.message;
}
