/** The link over HTTP+SSE: it tells in order and no more than is taken, and takes nothing while it is paused. */
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";

import { Pool } from "undici";

import { utf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Frame } from "../../wire/frame.ts";
import type { Link } from "../link/link.ts";
import { systemLog } from "../system.ts";
import { openSseLink } from "./sse-link.ts";

interface Linked {
  readonly link: Link;
  readonly heard: readonly Frame[];
  readonly ended: Promise<Refusal>;
  /** Resolves with the next POST and what answers it. */
  readonly posted: () => Promise<http.ServerResponse>;
  readonly stream: http.ServerResponse;
  /** Emits `posted` with what answers a POST, and the bytes it had. */
  readonly server: http.Server;
}

interface Options {
  readonly onMessage?: (link: Link) => void;
  readonly welcome?: string;
  readonly answerTimeoutMs?: number;
}

async function linked(
  t: TestContext,
  {
    onMessage = () => {},
    welcome = "event: endpoint\ndata: /messages\n\n",
    answerTimeoutMs = 60_000,
  }: Options = {},
): Promise<Linked> {
  const server = http.createServer((request, response) => {
    let bytes = 0;
    request.on("data", (chunk: Buffer) => (bytes += chunk.length));
    if (request.method === "POST") request.on("end", () => server.emit("posted", response, bytes));
    else {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(welcome);
      server.emit("opened", response);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const pool = new Pool(origin, { connections: null });
  t.after(async () => {
    await pool.destroy();
    server.closeAllConnections();
    server.close();
  });
  const heard: Frame[] = [];
  const opened = once(server, "opened") as Promise<[http.ServerResponse]>;
  const { promise: ended, resolve } = Promise.withResolvers<Refusal>();
  const link: Link = openSseLink(
    {
      name: "old",
      url: new URL(`${origin}/sse`),
      headers: [],
      onLink: () => undefined,
      dispatcher: () => pool,
      answerTimeoutMs,
      maxEventBytes: 64 * 1024,
      log: systemLog({ level: "error", form: "json", write: () => undefined }),
    },
    {
      onMessage: (frame) => {
        heard.push(frame);
        onMessage(link);
      },
      onUndelivered: () => {},
      onEnd: resolve,
    },
  );
  const [stream] = await opened;
  const posted = async (): Promise<http.ServerResponse> =>
    ((await once(server, "posted")) as [http.ServerResponse])[0];
  return { link, heard, ended, stream, posted, server };
}

const event = (n: number): string =>
  `event: message\ndata: {"jsonrpc":"2.0","method":"notifications/message","params":{"n":${n}}}\n\n`;

test("while the link is paused nothing is taken; each pause needs its resume, and nothing is lost", async (t) => {
  const { link, heard, stream, posted, ended } = await linked(t, {
    onMessage: (each) => {
      if (heard.length > 1) return;
      each.pause();
      each.pause();
    },
  });
  const all = Array.from({ length: 50 }, (_, n) => event(n)).join("");
  await new Promise((resolve) => stream.write(all, resolve));
  for (let round = 0; round < 3; round++) {
    const arrived = posted();
    link.send(utf8("{}"), undefined);
    (await arrived).writeHead(202).end(); // What was written before it has arrived by now.
    assert.equal(heard.length, 1);
    if (round === 1) link.resume();
  }
  stream.end();
  link.resume();
  await ended;
  assert.equal(heard.length, 50);
});

test("what is told arrives in the order in which it was told, also a short word after a long one", async (t) => {
  const { link, server } = await linked(t);
  const lengths = [3_000_000, 2, 1_000_000, 3];
  const arrived: number[] = [];
  const all = new Promise<void>((resolve) => {
    server.on("posted", (response: http.ServerResponse, bytes: number) => {
      response.writeHead(202).end();
      if (arrived.push(bytes) === lengths.length) resolve();
    });
  });
  for (const length of lengths) link.send(new Uint8Array(length), undefined);
  await all;
  assert.deepEqual(arrived, lengths);
});

test("a stream that is open and names no endpoint is given up in time", async (t) => {
  const { ended, stream } = await linked(t, { welcome: ": hello\n\n", answerTimeoutMs: 100 });
  const closed = once(stream, "close");
  const { code, message } = await ended;
  assert.deepEqual([code, message], ["upstream_timeout", "The server named no endpoint in time."]);
  await closed;
});

test("a server that accepts nothing is told no more than a bound, and told so", async (t) => {
  const { link, ended } = await linked(t);
  const message = new Uint8Array(3 * 1024 * 1024);
  for (let i = 0; i < 3; i++) link.send(message, undefined);
  assert.throws(
    () => link.send(message, undefined),
    (error) => error instanceof Refusal && error.code === "busy",
  );
  await link.stop();
  assert.equal((await ended).code, "upstream_failed");
});

test("a link that was stopped ends once, closes its stream and posts nothing more", async (t) => {
  const { link, ended, stream } = await linked(t);
  const closed = once(stream, "close");
  await link.stop();
  await link.stop();
  link.send(utf8("{}"), undefined);
  await Promise.all([ended, closed]);
});
