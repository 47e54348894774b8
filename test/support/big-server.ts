/**
 * An MCP server over HTTP with much to say. `tools/call` of: `declared` and `undeclared` answer with 50 MiB of
 * JSON, with its length or without; `event` and `events` with as much in one event or in many; `huge…` with more
 * than anybody takes; `hash` with the hash of what was sent; `together` when the test lets it. A GET and
 * `subscriptions/listen` are streams that stay silent until the test speaks.
 */
import { createHash } from "node:crypto";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

import { asEvent, bigBytes, eventsOf, longAnswer, mebi, notifications, shortAnswer } from "./big-payload.ts";
import { atEnd, type Cleanup } from "./cleanup.ts";

export interface BigServer {
  readonly url: string;
  /** Streams that are open and silent. */
  readonly silent: ReadonlySet<http.ServerResponse>;
  /** Calls of `together` that wait. */
  readonly waiting: readonly (() => void)[];
  /** Answers whose reader went before they were whole. */
  readonly abandoned: () => number;
}

interface Message {
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: { readonly name?: string };
}

const json = "application/json";
const events = "text/event-stream";

/** What a tool of that name answers; the bytes a client must end up with. */
export function bodyOf(
  name: string,
  id: unknown,
): { readonly type: string; readonly pieces: Iterable<Buffer> } {
  if (name === "event") return { type: events, pieces: asEvent(longAnswer(id, bigBytes)) };
  if (name === "events")
    return { type: events, pieces: eventsOf([...notifications(bigBytes, id), shortAnswer(id)]) };
  if (name === "declared" || name === "undeclared") return { type: json, pieces: longAnswer(id, bigBytes) };
  if (name.startsWith("huge")) return { type: json, pieces: longAnswer(id, 80 * mebi) };
  return { type: json, pieces: [shortAnswer(id)] };
}

export async function bigServer(t: Cleanup): Promise<BigServer> {
  const silent = new Set<http.ServerResponse>();
  const waiting: (() => void)[] = [];
  let abandoned = 0;
  const keepSilent = (response: http.ServerResponse): void => {
    response.writeHead(200, { "content-type": events }).flushHeaders();
    silent.add(response);
    response.once("close", () => silent.delete(response));
  };
  const answer = async (response: http.ServerResponse, message: Message, hash: string): Promise<void> => {
    const name = message.params?.name ?? "";
    if (message.method === "subscriptions/listen") return keepSilent(response);
    if (name === "hash") {
      response.writeHead(200, { "content-type": json });
      response.end(JSON.stringify({ jsonrpc: "2.0", id: message.id, result: { hash } }));
      return;
    }
    if (name === "together") await new Promise<void>((resolve) => waiting.push(resolve));
    const { type, pieces } = bodyOf(name, message.id);
    const length = name === "declared" || name === "huge-declared" ? { "content-length": sizeOf(name) } : {};
    response.writeHead(200, { "content-type": type, ...length });
    await pipeline(Readable.from(pieces), response).catch(() => (abandoned += 1));
  };
  const server = http.createServer((request, response) => {
    if (request.method === "GET") return keepSilent(response);
    const hash = createHash("sha256");
    const head: Buffer[] = [];
    request.on("data", (chunk: Buffer) => {
      hash.update(chunk);
      head.push(chunk);
    });
    request.on("end", () => {
      const message = JSON.parse(Buffer.concat(head).toString()) as Message;
      void answer(response, message, hash.digest("hex"));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
  return { url, silent, waiting, abandoned: () => abandoned };
}

/** Of the answer to id 1, which is the one that is asked for by a length. */
function sizeOf(name: string): number {
  let bytes = 0;
  for (const piece of bodyOf(name, 1).pieces) bytes += piece.length;
  return bytes;
}
