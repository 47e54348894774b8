/** `latticegate grant`, `grants list`, `grants revoke`: a person's consent, asked for and taken back from its own machine. */
import { z } from "zod";

import { consentPage } from "../host/net/consent-page.ts";
import { collected } from "../host/net/http-exchange.ts";
import { listen } from "../host/net/listen.ts";
import { fromUtf8, utf8 } from "../kernel/bytes.ts";
import { printable } from "../kernel/printable.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type ConnectOptions, openTunnel, type Tunnel } from "./connect.ts";

const consentSchema = z.object({
  state: z.string(),
  authorize_url: z.url({ protocol: /^https?$/ }),
  issuer: z.string(),
  client_id: z.string(),
  client_name: z.string(),
  resource: z.string(),
  scope: z.string(),
  caller: z.string(),
});
const grantSchema = z.object({
  server: z.string(),
  issuer: z.string(),
  resource: z.string(),
  scope: z.string(),
  granted_at: z.string(),
});
const listSchema = z.object({ grants: z.array(grantSchema) });
const revokedSchema = z.object({ removed: z.boolean() });
const problemSchema = z.object({ message: z.string() });

/** What a caller was granted at a server. */
export type OwnGrant = z.output<typeof grantSchema>;

export type SidecarOptions = Omit<ConnectOptions, "target">;

/** How long a person may take. */
const patienceMs = 600_000;

/**
 * Asks the person in front of this machine for consent, and has the gateway keep what comes of it.
 * @param tell is given the address of the page to open
 */
export async function obtainGrant(
  server: string,
  options: SidecarOptions & { readonly port: number; readonly gone?: AbortSignal },
  tell: (url: string) => void,
): Promise<OwnGrant> {
  const page = consentPage();
  const address = await listen(page.server, `127.0.0.1:${options.port}`);
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), patienceMs);
  const gone = AbortSignal.any([late.signal, ...(options.gone === undefined ? [] : [options.gone])]);
  try {
    return await withTunnel(options, async (tunnel) => {
      const redirectUri = `http://${address}/callback`;
      const consent = await ask(tunnel, "begin", { server, redirect_uri: redirectUri }, consentSchema);
      page.show({
        server,
        caller: consent.caller,
        issuer: consent.issuer,
        client: consent.client_name,
        clientId: consent.client_id,
        scope: consent.scope,
        resource: consent.resource,
        redirectUri,
        authorizeUrl: consent.authorize_url,
        state: consent.state,
      });
      tell(`http://${address}${page.path}`);
      const parameters = await Promise.race([page.answered, aborted(gone)]);
      try {
        const grant = await ask(tunnel, "finish", { server, parameters }, grantSchema);
        page.conclude(`"${server}" may be used now.`);
        return grant;
      } catch (error) {
        page.conclude(error instanceof Refusal ? error.message : "It failed.");
        throw error;
      }
    });
  } finally {
    clearTimeout(timer);
    page.server.close();
    page.server.closeIdleConnections();
  }
}

export async function ownGrants(options: SidecarOptions): Promise<readonly OwnGrant[]> {
  return await withTunnel(
    options,
    async (tunnel) => (await ask(tunnel, "list", undefined, listSchema)).grants,
  );
}

/** @returns whether there was one */
export async function revokeOwnGrant(server: string, options: SidecarOptions): Promise<boolean> {
  return await withTunnel(
    options,
    async (tunnel) => (await ask(tunnel, "revoke", { server }, revokedSchema)).removed,
  );
}

async function withTunnel<T>(options: SidecarOptions, use: (tunnel: Tunnel) => Promise<T>): Promise<T> {
  const tunnel = await openTunnel({ ...options, target: "grants" });
  try {
    return await use(tunnel);
  } finally {
    await tunnel.close();
  }
}

async function ask<T>(
  tunnel: Tunnel,
  what: "list" | "begin" | "finish" | "revoke",
  body: object | undefined,
  schema: z.ZodType<T>,
): Promise<T> {
  const answer = await collected(
    await tunnel.send({
      path: body === undefined ? "/grants" : `/grants/${what}`,
      method: body === undefined ? "GET" : "POST",
      headers: ["content-type", "application/json"],
      ...(body !== undefined && { body: utf8(JSON.stringify(body)) }),
    }),
  );
  const value: unknown = answer.kind === "whole" ? jsonOf(answer.body) : undefined;
  const result = schema.safeParse(value);
  if (answer.status === 200 && result.success) return result.data;
  const problem = problemSchema.safeParse(value);
  if (answer.status === 200 || !problem.success) {
    throw new Refusal("upstream_failed", `The gateway knows nothing of grants (status ${answer.status}).`);
  }
  throw new Refusal("denied", printable(problem.data.message, 1024));
}

function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(fromUtf8(body) ?? "");
  } catch {
    return undefined;
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const end = (): void => reject(new Refusal("denied", "Nobody answered; nothing was granted."));
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
  });
}
