/** What guards an HTTP server on loopback from the web pages and the other users of this machine. */
import type http from "node:http";

import { equalInConstantTime, utf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";

const loopbackHosts: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"]);

/**
 * DNS rebinding: a page of another site can make a browser connect here, but not with our Host and Origin.
 * @param own the address that is served, if it may be asked for by itself
 * @throws Refusal `bad_origin`
 */
export function checkLoopbackRequest(request: http.IncomingMessage, own?: string): void {
  const { host, origin } = request.headers;
  const asked = host?.replace(/:\d+$/, "").toLowerCase();
  if (asked === undefined || (asked !== own && !loopbackHosts.has(asked))) {
    throw new Refusal("bad_origin", "This address serves localhost only; the Host header names another.");
  }
  if (origin !== undefined && !isLoopbackOrigin(origin)) {
    throw new Refusal("bad_origin", "This address serves localhost only; the Origin header names another.");
  }
}

/** @param host as `URL` writes it */
export function isLoopbackHost(host: string): boolean {
  return loopbackHosts.has(host);
}

export function isSameSecret(given: string | undefined, expected: string): boolean {
  return given !== undefined && equalInConstantTime(utf8(given), utf8(expected));
}

function isLoopbackOrigin(origin: string): boolean {
  const url = URL.parse(origin);
  return (
    url !== null && (url.protocol === "http:" || url.protocol === "https:") && loopbackHosts.has(url.hostname)
  );
}
