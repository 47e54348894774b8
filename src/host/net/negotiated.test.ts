/** What is said of links to servers that aren't ours, over real sockets. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import tls from "node:tls";

import { webCertificate } from "../../../test/support/web-certificate.ts";
import { negotiatedOn } from "./negotiated.ts";

const certificates = [
  ["ecdsa", "ECDSA-P-256"],
  ["ml-dsa", "ML-DSA-65"],
] as const;

for (const [kind, serverKey] of certificates) {
  for (const group of ["X25519", "P-256", "X25519MLKEM768"]) {
    test(`a link over ${group} to a server with ${serverKey} is described as its other end has it`, async (t) => {
      const { certificate, key } = webCertificate(kind);
      const server = tls.createServer({ cert: certificate, key, ecdhCurve: group });
      await once(server.listen(0, "127.0.0.1"), "listening");
      const { port } = server.address() as AddressInfo;
      const link = tls.connect({ port, host: "127.0.0.1", servername: "mcp.acme.test", ca: certificate });
      t.after(() => {
        link.destroy();
        server.close();
      });
      const [[other]] = (await Promise.all([
        once(server, "secureConnection"),
        once(link, "secureConnect"),
      ])) as [[tls.TLSSocket], unknown];
      assert.deepEqual(negotiatedOn(link), {
        version: other.getProtocol(),
        group,
        cipher: other.getCipher().name,
        serverKey,
      });
    });
  }
}
