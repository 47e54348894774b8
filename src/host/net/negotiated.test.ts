/** What is noted of links to servers that aren't ours, over real sockets. */
import assert from "node:assert/strict";
import { once } from "node:events";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type tls from "node:tls";

import { buildConnector, Pool } from "undici";

import { webCertificate } from "../../../test/support/web-certificate.ts";
import { type Negotiated, negotiatedOn, noting } from "./negotiated.ts";

const certificates = [
  ["ecdsa", "EC prime256v1"],
  ["ml-dsa", "ML-DSA-65"],
] as const;

for (const [kind, serverKey] of certificates) {
  for (const group of ["X25519", "X25519MLKEM768"]) {
    test(`a link with ${group} to a server with ${serverKey} is noted as it is`, async (t) => {
      const { certificate, key } = webCertificate(kind);
      const options = { cert: certificate, key, ecdhCurve: group };
      const server = https.createServer(options, (_request, response) => response.end("well"));
      const links: tls.TLSSocket[] = [];
      server.on("secureConnection", (link: tls.TLSSocket) => void links.push(link));
      await once(server.listen(0, "127.0.0.1"), "listening");
      const noted: Negotiated[] = [];
      const connect = noting(
        buildConnector({ ca: certificate, servername: "mcp.acme.test" }),
        (link) => void noted.push(negotiatedOn(link)),
      );
      const pool = new Pool(`https://127.0.0.1:${(server.address() as AddressInfo).port}`, { connect });
      t.after(async () => {
        await pool.destroy();
        server.close();
      });
      for (let time = 0; time < 2; time++) {
        const { body } = await pool.request({ path: "/", method: "GET" });
        assert.equal(await body.text(), "well");
      }
      const [link] = links;
      const seen = { version: link?.getProtocol(), group, cipher: link?.getCipher().name };
      assert.deepEqual(noted[0], { ...seen, serverKey });
      assert.equal(noted.length, links.length);
      // A resumed one shows no certificate again.
      for (const more of noted.slice(1)) assert.deepEqual(more, { ...seen, serverKey: undefined });
    });
  }
}

test("a server that can't be reached notes nothing, and says why", async (t) => {
  const connect = noting(buildConnector({}), () => assert.fail("there is no link"));
  const pool = new Pool("https://127.0.0.1:9", { connect });
  t.after(() => pool.destroy());
  await assert.rejects(pool.request({ path: "/", method: "GET" }), { code: "ECONNREFUSED" });
});
