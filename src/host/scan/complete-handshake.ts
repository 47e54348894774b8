/** A whole handshake with an endpoint that nobody vouches for: what it shows, not whether it may be trusted. Nothing is sent after it. */
import type { X509Certificate } from "node:crypto";
import net from "node:net";
import tls from "node:tls";

import type { Endpoint } from "./ask-flight.ts";

export interface Handshake {
  readonly version: string;
  readonly cipher: string;
  /** By OpenSSL's name; absent where it doesn't say. */
  readonly group?: string;
  /** Leaf first, as they were sent. */
  readonly chain: readonly X509Certificate[];
  readonly alpn?: string;
  /** It ended the link because no certificate was shown. */
  readonly wantsCertificate: boolean;
  readonly ms: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface Offer {
  /** OpenSSL's list of groups; its defaults if absent. */
  readonly groups?: string;
  /** OpenSSL's list of signature algorithms. */
  readonly signatures?: string;
  readonly serverName?: string;
}

/** How long a server may take to say that it wants a certificate: in TLS 1.3 the handshake is over for us before it can. */
const refusalMs = 150;
const maxChain = 16;

/** @returns undefined if there is no handshake with that offer */
export function completeHandshake(
  { host, port }: Endpoint,
  offer: Offer,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<Handshake | undefined> {
  return new Promise((resolve) => {
    const began = performance.now();
    const raw = net.connect({ host, port, noDelay: true });
    let socket: tls.TLSSocket;
    try {
      socket = tls.connect({
        socket: raw,
        rejectUnauthorized: false,
        minVersion: "TLSv1.2",
        // Keys that OpenSSL would refuse are what we look for.
        ciphers: "DEFAULT@SECLEVEL=0",
        ALPNProtocols: ["h2", "http/1.1"],
        ...(offer.groups !== undefined && { ecdhCurve: offer.groups }),
        ...(offer.signatures !== undefined && { sigalgs: offer.signatures }),
        ...(offer.serverName !== undefined &&
          net.isIP(offer.serverName) === 0 && { servername: offer.serverName }),
      });
    } catch {
      raw.destroy();
      resolve(undefined);
      return;
    }
    let done: Handshake | undefined;
    let refusal: NodeJS.Timeout | undefined;
    const settle = (handshake: Handshake | undefined): void => {
      clearTimeout(timer);
      clearTimeout(refusal);
      signal.removeEventListener("abort", abort);
      socket.destroy();
      raw.destroy();
      resolve(handshake);
    };
    const abort = (): void => settle(done);
    const timer = setTimeout(abort, timeoutMs);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) return settle(undefined);
    raw.once("error", () => settle(done));
    socket.once("secureConnect", () => {
      done = seen(socket, raw, performance.now() - began);
      refusal = setTimeout(() => settle(done), refusalMs);
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      const wants = /CERTIFICATE_REQUIRED|BAD_CERTIFICATE|HANDSHAKE_FAILURE/.test(
        `${error.code} ${error.message}`,
      );
      settle(done && { ...done, wantsCertificate: wants });
    });
    socket.once("close", () => settle(done));
  });
}

function seen(socket: tls.TLSSocket, raw: net.Socket, ms: number): Handshake {
  const key = socket.getEphemeralKeyInfo();
  const group = key !== null && "name" in key && typeof key.name === "string" ? key.name : undefined;
  return {
    version: socket.getProtocol() ?? "",
    cipher: socket.getCipher().standardName,
    ...(group !== undefined && { group }),
    chain: chainOf(socket.getPeerX509Certificate()),
    ...(typeof socket.alpnProtocol === "string" && { alpn: socket.alpnProtocol }),
    wantsCertificate: false,
    ms,
    bytesIn: raw.bytesRead,
    bytesOut: raw.bytesWritten,
  };
}

function chainOf(leaf: X509Certificate | undefined): readonly X509Certificate[] {
  const chain: X509Certificate[] = [];
  for (let at = leaf; at !== undefined && chain.length < maxChain; at = at.issuerCertificate) {
    if (chain.some(({ fingerprint256 }) => fingerprint256 === at?.fingerprint256)) break;
    chain.push(at);
  }
  return chain;
}
