/** What a link to a server negotiated, whoever that is. */
import type tls from "node:tls";

import { certificateFacts } from "../../crypto/certificate.ts";
import { groupCalled } from "../../crypto/suites/key-exchange.ts";
import type { Observation } from "../../identity/peer-memory.ts";

/** As Node names them. */
const versions: Readonly<Record<string, number>> = {
  "TLSv1.3": 0x0304,
  "TLSv1.2": 0x0303,
  "TLSv1.1": 0x0302,
  TLSv1: 0x0301,
};

export function linkObservation(link: tls.TLSSocket, atUnixMs: number): Observation {
  const info = link.getEphemeralKeyInfo();
  const name = info !== null && "name" in info ? info.name : undefined;
  const certificate = link.getPeerX509Certificate();
  return {
    atUnixMs,
    group: name === undefined ? "none" : (groupCalled(name)?.id ?? name),
    version: versions[link.getProtocol() ?? ""] ?? 0,
    ...(certificate && { certificate: certificateFacts(certificate).keyAlgorithm }),
  };
}
