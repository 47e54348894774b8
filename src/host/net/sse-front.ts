/**
 * The front of `connect --http` for clients of HTTP+SSE (MCP 2024-11-05, transports): a stream each, whose first event says
 * where to POST. The client's session is the stream, and ends with it.
 */
import { randomBytes } from "node:crypto";
import type http from "node:http";

import { utf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { readFrame } from "../../wire/frame.ts";
import { writeSseEvent } from "../../wire/sse.ts";
import { MessageFront, type MessageFrontOptions } from "../message-front.ts";
import { drained, readBody } from "./body.ts";
import { isMediaType } from "./headers.ts";
import { isSameSecret } from "./loopback.ts";

export interface SseFrontOptions extends Omit<MessageFrontOptions, "write"> {
  /** Under which the front is served; what clients are told to POST to begins with it. */
  readonly path: string;
  readonly maxBodyBytes: number;
  /** What may wait for a client that doesn't read; one for which more waits is cut off. */
  readonly maxUnreadBytes: number;
}

/** Who is asked has checked already that the request may come in; both throw Refusals. */
export interface SseFront {
  readonly open: (request: http.IncomingMessage, response: http.ServerResponse) => void;
  readonly post: (
    session: string,
    request: http.IncomingMessage,
    response: http.ServerResponse,
  ) => Promise<void>;
  /** Takes leave of all clients; resolves when their sessions are ended. */
  readonly close: () => Promise<void>;
}

/** Clients of one sidecar: each holds a stream here and a session behind. */
const maxClients = 64;

export function sseFront(options: SseFrontOptions): SseFront {
  /** By the part of the path that is theirs. */
  const clients = new Map<string, MessageFront>();
  const ending = new Set<Promise<void>>();
  const leave = (session: string, client: MessageFront): void => {
    if (!clients.delete(session)) return;
    const end = client.end(0).finally(() => ending.delete(end)); // Nobody is left to be answered.
    ending.add(end);
  };
  return {
    open: (request, response) => {
      if (request.method !== "GET") {
        throw new Refusal("method_not_allowed", "This is where HTTP+SSE opens its stream, with GET.");
      }
      if (clients.size >= maxClients) {
        throw new Refusal("busy", `${maxClients} clients are connected already; close one first.`);
      }
      const session = randomBytes(24).toString("base64url");
      const client = new MessageFront({ ...options, write: writer(response, options.maxUnreadBytes) });
      clients.set(session, client);
      response.once("close", () => leave(session, client));
      response.writeHead(200, {
        "content-type": "text/event-stream",
        "cache-control": "no-cache, no-transform",
        "x-accel-buffering": "no",
      });
      response.write(writeSseEvent({ event: "endpoint", data: utf8(`${options.path}/messages/${session}`) }));
    },
    post: async (session, request, response) => {
      const find = (): MessageFront => {
        const [, client] = [...clients].find(([name]) => isSameSecret(session, name)) ?? [];
        if (client !== undefined) return client;
        throw new Refusal("no_such_session", "The stream of this session has ended.");
      };
      find();
      if (request.method !== "POST") throw new Refusal("method_not_allowed", "Messages are sent with POST.");
      if (!isMediaType(request.headers["content-type"], "application/json")) {
        throw new Refusal("bad_media_type", "Expected Content-Type application/json.");
      }
      const message = readFrame(await readBody(request, options.maxBodyBytes));
      find().takeFrame(message); // It may have gone meanwhile.
      response.writeHead(202, { "content-length": 0 }).end();
    },
    close: async () => {
      for (const [session, client] of clients) leave(session, client);
      await Promise.all(ending);
    },
  };
}

/** Writes messages as events. Who reads slowly slows down those who write; who lets too much wait is cut off. */
function writer(response: http.ServerResponse, maxUnreadBytes: number): MessageFrontOptions["write"] {
  let draining: Promise<void> | undefined;
  return async (message) => {
    if (response.writableLength > maxUnreadBytes) response.destroy();
    if (response.destroyed) return;
    if (response.write(writeSseEvent({ event: "message", data: message }))) return;
    await (draining ??= drained(response).finally(() => (draining = undefined)));
  };
}
