/** From a server of the config that is made of an OpenAPI document to the adapter that answers for it. */
import { statSync } from "node:fs";

import { apiConnection } from "../../host/openapi/api-connection.ts";
import { apiUpstream, type DeclaredTool } from "../../host/openapi/api-upstream.ts";
import { networksOf, reachable } from "../../host/openapi/reachable.ts";
import { plainLink } from "../../host/net/link-facts.ts";
import type { UpstreamCredential } from "../../host/net/upstream-credential.ts";
import { type Connections, webConnections } from "../../host/net/web-links.ts";
import type { Upstream } from "../../host/net/upstreams.ts";
import type { UserGrants } from "../../host/oauth/user-grants.ts";
import { toBase64, utf8 } from "../../kernel/bytes.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { ApiServer } from "../../openapi/api-server.ts";
import type { OpenapiServer } from "../config/openapi.ts";
import type { Config, ConfigDocument } from "../config.ts";
import { secretFrom } from "../secret-source.ts";
import { type AuthOptions, authorizedServer, webLink } from "../upstream-auth.ts";
import { version } from "../version.ts";
import { readApi, type ReadApi } from "./read-api.ts";

type Options = Omit<AuthOptions, "answerTimeoutMs" | "resolve"> & {
  readonly limits: ConfigDocument["limits"];
  /** Signs manifests of servers' own tools; absent where nobody does. */
  readonly signDeclarations?: (name: string, declarations: readonly object[]) => Promise<string>;
};

export interface MadeUpstream {
  readonly upstream: Upstream;
  readonly grants?: UserGrants;
}

/** @throws Refusal `bad_config` */
export function apiUpstreamOf(name: string, server: OpenapiServer, options: Options): MadeUpstream {
  const first = said(name, () => readApi(server, options.folder));
  const baseUrl = said(name, () => baseUrlOf(server, first.api));
  const { connections, credential, grants } = connectionsOf(name, server, { baseUrl, options });
  const upstream = apiUpstream({
    name,
    version,
    ...signing(name, server, options),
    api: followed(first, { name, server, baseUrl, options }),
    connection: apiConnection({
      baseUrl,
      timeoutMs: server.timeout,
      answerBytes: options.limits.answer,
      ...shownBy(name, server, options.folder),
      credential,
      version,
      dispatcher: connections.dispatcher,
      nowMs: () => performance.now(),
    }),
    link: plainLink(baseUrl.href),
    close: connections.close,
  });
  return { upstream, ...(grants && { grants }) };
}

/** A manifest of the tools that `pqc_signing` names, if it names any. */
function signing(
  name: string,
  { endpoints = [] }: OpenapiServer,
  { signDeclarations: sign }: Options,
): { readonly manifest?: (tools: readonly DeclaredTool[]) => Promise<string> } {
  const named = new Set(endpoints.flatMap((tool) => (tool.pqc_signing === undefined ? [] : [tool.name])));
  if (named.size === 0 || sign === undefined) return {};
  return {
    manifest: (tools) =>
      sign(
        name,
        tools.filter((tool) => named.has(tool.name)),
      ),
  };
}

/** A line for the operator for each server that is made of a document. @throws Refusal `bad_config` */
export function apiNotes({ servers, folder }: Pick<Config, "servers" | "folder">): readonly string[] {
  return Object.entries(servers).flatMap(([name, server]) => {
    if (!("openapi" in server)) return [];
    const { api } = said(name, () => readApi(server, folder));
    const { origin } = said(name, () => baseUrlOf(server, api));
    const counted = [many(api.tools.size, "tool"), many(api.resources.size, "resource")];
    return [`${name}: ${counted.join(", ")} at ${origin}`];
  });
}

function many(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** By default where the document says, which is taken only with https. @throws Refusal `bad_config` */
function baseUrlOf({ base_url: said }: Pick<OpenapiServer, "base_url">, { servers }: ApiServer): URL {
  const text = said ?? servers.find((url) => url.startsWith("https://"));
  const url = text === undefined ? null : URL.parse(text);
  if (url !== null && url.username + url.password === "") return url;
  throw new Refusal(
    "bad_config",
    'The document names no https server of its own; write "base_url" with where the API is.',
  );
}

function connectionsOf(
  name: string,
  server: OpenapiServer,
  { baseUrl, options }: { readonly baseUrl: URL; readonly options: Options },
): {
  readonly connections: Connections;
  readonly credential?: UpstreamCredential | undefined;
  readonly grants?: UserGrants | undefined;
} {
  const resolve = reachable(
    server.base_url === undefined
      ? networksOf("https://nowhere.invalid", server.networks)
      : networksOf(server.base_url, server.networks),
  );
  const at = { url: baseUrl.href, link: server.link };
  const { auth } = server;
  if (auth !== undefined) {
    // A proof of possession names the address of each request (RFC 9449), and these differ.
    const bearer = "dpop" in auth ? { ...auth, dpop: "off" as const } : auth;
    return authorizedServer(name, at, bearer, {
      ...options,
      resolve,
      answerTimeoutMs: server.timeout,
    });
  }
  const link = { ...webLink(name, at, "web", options), onLink: options.onLink, resolve };
  return { connections: webConnections(baseUrl, link) };
}

function shownBy(
  name: string,
  { headers, query, cookies, basic }: OpenapiServer,
  folder: string,
): {
  readonly headers: readonly string[];
  readonly query: readonly string[];
  readonly cookies: readonly string[];
} {
  type Source = OpenapiServer["headers"][string];
  const at = `servers.${name}`;
  const read = (kind: string, of: Readonly<Record<string, Source>>): readonly (readonly [string, string])[] =>
    Object.entries(of).map(([each, source]) => [each, secretFrom(source, `${at}.${kind}.${each}`, folder)]);
  const user = basic && `${basic.username}:${secretFrom(basic.password, `${at}.basic.password`, folder)}`;
  return {
    headers: [
      ...read("headers", headers).flat(),
      ...(user === undefined ? [] : ["authorization", `Basic ${toBase64(utf8(user))}`]),
    ],
    query: read("query", query).map((pair) => pair.map(encodeURIComponent).join("=")),
    cookies: read("cookies", cookies).map((pair) => pair.map(encodeURIComponent).join("=")),
  };
}

interface Following {
  readonly name: string;
  readonly server: OpenapiServer;
  readonly baseUrl: URL;
  readonly options: { readonly folder: string; readonly log: Log };
}

/**
 * The document as it was last listed. A changed one counts from the next list on, which shows it to the pins: a tool that
 * isn't what it was is found there before it can be called.
 */
function followed(
  first: ReadApi,
  { name, server, baseUrl, options }: Following,
): { readonly current: () => ApiServer; readonly renewed: () => ApiServer } {
  let known = first;
  let stamp = stampOf(first.files);
  return {
    current: () => known.api,
    renewed: () => {
      const now = stampOf(known.files);
      if (now === stamp) return known.api;
      stamp = now;
      try {
        const next = readApi(server, options.folder);
        const url = baseUrlOf(server, next.api).href;
        if (url !== baseUrl.href)
          throw new Refusal("bad_config", "it names another server; start anew to take it up");
        known = next;
        stamp = stampOf(next.files);
        options.log.info("openapi.changed", { server: name, tools: next.api.tools.size });
      } catch (error) {
        // What was there before goes on: a file that is being written isn't a reason to stop.
        const reason = error instanceof Error ? error.message : "unknown";
        options.log.error("openapi.unreadable", { server: name, reason });
      }
      return known.api;
    },
  };
}

function stampOf(files: readonly string[]): string {
  return files
    .map((file) => {
      const found = statSync(file, { bigint: true, throwIfNoEntry: false });
      return found === undefined ? "none" : `${found.ino}/${found.size}/${found.mtimeNs}`;
    })
    .join(" ");
}

/** With the name of the server before what is wrong. */
function said<T>(name: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new Refusal(error.code, `servers.${name}: ${error.message}`, { cause: error });
  }
}
