/** One plain HTTP request through the proxy (RFC 9112 §3.2.2), sent on over a connection of its own. */
import http from "node:http";
import type { Socket } from "node:net";
import { finished, PassThrough } from "node:stream";
import { pipeline } from "node:stream/promises";

import { type Destination, readDestination } from "../../policy/egress/destination.ts";
import { dial } from "./dial.ts";
import { type Crossing, type EgressDesk, EgressRefusal } from "./egress-desk.ts";
import { counted, CutShort } from "./tunnel.ts";

/** RFC 9110 §7.6.1, and what a proxy is told alone. */
const hopByHop = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
const idleMs = 300_000;

/** @throws EgressRefusal */
export async function forwardPlain(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  desk: EgressDesk,
): Promise<void> {
  const { destination, path } = targetOf(request.url ?? "", desk);
  const crossing = await desk.open(destination, "http");
  try {
    await send({ request, response, destination, path }, crossing);
    crossing.ended();
  } catch (error) {
    const because = error instanceof CutShort || error instanceof EgressRefusal ? error.message : undefined;
    crossing.ended(because);
    throw error instanceof CutShort ? new EgressRefusal(403, error.message, error) : error;
  }
}

interface Sending {
  readonly request: http.IncomingMessage;
  readonly response: http.ServerResponse;
  readonly destination: Destination;
  readonly path: string;
}

async function send(sending: Sending, crossing: Crossing): Promise<void> {
  const { socket, address } = await dial(crossing.addresses, sending.destination.port);
  try {
    crossing.reached(address);
    await exchange(sending, socket, crossing);
  } finally {
    socket.destroy();
  }
}

async function exchange(
  { request, response, destination, path }: Sending,
  socket: Socket,
  crossing: Crossing,
): Promise<void> {
  const headers = [...withoutHops(request), "host", hostHeader(destination)];
  const headBytes = headers.reduce((sum, text) => sum + text.length + 2, path.length + 16);
  const because = crossing.moved("sent", headBytes);
  if (because !== undefined) throw new CutShort(because);
  const sent = http.request({
    createConnection: () => socket,
    method: request.method ?? "GET",
    path,
    headers,
    setHost: false,
  });
  const answered = Promise.withResolvers<http.IncomingMessage>();
  // It may err again when its answer is under way, which the pipelines see.
  sent.once("response", answered.resolve).on("error", answered.reject);
  // An answer that goes over to another protocol is none, and Node only closes then.
  sent.once("close", () => answered.reject(new EgressRefusal(502, "The destination broke off.")));
  socket.setTimeout(idleMs, () => sent.destroy(new CutShort("nothing moved for five minutes")));
  response.once("close", () => sent.destroy());
  const upload = pipeline(bodyOf(request), counted(crossing, "sent"), sent);
  const answer = await Promise.race([answered.promise, upload.then(() => answered.promise)]);
  response.writeHead(answer.statusCode ?? 502, withoutHops(answer));
  // A cut upload ends its answer, too.
  await Promise.all([upload, pipeline(answer, counted(crossing, "received"), response)]);
}

/** Ends with the request; when it is ended itself, the request stays as it is, for its refusal to be read. */
function bodyOf(request: http.IncomingMessage): PassThrough {
  const body = request.pipe(new PassThrough());
  finished(request, (error) => void (error && body.destroy(error)));
  return body;
}

function targetOf(
  text: string,
  desk: EgressDesk,
): { readonly destination: Destination; readonly path: string } {
  const match = /^http:\/\/(?<authority>[^/?#@\\]{1,300})(?<path>[/?][\x21-\x22\x24-\x7e]*)?$/i.exec(text);
  const read = readDestination(match?.groups?.["authority"] ?? "", 80);
  if (match === null || read.kind === "wrong") {
    desk.misread("a request without a destination");
    throw new EgressRefusal(
      400,
      "This is a proxy: expected CONNECT host:port, or a request for an absolute http:// URL without user and password.",
    );
  }
  const path = match.groups?.["path"] ?? "/";
  return { destination: read, path: path.startsWith("/") ? path : `/${path}` };
}

/** Names and values in turn, without what is for this hop alone and the Host header of a stranger's choice. */
function withoutHops(message: http.IncomingMessage): string[] {
  const named = (message.headers.connection ?? "").split(",").map((name) => name.trim().toLowerCase());
  const isDropped = (name: string): boolean => name === "host" || hopByHop.has(name) || named.includes(name);
  const kept: string[] = [];
  for (let at = 0; at + 1 < message.rawHeaders.length; at += 2) {
    const [name = "", value = ""] = message.rawHeaders.slice(at, at + 2);
    if (!isDropped(name.toLowerCase())) kept.push(name, value);
  }
  return kept;
}

function hostHeader({ host, port }: Destination): string {
  const shown = host.includes(":") ? `[${host}]` : host;
  return port === 80 ? shown : `${shown}:${port}`;
}
