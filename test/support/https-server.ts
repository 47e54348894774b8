/** Servers as others run them: https on 127.0.0.1, with any offer. */
import { randomUUID } from "node:crypto";
import https from "node:https";
import type { AddressInfo } from "node:net";
import tls from "node:tls";

import { outsideAuthority, type OutsideAuthority } from "./certificates.ts";
import { atEnd, type Cleanup } from "./cleanup.ts";
import { type Answering, echoResult } from "./gateway.ts";

export interface HttpsServer {
  readonly url: string;
  readonly asked: () => number;
  readonly connections: () => number;
  /** From now on it offers this instead. */
  readonly offer: (options: tls.SecureContextOptions) => void;
}

/** By default each request is answered with an empty result. */
export async function httpsServer(
  t: Cleanup,
  options: https.ServerOptions,
  answer: Answering = echoResult,
): Promise<HttpsServer> {
  let asked = 0;
  const server = https.createServer(options, (request, response) => {
    asked += 1;
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => answer(request, response, body));
  });
  let connections = 0;
  server.on("connection", () => (connections += 1));
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  atEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    asked: () => asked,
    connections: () => connections,
    offer: (next) => server.setSecureContext(next),
  };
}

/** An authority that this process takes for one of the world's, until the test ends. */
export function publicAuthority(t: Cleanup): OutsideAuthority {
  // Of two issuers with one name, TLS tries the first that it finds.
  const authority = outsideAuthority(`outside ${randomUUID()}`);
  const before = tls.getCACertificates("default");
  tls.setDefaultCACertificates([...before, authority.certificate]);
  atEnd(t, () => tls.setDefaultCACertificates(before));
  return authority;
}
