/** Responses no faster than their reader, and no reader for ever. */
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { test, type TestContext } from "node:test";

import { drained, endWith } from "./body.ts";

/** A response to a client that reads, or doesn't. */
async function responseTo(
  t: TestContext,
  options: { readonly reads: boolean },
): Promise<http.ServerResponse> {
  const server = http.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  const client = net.connect(port, "127.0.0.1").on("error", () => undefined);
  t.after(() => {
    client.destroy();
    server.close().closeAllConnections();
  });
  client.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  if (options.reads) client.resume();
  const [, response] = (await once(server, "request")) as [unknown, http.ServerResponse];
  return response;
}

const chunk = Buffer.alloc(1024 * 1024);

test("a reader that takes nothing is cut off, one that reads is waited for", async (t) => {
  for (const reads of [true, false]) {
    const response = await responseTo(t, { reads });
    for (let i = 0; i < 16 && !response.destroyed; i++)
      if (!response.write(chunk)) await drained(response, 200);
    assert.equal(response.destroyed, !reads);
  }
});

test("the end of an answer is waited for no longer than its middle", async (t) => {
  const response = await responseTo(t, { reads: false });
  for (let i = 0; i < 16; i++) response.write(chunk);
  endWith(response, Buffer.from("the end"), 200);
  await once(response, "close");
  assert.equal(response.writableFinished, false);
});

test("a connection is given little of a long answer at a time, and all of it in the end", async (t) => {
  const long = Buffer.concat(Array.from({ length: 16 }, () => chunk));
  const stalled = await responseTo(t, { reads: false });
  endWith(stalled, long, 200);
  assert.ok(stalled.writableLength < chunk.length, `${stalled.writableLength} bytes wait`);
  await once(stalled, "close");
  assert.equal(stalled.writableFinished, false);

  const read = await responseTo(t, { reads: true });
  const socket = read.socket;
  endWith(read, long);
  await once(read, "close");
  assert.equal(read.writableFinished, true);
  assert.ok((socket?.bytesWritten ?? 0) >= long.length);
});
