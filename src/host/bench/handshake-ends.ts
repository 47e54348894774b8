/**
 * The two ends of a measured handshake, with the options our own links have (host/net/tls.ts), the algorithms aside:
 * TLS 1.3 alone, one group, one identity algorithm, both ends prove themselves, no tickets.
 */
import { constants } from "node:crypto";
import tls from "node:tls";

/** What both ends negotiate. Plain text and lists, since it goes to another process. */
interface Negotiated {
  /** OpenSSL's names. */
  readonly group: string;
  readonly signatures: string;
  readonly ciphers: string;
}

export interface End extends Negotiated {
  /** PEM. */
  readonly certificate: string;
  /** PEM, PKCS #8. */
  readonly privateKey: string;
  /** PEM of the root above the other end. */
  readonly peerRoot: string;
}

/** The certificate that the other end has to show, by its one SPIFFE ID. */
export interface ClientEnd extends End {
  readonly peerSpiffeId: string;
}

export function serverOptions(end: End): tls.TlsOptions {
  return {
    ...contextOptions(end),
    requestCert: true,
    rejectUnauthorized: true,
    honorCipherOrder: true,
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** With a context made once: to read the key anew for each link is no part of a handshake. */
export function clientOptions(end: ClientEnd): tls.ConnectionOptions {
  return {
    secureContext: tls.createSecureContext(contextOptions(end)),
    rejectUnauthorized: true,
    checkServerIdentity: (_host, { subjectaltname = "no name" }) =>
      subjectaltname === `URI:${end.peerSpiffeId}`
        ? undefined
        : new Error(`expected the server ${end.peerSpiffeId}, found ${subjectaltname}`),
  };
}

function contextOptions(end: End): tls.SecureContextOptions {
  return {
    minVersion: "TLSv1.3",
    ciphers: end.ciphers,
    ecdhCurve: end.group,
    sigalgs: end.signatures,
    ca: end.peerRoot,
    cert: end.certificate,
    key: end.privateKey,
  };
}
