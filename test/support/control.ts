/** The control API, asked as its clients ask: route by route, or at a running gateway. */
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
  return await route.run({ params, query: new URLSearchParams(query), body, login });
}

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface ControlClient {
  /** `http://127.0.0.1:PORT` */
  readonly origin: string;
  readonly token: string;
  /** @param name `POST /tools` below /api/v1; @param token of somebody else; undefined: none */
  readonly ask: (name: string, body?: unknown, token?: string | null) => Promise<Answered>;
}

/** As the operator, by the token that stands in the state folder. */
export function controlOf({ dashboard }: { readonly dashboard: string | undefined }): ControlClient {
  const page = new URL(dashboard ?? "");
  const own = new URLSearchParams(page.hash.slice(1)).get("token") ?? "";
  return {
    origin: page.origin,
    token: own,
    ask: async (name, body, token = own) => {
      const [method = "GET", path = "/"] = name.split(" ");
      const answer = await fetch(new URL(`/api/v1${path}`, page.origin), {
        method,
        headers: {
          ...(token !== null && { authorization: `Bearer ${token}` }),
          ...(body !== undefined && { "content-type": "application/json" }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      const { status, headers } = answer;
      return { status, headers, body: (text === "" ? {} : JSON.parse(text)) as Answered["body"] };
    },
  };
}
