/**
 * What an operator finds out about a scenario's server before a gateway is put before it, and what any resource server
 * would be told about a token by an authorization server with introspection (RFC 7662), which the suites' have not.
 */
import { once } from "node:events";
import { rename, writeFile } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";

import { atEnd, type Cleanup } from "../support/cleanup.ts";

export interface Wanted {
  /** The scenario's authorization server; absent where its server wants no authorization. */
  readonly issuer?: string;
  /** Scopes to ask clients for. */
  readonly scopes: readonly string[];
}

/**
 * Asks the scenario's server what an operator would: a call without a token, and its protected-resource metadata.
 * Servers without that (MCP 2025-03-26) are their own authorization server.
 * @param url of a server that wants authorization; a scenario without would take the question for the client's
 */
export async function askServer(url: string): Promise<Wanted> {
  const refused = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" }),
  });
  const challenge = refused.headers.get("www-authenticate") ?? "";
  const { origin, pathname } = new URL(url);
  const wellKnown = `${origin}/.well-known/oauth-protected-resource`;
  const named = /resource_metadata="([^"]+)"/.exec(challenge)?.[1];
  const asked = named === undefined ? [wellKnown + pathname, wellKnown] : [named];
  for (const each of asked) {
    const answer = await fetch(each);
    if (!answer.ok) continue;
    const metadata = (await answer.json()) as {
      readonly authorization_servers: readonly string[];
      readonly scopes_supported?: readonly string[];
    };
    const scope = /scope="([^"]+)"/.exec(challenge)?.[1];
    const [issuer = origin] = metadata.authorization_servers;
    return { issuer, scopes: scope?.split(" ") ?? metadata.scopes_supported ?? [] };
  }
  return { issuer: origin, scopes: [] };
}

/** A token as its authorization server gave it out. */
export interface GivenToken {
  readonly token: string;
  readonly scope: string;
  readonly client: string;
}

export interface Introspection {
  readonly url: string;
  /** From now on the token is active. */
  readonly given: (token: GivenToken) => void;
}

/**
 * Says of each token that was given out that it is one for `audience`. With that it plays the token exchange which the
 * suites' authorization servers don't offer either: the gateway never passes a client's token on, so the scenario's
 * own token is put where the gateway's credential for the server stands.
 */
export async function introspection(
  t: Cleanup,
  { audience, credential }: { readonly audience: string; readonly credential: string },
): Promise<Introspection> {
  const tokens = new Map<string, GivenToken>();
  const answer = async (request: http.IncomingMessage): Promise<object> => {
    const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>)).toString();
    const found = tokens.get(new URLSearchParams(body).get("token") ?? "");
    if (found === undefined) return { active: false };
    await writeFile(`${credential}.new`, found.token);
    await rename(`${credential}.new`, credential);
    const { client, scope } = found;
    return { active: true, aud: audience, client_id: client, sub: client, scope };
  };
  const answered = async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    const claims = await answer(request);
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(claims));
  };
  const server = http.createServer((request, response) => void answered(request, response));
  await once(server.listen(0, "127.0.0.1"), "listening");
  atEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    given: (token) => void tokens.set(token.token, token),
  };
}
