/** The control API, whatever it is asked through: finds the route, asks who may, reads what is said, answers. */
import { z } from "zod";

import { sha256Base64url } from "../crypto/hash.ts";
import { fromUtf8 } from "../kernel/bytes.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type From, type Login, may } from "./login.ts";
import { openApiDocument } from "./openapi-document.ts";
import { headersOf, type Problem, problem, problemMediaType, problemOf } from "./problem.ts";
import { type Area, type Download, Reply, type Route, route } from "./route.ts";

export const apiRoot = "/api/v1";

interface ApiRequest {
  readonly method: string;
  /** As it came, its query with it: `/api/v1/calls?limit=5`. */
  readonly url: string;
  readonly ifNoneMatch?: string | undefined;
  /** Undefined: nobody whom the gateway knows. */
  readonly login: Login | undefined;
  readonly from: From;
  /** Whom it means to ask, by name and port. */
  readonly host?: string | undefined;
  /** The secret of the session it asks in. */
  readonly session?: string | undefined;
  /** @throws Refusal `too_large`, `bad_media_type` */
  readonly body: () => Promise<Uint8Array>;
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** What was asked for by a route that changes something, and what came of it; for the audit log. */
export interface Action {
  readonly login: Login;
  /** `POST /incidents/{id}/close` */
  readonly route: string;
  /** The code of the refusal; undefined: it was done. */
  readonly refused: string | undefined;
  /** Which of several such things was changed, where the route says it. */
  readonly about?: string | undefined;
}

export interface ApiOptions {
  readonly routes: readonly Route[];
  readonly version: string;
  readonly log: Log;
  /** Each action of a login, done or refused. */
  readonly acted: (action: Action) => void;
  readonly changed: (what: Area) => void;
}

export interface ControlApi {
  readonly answer: (request: ApiRequest) => Promise<ApiAnswer>;
  readonly routes: readonly Route[];
}

export function controlApi({ routes: given, version, ...options }: ApiOptions): ControlApi {
  const routes: Route[] = [...given];
  const document = route({
    method: "GET",
    path: "/openapi.json",
    summary: "This API as an OpenAPI 3.1 document.",
    tag: "status",
    role: "viewer",
    answer: z.record(z.string(), z.unknown()),
    handle: () => openApiDocument(routes, version),
  });
  routes.push(document);
  const find = finder(routes);
  const answer = async (request: ApiRequest): Promise<ApiAnswer> => {
    try {
      return await answered(request, find, options);
    } catch (error) {
      return problemAnswer(error, options.log);
    }
  };
  return { answer, routes };
}

interface Found {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

async function answered(
  request: ApiRequest,
  find: (method: string, pathname: string) => Found | readonly string[],
  options: Pick<ApiOptions, "acted" | "changed">,
): Promise<ApiAnswer> {
  const url = URL.parse(request.url, "http://localhost");
  const method = request.method === "HEAD" ? "GET" : request.method;
  const pathname = url?.pathname.slice(apiRoot.length) ?? "";
  const found = find(method, pathname);
  const { login } = request;
  if ("route" in found) {
    const query = url?.searchParams ?? new URLSearchParams();
    const asking = { ...found, query, login: allowed(found.route, login) };
    return found.route.method === "GET"
      ? await performed(request, asking)
      : await recorded(request, asking, options);
  }
  // Strangers aren't told which routes there are.
  if (login === undefined) throw nobody();
  return said(notThere(pathname, found));
}

interface Asking extends Found {
  readonly query: URLSearchParams;
  readonly login: Login;
}

/** A change, whose end is told, whatever it is. */
async function recorded(
  request: ApiRequest,
  asking: Asking,
  { acted, changed }: Pick<ApiOptions, "acted" | "changed">,
): Promise<ApiAnswer> {
  const { route: asked, login } = asking;
  const action = { login, route: `${asked.method} ${asked.path}` };
  try {
    const { about, ...done } = await performed(request, asking);
    acted({ ...action, refused: undefined, about });
    if (asked.touches !== undefined) changed(asked.touches);
    return done;
  } catch (error) {
    acted({ ...action, refused: error instanceof Refusal ? error.code : "fault" });
    throw error;
  }
}

async function performed(
  request: ApiRequest,
  { route: asked, login, params, query }: Asking,
): Promise<ApiAnswer & Pick<Action, "about">> {
  const { method, path, role } = asked;
  if (role !== "public" && !may(login, role)) {
    const needed = [role].flat().join(" or ");
    throw new Refusal("denied", `${method} ${path} needs the role ${needed}; ${login.name} hasn't got it.`);
  }
  const body = method === "GET" ? undefined : readJson(await request.body());
  const { from, host = "", session, ifNoneMatch } = request;
  const result = await asked.run({ params, query, body, login, from, host, session });
  if (!(result instanceof Reply)) return whole(asked, result, ifNoneMatch);
  const done = whole(asked, result.body, ifNoneMatch);
  return { ...done, headers: { ...done.headers, ...result.headers }, about: result.about };
}

const stranger: Login = { name: "nobody", roles: new Set(), by: "link" };

/** @throws Refusal `no_identity` */
function allowed({ role }: Route, login: Login | undefined): Login {
  if (login !== undefined) return login;
  if (role === "public") return stranger;
  throw nobody();
}

function nobody(): Refusal {
  return new Refusal("no_identity", 'Log in first; "latticegate login" prints a link.');
}

function notThere(pathname: string, otherMethods: readonly string[]): Problem {
  return otherMethods.length === 0
    ? problem(404, "not_found", `There is no ${apiRoot}${pathname.slice(0, 200)}.`)
    : problem(405, "method_not_allowed", `Expected ${otherMethods.join(" or ")}.`);
}

function readJson(bytes: Uint8Array): unknown {
  if (bytes.length === 0) return undefined;
  try {
    return JSON.parse(fromUtf8(bytes) ?? "");
  } catch (cause) {
    throw new Refusal("bad_json", "Expected JSON.", { cause });
  }
}

/** An answer with its ETag, or that nothing is different. */
function whole({ method, answer }: Route, result: unknown, ifNoneMatch: string | undefined): ApiAnswer {
  if (typeof answer === "string") {
    const { name, body } = result as Download;
    const headers = { "content-type": answer, "content-disposition": `attachment; filename="${name}"` };
    return { status: 200, headers, body };
  }
  const body = JSON.stringify(result);
  const headers = { "content-type": "application/json" };
  if (method !== "GET") return { status: 200, headers, body };
  const etag = `"${sha256Base64url(body).slice(0, 22)}"`;
  const isKnown = ifNoneMatch?.split(",").some((each) => each.trim().replace(/^W\//, "") === etag);
  if (isKnown === true) return { status: 304, headers: { etag }, body: "" };
  return { status: 200, headers: { ...headers, etag }, body };
}

/** What went wrong, as it may be told. */
export function problemAnswer(error: unknown, log: Log): ApiAnswer {
  const answer = said(problemOf(error) ?? fault(error, log));
  return { ...answer, headers: { ...answer.headers, ...headersOf(error) } };
}

function said(what: Problem): ApiAnswer {
  return {
    status: what.status,
    headers: { "content-type": problemMediaType },
    body: JSON.stringify(what),
  };
}

function fault(error: unknown, log: Log): Problem {
  log.error("control.fault", { stack: error instanceof Error ? (error.stack ?? "") : "not an error" });
  return problem(500, "fault", "The gateway failed at this; its log says why.");
}

/** @returns a route and its parameters, or the other methods there are for that path */
function finder(routes: readonly Route[]): (method: string, pathname: string) => Found | readonly string[] {
  const split = routes.map((each) => ({ route: each, parts: each.path.split("/") }));
  // A name as it stands goes before one in braces.
  split.sort((a, b) => Number(a.route.path.includes("{")) - Number(b.route.path.includes("{")));
  return (method, pathname) => {
    const asked = pathname.split("/");
    const others: string[] = [];
    for (const { route: each, parts } of split) {
      const params = match(parts, asked);
      if (params === undefined) continue;
      if (each.method === method) return { route: each, params };
      others.push(each.method);
    }
    return others;
  };
}

function match(
  parts: readonly string[],
  asked: readonly string[],
): Readonly<Record<string, string>> | undefined {
  if (parts.length !== asked.length) return undefined;
  const params: [string, string][] = [];
  for (const [i, part] of parts.entries()) {
    const given = asked[i] ?? "";
    if (!part.startsWith("{")) {
      if (part !== given) return undefined;
      continue;
    }
    const value = decoded(given);
    if (value === undefined || value === "") return undefined;
    params.push([part.slice(1, -1), value]);
  }
  return Object.fromEntries(params);
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
