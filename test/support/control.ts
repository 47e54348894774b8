/** The control API, asked as its clients ask: route by route, or at a running gateway. */
import { Agent, fetch, type Headers } from "undici";

import type { Login, Role } from "../../src/control/login.ts";
import type { Route } from "../../src/control/route.ts";

export function loginOf(name: string, ...roles: readonly Role[]): Login {
  return { name, roles: new Set(roles), by: "link" };
}

export const operatorLogin = loginOf("operator:local", "admin");

interface RouteRequest {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly login?: Login;
}

/** @param name `GET /approvals/{id}` */
export async function askRoute(
  routes: readonly Route[],
  name: string,
  { params = {}, query = {}, body, login = operatorLogin }: RouteRequest = {},
): Promise<unknown> {
  const route = routes.find(({ method, path }) => `${method} ${path}` === name);
  if (route === undefined) throw new Error(`there is no ${name}`);
  const from = { address: "local", agent: "a test" };
  return await route.run({
    params,
    query: new URLSearchParams(query),
    body,
    login,
    from,
    host: "localhost",
    session: undefined,
  });
}

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

interface Running {
  readonly dashboard: string | undefined;
  readonly controlSocket: string;
}

export interface ControlClient {
  /** `http://localhost:PORT` of the page. */
  readonly origin: string;
  /**
   * @param name `POST /responses`, below /api/v1
   * @param token of a person, over HTTP; null: none; as the operator, over the socket, if it isn't said
   */
  readonly ask: (name: string, body?: unknown, token?: string | null) => Promise<Answered>;
}

export function controlOf({ dashboard, controlSocket }: Running): ControlClient {
  const origin = dashboard === undefined ? "" : new URL(dashboard).origin;
  return {
    origin,
    ask: async (name, body, token) => {
      if (token !== undefined)
        return await asked(origin, name, {
          body,
          headers: token === null ? {} : { authorization: `Bearer ${token}` },
        });
      const dispatcher = new Agent({ connect: { socketPath: controlSocket } });
      try {
        return await asked("http://localhost", name, { body, dispatcher });
      } finally {
        await dispatcher.close();
      }
    },
  };
}

export interface Browser {
  readonly cookie: string;
  readonly csrf: string;
  /** @param headers instead of what a page of ours sends beside its cookie */
  readonly ask: (
    name: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<Answered>;
}

/** Logs in by a link. @param person of `control.people`; the operator of this machine if it isn't said */
export async function loggedIn(gateway: Running, person?: string): Promise<Browser> {
  const { ask, origin } = controlOf(gateway);
  const { body } = await ask("POST /session/codes", person === undefined ? {} : { person });
  const code = new URLSearchParams(new URL(String(body["link"])).hash.slice(1)).get("code") ?? "";
  const entered = await asked(origin, "POST /session/link", { body: { code } });
  if (entered.status !== 200) throw new Error(`${entered.status} ${JSON.stringify(entered.body)}`);
  const cookie = (entered.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  const csrf = String(entered.body["csrf"]);
  return {
    cookie,
    csrf,
    ask: (name, sent, headers = { "x-latticegate-csrf": csrf }) =>
      asked(origin, name, { body: sent, headers: { cookie, ...headers } }),
  };
}

export async function asked(
  origin: string,
  name: string,
  {
    body,
    headers = {},
    dispatcher,
  }: {
    readonly body?: unknown;
    readonly headers?: Readonly<Record<string, string>>;
    readonly dispatcher?: Agent;
  },
): Promise<Answered> {
  const [method = "GET", path = "/"] = name.split(" ");
  const answer = await fetch(`${origin}/api/v1${path}`, {
    method,
    headers: { ...headers, ...(body !== undefined && { "content-type": "application/json" }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(dispatcher && { dispatcher }),
  });
  const text = await answer.text();
  return {
    status: answer.status,
    headers: answer.headers,
    body: (text === "" ? {} : JSON.parse(text)) as Answered["body"],
  };
}
