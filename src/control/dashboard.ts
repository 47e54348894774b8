/** The page and its API on loopback: static files, and JSON for whoever holds this start's token. */
import { readFile } from "node:fs/promises";
import http from "node:http";
import path from "node:path";

import { checkLoopbackRequest, isSameSecret } from "../host/net/loopback.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal, refusalRow } from "../kernel/refusal.ts";

export interface DashboardOptions {
  /** Folder of the built page; absent where only the API is served. */
  readonly page?: string;
  readonly token: string;
  /** GET routes below /api/, each answering with something JSON can say. */
  readonly routes: Readonly<Record<string, (query: URLSearchParams) => unknown>>;
  readonly log: Log;
}

const mediaTypes: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".json": "application/json",
};

const securityHeaders = {
  "content-security-policy":
    "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
} as const;

export function dashboard(options: DashboardOptions): http.Server {
  const serve = async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    const { status, type, body } = await answer(request, options).catch((error: unknown) =>
      problem(error, options.log),
    );
    const cache = type === mediaTypes[".json"] ? "no-store" : "no-cache";
    response.writeHead(status, { ...securityHeaders, "content-type": type, "cache-control": cache });
    response.end(request.method === "HEAD" ? undefined : body);
  };
  return http.createServer({ requestTimeout: 10_000 }, (request, response) => void serve(request, response));
}

interface Answered {
  readonly status: number;
  readonly type: string;
  readonly body: string | Uint8Array;
}

async function answer(request: http.IncomingMessage, options: DashboardOptions): Promise<Answered> {
  checkLoopbackRequest(request);
  if (request.method !== "GET" && request.method !== "HEAD") {
    throw new Refusal("method_not_allowed", "The page is only read.");
  }
  const url = URL.parse(request.url ?? "/", "http://localhost");
  if (url === null) return notFound();
  if (!url.pathname.startsWith("/api/")) {
    return options.page === undefined ? notFound() : await file(url.pathname, options.page);
  }
  const given = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
  if (!isSameSecret(given, options.token)) throw new Refusal("no_identity", "The token isn't this start's.");
  const name = url.pathname.slice("/api/".length);
  const route = Object.hasOwn(options.routes, name) ? options.routes[name] : undefined;
  if (route === undefined) return json(404, { error: "not_found", message: `There is no /api/${name}.` });
  return json(200, route(url.searchParams));
}

async function file(pathname: string, folder: string): Promise<Answered> {
  const name = path.normalize(pathname === "/" ? "/index.html" : pathname);
  const full = path.join(folder, name);
  const type = mediaTypes[path.extname(full)];
  // INVARIANT: nothing outside the page's folder is ever read.
  if (!full.startsWith(folder + path.sep) || type === undefined) return notFound();
  try {
    return { status: 200, type, body: await readFile(full) };
  } catch {
    return notFound();
  }
}

function notFound(): Answered {
  return { status: 404, type: "text/plain; charset=utf-8", body: "There is no such page.\n" };
}

function problem(error: unknown, log: Log): Answered {
  if (error instanceof Refusal) {
    return json(refusalRow(error.code).http, { error: error.code, message: error.message });
  }
  log.error("dashboard.fault", { stack: error instanceof Error ? (error.stack ?? "") : "not an error" });
  return json(500, { error: "fault", message: "The page failed inside the gateway; its log says why." });
}

function json(status: number, body: unknown): Answered {
  return { status, type: "application/json", body: JSON.stringify(body) };
}
