/** The gateway's HTTP front by itself: what a proven peer may not do with its link. */
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { test, type TestContext } from "node:test";

import { eventually } from "../../../test/support/gateway.ts";
import { systemClock, systemLog } from "../system.ts";
import { type McpHttp, mcpHttp } from "./mcp-http.ts";

const channel = {
  group: "X25519MLKEM768",
  keyExchange: "hybrid" as const,
  level: 3,
  version: "TLSv1.3",
  profile: "hybrid",
  peer: {
    kind: "svid" as const,
    keyAlgorithm: "ML-DSA-65",
    spiffeId: "spiffe://acme.test/agent/a",
    serial: "1",
    issuer: "root",
    notAfterUnixMs: 0,
  },
  remote: "127.0.0.1:1",
};

async function linked(t: TestContext): Promise<{ readonly http: McpHttp; readonly client: net.Socket }> {
  const http = mcpHttp({
    maxBodyBytes: 1024,
    clock: systemClock,
    log: systemLog({ level: "error", form: "json", write: () => undefined }),
    onCall: ({ reply }) => Promise.resolve(reply.whole(200, [], new Uint8Array(0))),
    timeouts: { headersTimeout: 100, requestTimeout: 200, connectionsCheckingInterval: 20 },
  });
  const server = net.createServer((socket) => http.serve(socket, channel)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const client = net.connect(address.port, "127.0.0.1");
  t.after(async () => {
    client.destroy();
    server.close();
    await http.drain(0);
  });
  return { http, client };
}

for (const [what, beginning] of [
  ["whose headers never end", "POST /mcp/a HTTP/1.1\r\nhost: x\r\n"],
  [
    "whose body never ends",
    "POST /mcp/a HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{",
  ],
] as const) {
  test(`a request ${what}: a request that is never finished is given up in time`, async (t) => {
    const { client } = await linked(t);
    client.write(beginning);
    client.resume();
    await once(client, "close");
  });
}

test("when the gateway stops, an idle link hears that nothing came of what it may have sent", async (t) => {
  const { http, client } = await linked(t);
  client.write(
    "POST /mcp/a HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 0\r\n\r\n",
  );
  const [first] = (await once(client, "data")) as [Buffer];
  assert.match(first.toString(), /^HTTP\/1\.1 200 /);
  const rest = Array.fromAsync(client as AsyncIterable<Buffer>);
  await eventually("the call is over", () => http.underWay() === 0);
  await http.drain(1000);
  assert.match((await rest).join(""), /^HTTP\/1\.1 408 [^]*latticegate-goodbye: 1/i);
});
