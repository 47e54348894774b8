/** What links to servers negotiated, as OpenSSL tells it: for the operator's eyes, judged elsewhere. */
import type tls from "node:tls";

import { describedKey } from "../../crypto/keys.ts";
import { groupNameOf } from "./link-facts.ts";

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
  const certificate = link.getPeerX509Certificate();
  return {
    version: link.getProtocol() ?? "unknown",
    group: groupNameOf(link),
    cipher: link.getCipher().name,
    serverKey: certificate && describedKey(certificate.publicKey),
  };
}
