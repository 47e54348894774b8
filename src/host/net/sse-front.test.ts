/** The front for clients of HTTP+SSE: what it does with clients that don't read. */
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import net, { type AddressInfo } from "node:net";
import { test } from "node:test";

import { systemLog } from "../system.ts";
import type { HttpRequest } from "./http-exchange.ts";
import { sseFront } from "./sse-front.ts";

test("a client that doesn't read what it asked for is cut off before it fills the memory, and its session ends", async (t) => {
  const result = "x".repeat(1024 * 1024);
  const verbs: string[] = [];
  const front = sseFront({
    send: (request: Omit<HttpRequest, "path">) => {
      verbs.push(request.method);
      const body = Buffer.from(JSON.stringify({ jsonrpc: "2.0", id: 1, result: { text: result } }));
      return Promise.resolve({ kind: "whole", status: 200, headers: ["mcp-session-id", "s"], body });
    },
    path: "/token",
    maxBodyBytes: 1024,
    maxEventBytes: 1024,
    maxUnreadBytes: 4 * 1024 * 1024,
    log: systemLog({ level: "error", form: "json", write: () => undefined }),
  });
  let stream: http.ServerResponse | undefined;
  const server = http.createServer((request, response) => {
    if (request.method === "GET") front.open(request, (stream = response));
    else
      void front
        .post(request.url?.split("/").at(-1) ?? "", request, response)
        .catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const deaf = net.connect(port, "127.0.0.1").on("error", () => undefined);
  deaf.write("GET /token/sse HTTP/1.1\r\nhost: localhost\r\n\r\n");
  const [head] = (await once(deaf, "data")) as [Buffer];
  deaf.pause();
  const session = /\/token\/messages\/([\w-]+)/.exec(head.toString())?.[1] ?? "";
  const closed = stream && once(stream, "close");
  assert.ok(closed);
  const ask = (method: string): Promise<number> =>
    fetch(`http://127.0.0.1:${port}/token/messages/${session}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: {} }),
    }).then(
      ({ status }) => status,
      () => 0,
    );
  assert.equal(await ask("initialize"), 202);
  let taken = 0;
  while (taken < 64 && (await ask("ping")) === 202) taken += 1;
  await closed;
  assert.ok(taken < 64, "it was cut off");
  await front.close();
  assert.equal(verbs.at(-1), "DELETE");
  deaf.destroy();
});
