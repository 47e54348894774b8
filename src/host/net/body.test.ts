/** Responses no faster than their reader, and no reader for ever. */
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { test } from "node:test";

import { drained } from "./body.ts";

test("a reader that takes nothing is cut off, one that reads is waited for", async (t) => {
  const server = http.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  t.after(() => server.close().closeAllConnections());
  const chunk = Buffer.alloc(1024 * 1024);
  for (const reads of [true, false]) {
    const client = net.connect(address.port, "127.0.0.1");
    client.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    if (reads) client.resume();
    const [, response] = (await once(server, "request")) as [unknown, http.ServerResponse];
    for (let i = 0; i < 16 && !response.destroyed; i++)
      if (!response.write(chunk)) await drained(response, 200);
    assert.equal(response.destroyed, !reads);
    client.destroy();
  }
});
