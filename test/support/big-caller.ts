/** A client for long answers: it keeps their hash, not their bytes. */
import { createHash } from "node:crypto";
import type { Readable } from "node:stream";

import { Pool } from "undici";

import { atEnd, type Cleanup } from "./cleanup.ts";
import { directLink, type GatewayProcess, loopbackSidecar } from "./gateway-process.ts";

export interface Caller {
  /** A modern request. `padding` makes it as long as is wanted. */
  readonly ask: (
    server: string,
    name: string,
    options?: { readonly id?: number; readonly method?: string; readonly padding?: string },
  ) => Promise<Answered>;
  readonly legacy: (server: string, message: object, session?: string) => Promise<Answered>;
  /** The stream of a legacy GET. */
  readonly listen: (server: string, session?: string) => Promise<Answered>;
}

export interface Answered {
  readonly status: number;
  readonly session?: string;
  /** Nothing is read before somebody asks for it. */
  readonly body: Readable;
}

const meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
};
const accepted = { "content-type": "application/json", accept: "application/json, text/event-stream" };

/** Calls the gateway itself, as a sidecar would. */
export async function directCaller(t: Cleanup, gateway: GatewayProcess, name: string): Promise<Caller> {
  return callerOn(await directLink(t, gateway, name), (server) => `/mcp/${server}`);
}

/** Calls one server through a sidecar. @returns its process id too */
export async function sidecarCaller(
  t: Cleanup,
  gateway: GatewayProcess,
  server: string,
  name: string,
): Promise<{ readonly caller: Caller; readonly pid: number }> {
  const { url, process } = await loopbackSidecar(t, gateway, server, name);
  const { origin, pathname } = new URL(url);
  const pool = new Pool(origin, { connections: null, bodyTimeout: 0 });
  atEnd(t, () => pool.destroy());
  return { caller: callerOn(pool, () => pathname), pid: process.process.pid ?? 0 };
}

function callerOn(pool: Pool, pathOf: (server: string) => string): Caller {
  const send = async (
    server: string,
    method: "GET" | "POST",
    headers: Record<string, string>,
    message?: object,
  ): Promise<Answered> => {
    const body = message === undefined ? null : JSON.stringify(message);
    const answer = await pool.request({ path: pathOf(server), method, headers, body });
    const session = answer.headers["mcp-session-id"];
    answer.body.on("error", () => undefined); // Who reads it hears of it.
    return {
      status: answer.statusCode,
      body: answer.body,
      ...(typeof session === "string" && { session }),
    };
  };
  const withSession = (session?: string): Record<string, string> => ({
    ...accepted,
    ...(session !== undefined && { "mcp-session-id": session }),
  });
  return {
    ask: (server, name, { id = 1, method = "tools/call", padding = "" } = {}) => {
      const params =
        method === "tools/call"
          ? { name, arguments: { padding }, _meta: { ...meta, progressToken: id } }
          : { notifications: { toolsListChanged: true }, _meta: meta };
      const headers = {
        ...accepted,
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": method,
        ...(method === "tools/call" && { "mcp-name": name }),
      };
      return send(server, "POST", headers, { jsonrpc: "2.0", id, method, params });
    },
    legacy: (server, message, session) => send(server, "POST", withSession(session), message),
    listen: (server, session) =>
      send(server, "GET", { ...withSession(session), accept: "text/event-stream" }),
  };
}

/** A legacy session on a server behind a pipe. @returns its id */
export async function openSession(caller: Caller, server: string): Promise<string> {
  const params = {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "big", version: "1" },
  };
  const answer = await caller.legacy(server, { jsonrpc: "2.0", id: 0, method: "initialize", params });
  await digest(answer);
  return answer.session ?? "";
}

/** Reads an answer to its end. @throws if it is broken off */
export async function digest({ status, body }: Answered): Promise<{
  readonly status: number;
  readonly bytes: number;
  readonly hash: string;
}> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of body) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
  }
  return { status, bytes, hash: hash.digest("hex") };
}

/** A short answer's text. */
export async function textOf({ body }: Answered): Promise<string> {
  return Buffer.concat(await Array.fromAsync(body as AsyncIterable<Buffer>)).toString();
}

/** The first `bytes` of a stream; the rest stays unread. */
export async function beginningOf({ body }: Answered, bytes: number): Promise<string> {
  const parts: Buffer[] = [];
  for (let have = 0; have < bytes;) {
    const chunk = body.read() as Buffer | null;
    if (chunk === null) {
      await new Promise((resolve) => body.once("readable", resolve));
      continue;
    }
    parts.push(chunk);
    have += chunk.length;
  }
  return Buffer.concat(parts).toString();
}
