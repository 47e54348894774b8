/** The page and its API on loopback: static files, and JSON for whoever holds this start's token, who may change things too. */
import { readFile } from "node:fs/promises";
import http from "node:http";
import path from "node:path";

import { checkContent, readBody } from "../host/net/body.ts";
import { checkLoopbackRequest, isSameSecret } from "../host/net/loopback.ts";
import { fromUtf8 } from "../kernel/bytes.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal, refusalRow } from "../kernel/refusal.ts";

export interface DashboardOptions {
  /** Folder of the built page; absent where only the API is served. */
  readonly page?: string;
  readonly token: string;
  /** People with tokens of their own, and the routes that are open to them; absent where there are none. */
  readonly people?: {
    readonly nameOf: (token: string) => string | undefined;
    readonly may: ReadonlySet<string>;
  };
  /** GET routes below /api/, each answering with something JSON can say. INVARIANT: they change nothing. */
  readonly routes: Readonly<Record<string, (query: URLSearchParams, login: Login) => unknown>>;
  /** POST routes below /api/, each given what the body says, JSON. */
  readonly changes: Readonly<Record<string, (body: unknown, login: Login) => unknown>>;
  readonly log: Log;
}

/** Who asks: `operator` with this start's token, or a person. */
type Login = string;

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
  const { method } = request;
  const isRead = method === "GET" || method === "HEAD";
  if (!isRead && method !== "POST") throw new Refusal("method_not_allowed", "Expected GET or POST.");
  const url = URL.parse(request.url ?? "/", "http://localhost");
  if (url === null) return notFound();
  if (url.pathname.startsWith("/api/")) {
    const login = loginOf(request, url, options);
    return isRead ? read(url, login, options) : await change(request, url, { ...options, login });
  }
  if (!isRead) throw new Refusal("method_not_allowed", "The page is only read.");
  return options.page === undefined ? notFound() : await file(url.pathname, options.page);
}

/** @throws Refusal `no_identity`, and `denied` for a person where only the operator may */
function loginOf({ headers }: http.IncomingMessage, url: URL, { token, people }: DashboardOptions): Login {
  const given = /^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1];
  if (isSameSecret(given, token)) return "operator";
  const person = given === undefined ? undefined : people?.nameOf(given);
  if (person === undefined) throw new Refusal("no_identity", "The token isn't this start's.");
  if (people?.may.has(nameIn(url)) === true) return person;
  throw new Refusal("denied", `${url.pathname} isn't open to ${person}.`);
}

function read(url: URL, login: Login, { routes, changes }: DashboardOptions): Answered {
  const route = routeOf(routes, url);
  return route === undefined ? noRoute(url, changes, "POST") : json(200, route(url.searchParams, login));
}

async function change(
  request: http.IncomingMessage,
  url: URL,
  { routes, changes, login }: DashboardOptions & { readonly login: Login },
): Promise<Answered> {
  const route = routeOf(changes, url);
  return route === undefined ? noRoute(url, routes, "GET") : json(200, route(await said(request), login));
}

/** @throws Refusal `method_not_allowed` if there is one by the other method */
function noRoute(
  url: URL,
  others: DashboardOptions["changes"] | DashboardOptions["routes"],
  method: string,
): Answered {
  const isOther = Object.hasOwn(others, nameIn(url));
  if (isOther) throw new Refusal("method_not_allowed", `Expected ${method} for ${url.pathname}.`);
  return json(404, { error: "not_found", message: `There is no ${url.pathname}.` });
}

function routeOf<T>(routes: Readonly<Record<string, T>>, url: URL): T | undefined {
  const name = nameIn(url);
  return Object.hasOwn(routes, name) ? routes[name] : undefined;
}

function nameIn({ pathname }: URL): string {
  return pathname.slice("/api/".length);
}

/** Longest change that can be asked for: the names of a few thousand tools. */
const maxChangeBytes = 256 * 1024;

/** @throws Refusal `bad_json`, `bad_media_type`, `too_large` */
async function said(request: http.IncomingMessage): Promise<unknown> {
  checkContent(request);
  const text = fromUtf8(await readBody(request, maxChangeBytes));
  try {
    return JSON.parse(text ?? "");
  } catch (cause) {
    throw new Refusal("bad_json", "Expected JSON.", { cause });
  }
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
