/**
 * Loaded into the fixture client before anything else: tells the harness which tokens an authorization server gave out
 * and to whom, before the client can use them. The suites' servers have no introspection endpoint that would know.
 */
import type { GivenToken } from "./scenario-operator.ts";

const original = globalThis.fetch;

globalThis.fetch = async (input, init) => {
  const response = await original(input, init);
  const { body, headers } = init ?? {};
  if (!(body instanceof URLSearchParams) || !body.has("grant_type")) return response;
  const given: unknown = await response
    .clone()
    .json()
    .catch(() => undefined);
  const token = tokenIn(given);
  if (token !== undefined) await told({ ...token, client: clientOf(body, new Headers(headers)) });
  return response;
};

function tokenIn(given: unknown): Omit<GivenToken, "client"> | undefined {
  if (typeof given !== "object" || given === null || !("access_token" in given)) return undefined;
  const scope = "scope" in given ? given.scope : "";
  return { token: String(given.access_token), scope: String(scope) };
}

function clientOf(body: URLSearchParams, headers: Headers): string {
  const [scheme, credentials = ""] = (headers.get("authorization") ?? "").split(" ");
  const basic = scheme === "Basic" ? atob(credentials).split(":", 1)[0] : undefined;
  return body.get("client_id") ?? basic ?? "client";
}

function told(token: GivenToken): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send?.(token, undefined, undefined, (error) => (error === null ? resolve() : reject(error)));
  });
}
