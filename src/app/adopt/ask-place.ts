/** Whether a gateway could reach a server as a client does: asked of the server itself, which is told nothing but `initialize`. */
import { access, constants } from "node:fs/promises";
import path from "node:path";

import type { Clock } from "../../kernel/clock.ts";
import { probePosture } from "../scan/probe-posture.ts";
import type { EntryServer } from "./server-of-entry.ts";

export type Asked =
  | { readonly kind: "reached"; readonly server: EntryServer }
  | { readonly kind: "left"; readonly because: string };

const timeoutMs = 10_000;

export async function askPlace(server: EntryServer, clock: Clock): Promise<Asked> {
  if (server.kind === "stdio") return await askProgram(server);
  const url = new URL(server.url);
  const classical = url.protocol === "https:" ? await whyClassical(url, clock) : undefined;
  if (classical !== undefined) return { kind: "left", because: classical };
  try {
    return await askHttp(server);
  } catch {
    return { kind: "left", because: "nobody answers at its URL now; run this again when it does" };
  }
}

async function askProgram(server: Extract<EntryServer, { kind: "stdio" }>): Promise<Asked> {
  const [program = ""] = server.command;
  const isPath = /[\\/]/.test(program);
  const folders = isPath ? [""] : (server.env["PATH"] ?? process.env["PATH"] ?? "").split(path.delimiter);
  const endings = process.platform === "win32" ? ["", ".exe", ".cmd", ".bat"] : [""];
  for (const folder of folders) {
    for (const ending of endings) {
      const file = path.resolve(isPath ? server.cwd : folder, program + ending);
      const isThere = await access(file, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (isThere) return { kind: "reached", server };
    }
  }
  return { kind: "left", because: "its program isn't found from here" };
}

/** A gateway sends nothing over a link without ML-KEM unless its operator says so. */
async function whyClassical(url: URL, clock: Clock): Promise<string | undefined> {
  const port = url.port === "" ? 443 : Number(url.port);
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const posture = await probePosture({
    host,
    port,
    clock,
    signal: AbortSignal.timeout(timeoutMs),
    timeoutMs,
  }).catch(() => undefined);
  if (posture?.link.kind !== "tls") return undefined;
  return posture.link.tls.groups.some((group) => /MLKEM/i.test(group))
    ? undefined
    : "its TLS has no ML-KEM, without which the gateway sends it nothing; register it by hand, with `link`";
}

async function askHttp(server: Extract<EntryServer, { kind: "http" }>): Promise<Asked> {
  if (server.transport !== "http+sse") {
    const status = await statusOf(server.url, {
      method: "POST",
      headers: {
        ...server.headers,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
      },
      body: initialize,
    });
    const judged = judge(status);
    if (judged !== undefined) return left(judged);
    const isAnswered = status.code >= 200 && status.code < 300;
    if (isAnswered || server.transport === "streamable-http")
      return isAnswered
        ? { kind: "reached", server: { ...server, transport: "streamable-http" } }
        : left(`its server answers ${status.code}`);
  }
  const status = await statusOf(server.url, {
    method: "GET",
    headers: { ...server.headers, accept: "text/event-stream" },
  });
  const judged = judge(status);
  if (judged !== undefined) return left(judged);
  if (status.code !== 200 || !status.isStream)
    return left(`its server answers ${status.code}, and speaks no MCP`);
  return { kind: "reached", server: { ...server, transport: "http+sse" } };
}

function left(because: string): Asked {
  return { kind: "left", because };
}

interface Status {
  readonly code: number;
  readonly isStream: boolean;
}

function judge({ code }: Status): string | undefined {
  if (code === 401 || code === 403)
    return `its server asks for a login (HTTP ${code}), which the client does by itself; register it with \`auth\``;
  return code >= 300 && code < 400 ? "its URL leads elsewhere, where the gateway wouldn't follow" : undefined;
}

const initialize = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "latticegate-adopt", version: "1" },
  },
});

async function statusOf(url: string, request: RequestInit): Promise<Status> {
  const answer = await fetch(url, { ...request, redirect: "manual", signal: AbortSignal.timeout(timeoutMs) });
  await answer.body?.cancel();
  const isStream = answer.headers.get("content-type")?.startsWith("text/event-stream") === true;
  const session = answer.headers.get("mcp-session-id");
  if (session !== null)
    await fetch(url, {
      method: "DELETE",
      headers: { ...(request.headers as Record<string, string>), "mcp-session-id": session },
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    }).then(
      (ended) => ended.body?.cancel(),
      () => undefined,
    );
  return { code: answer.status, isStream };
}
