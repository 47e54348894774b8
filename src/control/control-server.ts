/** The control room on HTTP: the page's files, the API, its live stream, and whether the gateway is healthy. */
import { readFile } from "node:fs/promises";
import http from "node:http";
import path from "node:path";

import { checkContent, readBody } from "../host/net/body.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type ApiAnswer, apiRoot, type ControlApi, problemAnswer } from "./api.ts";
import type { EventStream, LiveEvent } from "./event-stream.ts";
import { type From, type Login, may } from "./login.ts";
import type { Area } from "./route.ts";

/** Who asks, and from where. */
interface Admitted {
  /** Undefined: a stranger. */
  readonly login: Login | undefined;
  readonly from: From;
  /** The secret of the session it asks in. */
  readonly session?: string | undefined;
}

/**
 * By sessions, tokens, sockets.
 * @param isChange whether it would change something, and has to come from the session's own page
 * @throws Refusal `bad_origin` if another site's page, or a name that isn't ours, brought the request here;
 * `too_many_requests`
 */
export type Admission = (request: http.IncomingMessage, isChange: boolean) => Admitted;

export interface ControlServerOptions {
  /** Folder of the built page; absent where only the API is served. */
  readonly page?: string;
  readonly api: ControlApi;
  readonly stream: EventStream;
  readonly admission: Admission;
  /** Further headers of every answer. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether a call of a tool works. */
  readonly isHealthy: () => Promise<boolean>;
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
    "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
} as const;

/** Longest change that can be asked for: a policy, or the names of a few thousand tools. */
const maxChangeBytes = 1024 * 1024;
const maxStreams = 64;
/** What a reader that doesn't keep up may leave unread. */
const maxUnreadBytes = 4 * 1024 * 1024;

export function controlServer(options: ControlServerOptions): http.Server {
  const serve = async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    const { status, headers, body } = await answer(request, response, options).catch((error: unknown) =>
      problemAnswer(error, options.log),
    );
    if (response.headersSent) return;
    response.writeHead(status, {
      ...securityHeaders,
      ...options.headers,
      "cache-control": "no-store",
      ...headers,
    });
    response.end(request.method === "HEAD" ? undefined : body);
  };
  return http.createServer({ requestTimeout: 10_000 }, (request, response) => void serve(request, response));
}

const streaming: ApiAnswer = { status: 200, headers: {}, body: "" };

async function answer(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  options: ControlServerOptions,
): Promise<ApiAnswer> {
  const pathname = URL.parse(request.url ?? "/", "http://localhost")?.pathname ?? "/";
  if (pathname === "/health") return await health(options);
  const isRead = request.method === "GET" || request.method === "HEAD";
  const admitted = options.admission(request, !isRead);
  if (pathname === `${apiRoot}/stream` && isRead)
    return follow(request, response, { ...options, login: admitted.login });
  if (pathname.startsWith(`${apiRoot}/`)) return await asked(request, admitted, options.api);
  if (pathname.startsWith("/api/")) throw new Refusal("no_identity", `The API is at ${apiRoot}.`);
  if (!isRead) throw new Refusal("method_not_allowed", "The page is only read.");
  return options.page === undefined ? notFound() : await file(pathname, options.page);
}

async function asked(request: http.IncomingMessage, admitted: Admitted, api: ControlApi): Promise<ApiAnswer> {
  return await api.answer({
    ...admitted,
    method: request.method ?? "GET",
    url: request.url ?? "/",
    host: request.headers.host,
    ifNoneMatch: request.headers["if-none-match"],
    body: () => said(request),
  });
}

/** @throws Refusal `bad_media_type`, `too_large` */
async function said(request: http.IncomingMessage): Promise<Uint8Array> {
  const bytes = await readBody(request, maxChangeBytes);
  if (bytes.length > 0) checkContent(request);
  return bytes;
}

async function health({ isHealthy }: ControlServerOptions): Promise<ApiAnswer> {
  const isWell = await isHealthy();
  return {
    status: isWell ? 200 : 503,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ status: isWell ? "healthy" : "unhealthy" }),
  };
}

/** Sends what happens, until the reader goes or doesn't keep up; it comes back by itself then. */
function follow(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  { stream, login, headers }: ControlServerOptions & { readonly login: Login | undefined },
): ApiAnswer {
  const isShown = shownTo(login);
  if (isShown === undefined) throw new Refusal("no_identity", "Log in first.");
  if (stream.listeners() >= maxStreams) throw new Refusal("busy", "Too many pages are open.");
  response.writeHead(200, {
    ...securityHeaders,
    ...headers,
    "cache-control": "no-store",
    "content-type": "text/event-stream",
  });
  response.write("retry: 2000\n\n");
  const after = request.headers["last-event-id"];
  const send = (sent: LiveEvent): void => {
    const { id, event, data } = sent;
    if (!isShown(sent)) return;
    if (response.writableLength > maxUnreadBytes) response.destroy();
    else response.write(`id: ${id}\nevent: ${event}\ndata: ${data}\n\n`);
  };
  const end = stream.subscribe(typeof after === "string" ? after : undefined, send);
  response.on("close", end);
  return streaming;
}

/** Who only approves is told that there is something to approve, and nothing of calls. */
function shownTo(login: Login | undefined): ((event: LiveEvent) => boolean) | undefined {
  if (login === undefined) return undefined;
  if (may(login, "viewer")) return () => true;
  if (!may(login, "approver")) return undefined;
  return ({ event, data }) => event === "reset" || (event === "changed" && data === approvalsChanged);
}

const approvalsChanged = JSON.stringify({ what: "approvals" satisfies Area });

/** What the build makes; all else are places within the page, whose last part may be a name with a dot. */
const builtFile = /^\/(?:assets\/)?[^/]+\.\w+$/;

async function file(pathname: string, folder: string): Promise<ApiAnswer> {
  const name = builtFile.test(pathname) ? path.normalize(pathname) : "/index.html";
  const full = path.join(folder, name);
  const type = mediaTypes[path.extname(full)];
  // INVARIANT: nothing outside the page's folder is ever read.
  if (!full.startsWith(folder + path.sep) || type === undefined) return notFound();
  // The build names files of assets/ by what they hold.
  const cache = name.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "no-cache";
  try {
    return {
      status: 200,
      headers: { "content-type": type, "cache-control": cache },
      body: await readFile(full),
    };
  } catch {
    return notFound();
  }
}

function notFound(): ApiAnswer {
  return {
    status: 404,
    headers: { "content-type": "text/plain; charset=utf-8" },
    body: "There is no such page.\n",
  };
}
