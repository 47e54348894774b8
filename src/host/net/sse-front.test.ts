/** The front for clients of HTTP+SSE: what it does with clients that don't read. */
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import net, { type AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";

import { systemLog } from "../system.ts";
import { sseFront, type SseFrontOptions } from "./sse-front.ts";

interface Deaf {
  /** Takes one message of the client's. @returns its status, 0 if it was broken off */
  readonly ask: (method: string) => Promise<number>;
  /** The client begins to read. @returns all that it reads, up to `until` */
  readonly read: (until: string) => Promise<string>;
  /** Its stream is over. */
  readonly closed: Promise<unknown>;
  readonly endSessions: () => Promise<void>;
}

/** A client that opens its stream, reads where to POST, and stops reading. */
async function deafClient(t: TestContext, send: SseFrontOptions["send"]): Promise<Deaf> {
  const front = sseFront({
    send,
    path: "/token",
    maxBodyBytes: 1024,
    maxEventBytes: mebibyte,
    maxUnreadBytes: 4 * mebibyte,
    log: systemLog({ level: "error", form: "json", write: () => undefined }),
  });
  const opened = Promise.withResolvers<http.ServerResponse>();
  const server = http.createServer((request, response) => {
    const session = request.url?.split("/").at(-1) ?? "";
    if (request.method === "POST")
      void front.post(session, request, response).catch(() => response.destroy());
    else {
      front.open(request, response);
      opened.resolve(response);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const link = net.connect(port, "127.0.0.1").on("error", () => undefined);
  t.after(() => {
    link.destroy();
    server.close();
  });
  link.write("GET /token/sse HTTP/1.1\r\nhost: localhost\r\n\r\n");
  const [head] = (await once(link, "data")) as [Buffer];
  link.pause();
  const path = /\/token\/messages\/[\w-]+/.exec(head.toString())?.[0] ?? "";
  return {
    closed: once(await opened.promise, "close"),
    endSessions: front.close,
    ask: (method) =>
      fetch(`http://127.0.0.1:${port}${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: {} }),
      }).then(
        ({ status }) => status,
        () => 0,
      ),
    read: async (until) => {
      const chunks: string[] = [];
      for await (const chunk of link) {
        chunks.push(String(chunk));
        if (chunks.slice(-2).join("").includes(until)) break;
      }
      return chunks.join("");
    },
  };
}

const mebibyte = 1024 * 1024;

test("a client that doesn't read what it asked for is cut off before it fills the memory, and its session ends", async (t) => {
  const verbs: string[] = [];
  const message = { jsonrpc: "2.0", id: 1, result: { text: "x".repeat(mebibyte) } };
  const body = Buffer.from(JSON.stringify(message));
  const { ask, closed, endSessions } = await deafClient(t, ({ method }) => {
    verbs.push(method);
    return Promise.resolve({ kind: "whole", status: 200, headers: ["mcp-session-id", "s"], body });
  });
  assert.equal(await ask("initialize"), 202);
  let taken = 0;
  while (taken < 64 && (await ask("ping")) === 202) taken += 1;
  await closed;
  assert.ok(taken < 64, "it was cut off");
  await endSessions();
  assert.equal(verbs.at(-1), "DELETE");
});

test("a client that reads late slows down the stream it is answered by, and loses nothing of it", async (t) => {
  const events = 48;
  const begun = Promise.withResolvers<void>();
  async function* chunks(): AsyncGenerator<Uint8Array, void> {
    for (let n = 1; n <= events; n++) {
      if (n === 2) begun.resolve();
      const params = { n, text: "x".repeat(mebibyte / 2) };
      yield event({ jsonrpc: "2.0", method: "notifications/message", params });
    }
    yield event({ jsonrpc: "2.0", id: 1, result: { last: true } });
    await Promise.resolve();
  }
  const { ask, read } = await deafClient(t, () =>
    Promise.resolve({ kind: "stream", status: 200, headers: [], chunks: chunks() }),
  );
  assert.equal(await ask("tools/call"), 202);
  await begun.promise;
  const text = await read('"last":true');
  assert.equal([...text.matchAll(/"n":\d+/g)].length, events);
});

function event(message: object): Uint8Array {
  return Buffer.from(`event: message\ndata: ${JSON.stringify(message)}\n\n`);
}
