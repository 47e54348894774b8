/**
 * The front of `connect --forward`: an HTTP proxy on loopback (RFC 9112 §3.2.2, absolute-form). The client keeps the
 * server's own URL, so what it compares with that URL (RFC 9728, RFC 8707) stays true.
 */
import http from "node:http";

import { Refusal } from "../../kernel/refusal.ts";
import { targetHeader } from "../../wire/target-url.ts";
import { checkNoBody, forwardedHeaders } from "./forward-request.ts";
import { isSameSecret } from "./loopback.ts";
import { type FrontOptions, refuse, sendOn } from "./loopback-front.ts";

const challenge = 'Basic realm="latticegate"';
const needsToken = "This proxy takes this start's password; use the URL that `connect --forward` printed.\n";
const noTunnels =
  "https stays encrypted end to end, so its calls can't be judged or recorded here; this proxy takes http alone.\n";

/** The token is the proxy's password; any user name goes with it. */
export function forwardFront(options: FrontOptions): http.Server {
  const server = http.createServer({ requestTimeout: 60_000, headersTimeout: 15_000 });
  server.on("request", (request, response) => {
    void forward(request, response, options).catch((error: unknown) => refuse(response, error, options.log));
  });
  server.on("connect", (_request, socket) => {
    socket.on("error", () => undefined);
    const head = `HTTP/1.1 501 Not Implemented\r\nContent-Type: text/plain\r\nContent-Length: ${noTunnels.length}`;
    socket.end(`${head}\r\nConnection: close\r\n\r\n${noTunnels}`);
  });
  return server;
}

async function forward(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  options: FrontOptions,
): Promise<void> {
  const { method, url = "" } = request;
  // A page that was led here by DNS rebinding asks for a path: only who means a proxy writes a whole URL.
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(url)) {
    throw new Refusal(
      "bad_origin",
      "This is an HTTP proxy; name it in HTTP_PROXY, it serves nothing itself.",
    );
  }
  if (!isSameSecret(password(request.headers["proxy-authorization"]), options.token)) {
    response.writeHead(407, {
      "proxy-authenticate": challenge,
      "content-type": "text/plain",
      connection: "close",
    });
    response.end(needsToken);
    return;
  }
  if (method !== "POST" && method !== "GET" && method !== "DELETE") {
    throw new Refusal("method_not_allowed", "MCP and its authorization use POST, GET and DELETE.");
  }
  checkNoBody(request);
  await sendOn({ method, headers: outgoing(request, url) }, { request, response }, options);
}

function outgoing({ headers, rawHeaders }: http.IncomingMessage, url: string): string[] {
  const session = headers["mcp-session-id"];
  return [
    targetHeader,
    url,
    ...forwardedHeaders(rawHeaders),
    ...(typeof session === "string" ? ["mcp-session-id", session] : []),
  ];
}

/** RFC 7617; undefined if there is none. */
function password(authorization: string | undefined): string | undefined {
  const encoded = /^basic +([A-Za-z0-9+/]+=*)$/i.exec(authorization ?? "")?.[1];
  if (encoded === undefined) return undefined;
  const credentials = Buffer.from(encoded, "base64").toString();
  const colon = credentials.indexOf(":");
  return colon === -1 ? undefined : credentials.slice(colon + 1);
}
