/** TLS to receivers that others run: at least 1.2, hybrid groups first, and told what came of it. */
import type tls from "node:tls";

import type { SinkLink } from "./sink.ts";

export interface OutletTls {
  /** PEM; the system's authorities without it. */
  readonly ca?: string;
  /** PEM, of the client certificate and its key. */
  readonly certificate?: string;
  readonly key?: string;
}

const groups = "X25519MLKEM768:SecP256r1MLKEM768:SecP384r1MLKEM1024:X25519:P-256:P-384";

/** For `tls.connect`, and for undici's connector. */
export function outletTlsOptions({ ca, certificate, key }: OutletTls): tls.SecureContextOptions {
  return {
    minVersion: "TLSv1.2",
    ecdhCurve: groups,
    ...(ca !== undefined && { ca }),
    ...(certificate !== undefined && { cert: certificate }),
    ...(key !== undefined && { key }),
  };
}

export function negotiatedLink(socket: tls.TLSSocket): SinkLink {
  const info = socket.getEphemeralKeyInfo();
  const name = info !== null && "name" in info && typeof info.name === "string" ? info.name : "unknown group";
  return { text: `${socket.getProtocol() ?? "TLS"} ${name}`, isPostQuantum: name.includes("MLKEM") };
}
