/** What links to servers negotiated, as OpenSSL tells it: for the operator's eyes, judged elsewhere. */
import tls from "node:tls";

import type { buildConnector } from "undici";

import { keyNameOf } from "../../crypto/certificate.ts";

export interface Negotiated {
  /** E.g. `TLSv1.3`. */
  readonly version: string;
  /** Undefined if it isn't told. */
  readonly group: string | undefined;
  readonly cipher: string;
  /** Algorithm of the key in the server's certificate; undefined if it isn't told, as after a resumption. */
  readonly serverKey: string | undefined;
}

/** @param link after its handshake */
export function negotiatedOn(link: tls.TLSSocket): Negotiated {
  const info = link.getEphemeralKeyInfo();
  const certificate = link.getPeerX509Certificate();
  return {
    version: link.getProtocol() ?? "unknown",
    group: info !== null && "name" in info ? info.name : undefined,
    cipher: link.getCipher().name,
    serverKey: certificate && keyNameOf(certificate),
  };
}

/** The same connections, each new TLS link shown to `onLink` before anything is sent on it. */
export function noting(
  connect: buildConnector.connector,
  onLink: (link: tls.TLSSocket) => void,
): buildConnector.connector {
  return (target, callback) =>
    connect(target, (...[error, socket]) => {
      if (socket instanceof tls.TLSSocket) onLink(socket);
      if (error === null) callback(null, socket);
      else callback(error, null);
    });
}
