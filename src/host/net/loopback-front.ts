/** The front of `connect --http`: HTTP on loopback, under a path that holds this start's token; bytes in, bytes out. */
import http from "node:http";

import { utf8 } from "../../kernel/bytes.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal, refusalRow } from "../../kernel/refusal.ts";
import { checkContent, endWith, readBody, writeTo } from "./body.ts";
import { forwardable, withLength } from "./headers.ts";
import type { HttpAnswer, HttpRequest } from "./http-exchange.ts";
import { checkLoopbackRequest, isSameSecret } from "./loopback.ts";
import type { SseFront } from "./sse-front.ts";

/** What a front on loopback needs. */
export interface FrontOptions {
  readonly send: (request: Omit<HttpRequest, "path">) => Promise<HttpAnswer>;
  readonly token: string;
  readonly maxBodyBytes: number;
  readonly log: Log;
}

export interface LoopbackFrontOptions extends FrontOptions {
  /** Who serves the clients of HTTP+SSE. */
  readonly sse: SseFront;
}

export function loopbackFront(options: LoopbackFrontOptions): http.Server {
  const server = http.createServer({ requestTimeout: 60_000, headersTimeout: 15_000 });
  server.on("request", (request, response) => {
    void forward(request, response, options).catch((error: unknown) => refuse(response, error, options.log));
  });
  return server;
}

async function forward(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  options: LoopbackFrontOptions,
): Promise<void> {
  checkLoopbackRequest(request);
  const [, given, path, session] =
    /^\/([^/?]+)\/(mcp|sse|messages\/([\w-]+))\/?$/.exec(request.url ?? "") ?? [];
  if (path === undefined || !isSameSecret(given, options.token)) {
    throw new Refusal(
      "no_identity",
      "The token in this URL isn't this start's; take the URL that `connect` printed.",
    );
  }
  if (path === "sse") options.sse.open(request, response);
  else if (session !== undefined) await options.sse.post(session, request, response);
  else await exchangeOne(request, response, options);
}

async function exchangeOne(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  options: LoopbackFrontOptions,
): Promise<void> {
  const { method } = request;
  if (method !== "POST" && method !== "GET" && method !== "DELETE") {
    throw new Refusal("method_not_allowed", "MCP uses POST, GET and DELETE.");
  }
  if (method === "POST") checkContent(request);
  await sendOn({ method, headers: outgoing(request) }, { request, response }, options);
}

/** Sends a client's request through the tunnel, and writes what comes back; a client that leaves takes it along. */
export async function sendOn(
  head: Pick<HttpRequest, "method" | "headers">,
  { request, response }: { readonly request: http.IncomingMessage; readonly response: http.ServerResponse },
  options: FrontOptions,
): Promise<void> {
  const body = head.method === "POST" ? await readBody(request, options.maxBodyBytes) : undefined;
  const gone = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) gone.abort();
  });
  const answer = await options.send({ ...head, ...(body !== undefined && { body }), gone: gone.signal });
  await pass(answer, response);
}

/** Writes an answer as it came, a long one or a stream as it comes. */
async function pass(answer: HttpAnswer, response: http.ServerResponse): Promise<void> {
  const { status, headers } = answer;
  if (answer.kind === "whole") {
    response.writeHead(status, withLength(status, headers, answer.body.length));
    endWith(response, answer.body);
    return;
  }
  response.writeHead(
    status,
    withLength(status, headers, answer.kind === "long" ? answer.bodyBytes : undefined),
  );
  response.flushHeaders();
  try {
    for await (const chunk of answer.chunks) await writeTo(response, chunk);
    endWith(response);
  } catch {
    response.destroy(); // Broken off there, broken off here.
  }
}

function outgoing(request: http.IncomingMessage): string[] {
  const session = request.headers["mcp-session-id"];
  return [
    ...forwardable(request.rawHeaders),
    ...(typeof session === "string" ? ["mcp-session-id", session] : []),
  ];
}

/** Answers with what went wrong; the caller may see the message of a refusal alone. */
export function refuse(response: http.ServerResponse, error: unknown, log: Log): void {
  const refusal = error instanceof Refusal ? error : undefined;
  if (refusal === undefined)
    log.error("front.fault", { stack: error instanceof Error ? (error.stack ?? "") : "" });
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { rpc, http: status } = refusal === undefined ? { rpc: -32603, http: 500 } : refusalRow(refusal.code);
  const message = refusal?.message ?? "Internal error in the sidecar; its log says why.";
  const body = utf8(JSON.stringify({ jsonrpc: "2.0", id: null, error: { code: rpc, message } }));
  response.shouldKeepAlive = false;
  response.writeHead(status, { "content-type": "application/json", "content-length": body.length });
  response.end(body);
}
