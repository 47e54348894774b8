/** What a proven peer can't do with the frames of HTTP/2, which its link carries as they are. */
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { test, type TestContext } from "node:test";

import { eventually } from "../../../test/support/gateway.ts";
import { serveH2 } from "./h2-served.ts";
import type { ServedRequest, ServedResponse } from "./served.ts";

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const types = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7, continuation: 9 } as const;
const endStream = 1;
const endHeaders = 4;

/** RFC 9113 §4.1. */
function frame(
  type: keyof typeof types,
  flags: number,
  stream: number,
  payload: Uint8Array = Buffer.of(),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(types[type], 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** RFC 7541 §6.2.2: neither name nor value is indexed; both are short. */
function field(name: string, value: string): Buffer {
  return Buffer.concat([
    Buffer.of(0, name.length),
    Buffer.from(name),
    Buffer.of(value.length),
    Buffer.from(value),
  ]);
}

function post(...more: readonly Buffer[]): Buffer {
  const head = { ":method": "POST", ":scheme": "https", ":path": "/mcp/a", ":authority": "x" };
  return Buffer.concat([...Object.entries(head).map(([name, value]) => field(name, value)), ...more]);
}

interface Peer {
  readonly socket: net.Socket;
  readonly write: (...frames: readonly Buffer[]) => void;
  readonly requests: { readonly request: ServedRequest; readonly response: ServedResponse }[];
  readonly faults: string[];
  /** Frames that came, as [type, stream, the last four bytes as a number]. */
  readonly heard: (readonly [type: number, stream: number, code: number])[];
}

async function peer(
  t: TestContext,
  { requestTimeoutMs = 60_000, pings = { everyMs: 60_000, deadMs: 60_000 }, left = 0 } = {},
): Promise<Peer> {
  const requests: { readonly request: ServedRequest; readonly response: ServedResponse }[] = [];
  const faults: string[] = [];
  const server = net.createServer((link) => {
    link.on("error", () => link.destroy());
    serveH2(link, {
      onRequest: (request, response) => void requests.push({ request, response }),
      underWay: () => left + requests.length,
      requestTimeoutMs,
      pings,
      onFault: (reason) => void faults.push(reason),
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  const socket = net.connect(port, "127.0.0.1").on("error", () => undefined);
  t.after(() => {
    socket.destroy();
    server.close();
  });
  const heard: (readonly [number, number, number])[] = [];
  let rest = Buffer.alloc(0);
  socket.on("data", (bytes: Buffer) => {
    rest = Buffer.concat([rest, bytes]);
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      const length = rest.readUIntBE(0, 3);
      const code = length >= 8 || length === 4 ? rest.readUInt32BE(9 + (length === 4 ? 0 : 4)) : -1;
      heard.push([rest.readUInt8(3), rest.readUInt32BE(5), code]);
      rest = rest.subarray(9 + length);
    }
  });
  socket.write(Buffer.concat([preface, frame("settings", 0, 0)]));
  return { socket, write: (...frames) => void socket.write(Buffer.concat(frames)), requests, faults, heard };
}

const refusedStream = 7;

/** However it ends. */
function closing(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

test("a request that was reset counts until it is over: beyond as many as may be begun, none is", async (t) => {
  const { write, requests, heard } = await peer(t, { left: 255 });
  write(...[1, 3].map((id) => frame("headers", endHeaders | endStream, id, post())));
  await eventually("the second is refused", () =>
    heard.some(([type, stream, code]) => type === types.reset && stream === 3 && code === refusedStream),
  );
  assert.equal(requests.length, 1);
});

test("who resets more requests at once than there may be is cut", async (t) => {
  const { socket, write, faults } = await peer(t);
  const closed = closing(socket);
  for (let id = 1; id < 2 * 300; id += 2)
    write(frame("headers", endHeaders | endStream, id, post()), frame("reset", 0, id, Buffer.of(0, 0, 0, 8)));
  await closed;
  assert.equal(faults.length, 1);
});

test("more requests at a time than are taken are refused, and those there are go on", async (t) => {
  const { write, requests, heard } = await peer(t);
  await eventually("settings came", () => heard.some(([type]) => type === types.settings));
  write(...Array.from({ length: 140 }, (_, at) => frame("headers", endHeaders, 2 * at + 1, post())));
  await eventually("the rest is refused", () => heard.filter(([type]) => type === types.reset).length === 12);
  assert.equal(requests.length, 128);
  requests[0]?.response.writeHead(200, ["content-type", "application/json"]).end("{}");
  await eventually("the first is answered", () =>
    heard.some(([type, stream]) => type === types.headers && stream === 1),
  );
});

for (const [what, flood] of [
  ["pings", () => frame("ping", 0, 0, Buffer.alloc(8))],
  ["settings", () => frame("settings", 0, 0)],
] as const) {
  test(`a flood of ${what}, which all want an answer, ends the link`, async (t) => {
    const { socket, write, faults } = await peer(t);
    const closed = closing(socket);
    write(...Array.from({ length: 16_384 }, flood));
    await closed;
    assert.match(faults.join(), /Flooding/);
  });
}

test("headers that go on and on in CONTINUATION frames end the link", async (t) => {
  const { socket, write } = await peer(t);
  const closed = closing(socket);
  const more = field("x", "y".repeat(100));
  write(frame("headers", endStream, 1, post()));
  for (let i = 0; i < 10_000 && !socket.destroyed; i++) write(frame("continuation", 0, 1, more));
  await closed;
});

test("a request with more or longer headers than are taken is reset", async (t) => {
  const { write, requests, heard } = await peer(t);
  write(
    frame("headers", endHeaders | endStream, 1, post(...Array.from({ length: 200 }, () => field("x", "y")))),
  );
  const long = Array.from({ length: 100 }, () => field("x", "y".repeat(126)));
  write(frame("headers", endHeaders | endStream, 3, post(...long, ...long.slice(0, 25))));
  await eventually("both are reset", () => heard.filter(([type]) => type === types.reset).length === 2);
  assert.equal(requests.length, 0);
});

test("empty frames of a body without end end the link", async (t) => {
  const { socket, write, faults } = await peer(t);
  const closed = closing(socket);
  write(frame("headers", endHeaders, 1, post()));
  write(...Array.from({ length: 5000 }, () => frame("data", 0, 1)));
  await closed;
  assert.equal(faults.length, 1);
});

test("a request that is never whole is reset in time, and no other on its link", async (t) => {
  const { write, requests, heard } = await peer(t, { requestTimeoutMs: 100 });
  write(frame("headers", endHeaders, 1, post()), frame("headers", endHeaders | endStream, 3, post()));
  await eventually("it is reset", () => heard.some(([type, stream]) => type === types.reset && stream === 1));
  requests[1]?.response.writeHead(200, []).end("{}");
  await eventually("the other is answered", () =>
    heard.some(([type, stream]) => type === types.data && stream === 3),
  );
});

test("a peer that doesn't answer a ping, as in the middle of headers, is let go", async (t) => {
  const { socket, write } = await peer(t, { pings: { everyMs: 50, deadMs: 100 } });
  const closed = closing(socket);
  write(frame("headers", 0, 1, post()));
  await closed;
});

test("a body that was reset in the middle is no whole one", async (t) => {
  const { write, requests } = await peer(t);
  write(frame("headers", endHeaders, 1, post()), frame("data", 0, 1, Buffer.from("{}")));
  await eventually("it came", () => requests.length === 1);
  const events: string[] = [];
  const { request } = requests[0] ?? assert.fail();
  request.on("data", () => events.push("data"));
  request.on("end", () => events.push("end"));
  request.on("close", () => events.push("close"));
  await eventually("it is read", () => events.length === 1);
  write(frame("reset", 0, 1, Buffer.of(0, 0, 0, 8)));
  await eventually("it is over", () => events.includes("close"));
  assert.deepEqual(events, ["data", "close"]);
});

test("an answer that is broken off is no whole one for its reader", async (t) => {
  const { write, requests, heard } = await peer(t);
  write(frame("headers", endHeaders | endStream, 1, post()));
  await eventually("it came", () => requests.length === 1);
  const { response } = requests[0] ?? assert.fail();
  response.writeHead(200, ["content-type", "text/event-stream"]);
  response.write(Buffer.from("data: 1\n\n"));
  await eventually("its beginning came", () => heard.some(([type]) => type === types.data));
  response.destroy();
  await eventually("it is reset", () => heard.some(([type]) => type === types.reset));
  assert.equal(heard.filter(([type]) => type === types.data).length, 1);
});
