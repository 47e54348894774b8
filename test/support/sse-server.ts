/** An MCP server over HTTP+SSE, made with the official SDK; its tools are named, and do, as the fixture's. */
import http from "node:http";
import type { AddressInfo } from "node:net";

import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js";
import {
  CallToolRequestSchema,
  type CallToolResult,
  ListToolsRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";

import { atEnd, type Cleanup } from "./cleanup.ts";

export interface SseServer {
  /** Where a client opens its stream. */
  readonly url: string;
  /** Head of each request, in order. */
  readonly seen: readonly {
    readonly method: string;
    readonly path: string;
    readonly headers: http.IncomingHttpHeaders;
  }[];
  /** Clients whose stream is open. */
  readonly sessions: () => number;
  /** Tools that were called, in order. */
  readonly called: readonly string[];
  /** Calls that were cancelled. */
  readonly cancelled: () => number;
  /** Drops every client and listens anew on the same port, as a server that is restarted. */
  readonly restart: () => Promise<void>;
}

export async function sseServer(t: Cleanup): Promise<SseServer> {
  const transports = new Map<string, SSEServerTransport>();
  const seen: { method: string; path: string; headers: http.IncomingHttpHeaders }[] = [];
  const called: string[] = [];
  let cancelled = 0;
  const serve = async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? "/", "http://localhost");
    seen.push({ method: request.method ?? "", path: url.pathname, headers: request.headers });
    if (request.method === "GET" && url.pathname === "/sse") {
      const transport = new SSEServerTransport("/messages", response);
      transports.set(transport.sessionId, transport);
      response.once("close", () => transports.delete(transport.sessionId));
      await mcpServer(called, () => (cancelled += 1)).connect(transport);
      return;
    }
    const transport = transports.get(url.searchParams.get("sessionId") ?? "");
    if (request.method !== "POST" || url.pathname !== "/messages" || transport === undefined)
      response.writeHead(404).end("Session not found");
    else await transport.handlePostMessage(request, response);
  };
  const start = async (port: number): Promise<http.Server> => {
    const server = http.createServer((request, response) => {
      serve(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    return server;
  };
  const stop = async (server: http.Server): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  };
  let running = await start(0);
  atEnd(t, () => stop(running));
  const { port } = running.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/sse`,
    seen,
    sessions: () => transports.size,
    called,
    cancelled: () => cancelled,
    restart: async () => {
      await stop(running);
      running = await start(port);
    },
  };
}

function mcpServer(called: string[], onCancelled: () => void): Server {
  const server = new Server({ name: "old", version: "1" }, { capabilities: { tools: {} } });
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: Object.keys(tools).map((name) => ({ name, inputSchema: { type: "object" as const } })),
  }));
  server.setRequestHandler(CallToolRequestSchema, async (request, { signal, sendNotification }) => {
    called.push(request.params.name);
    signal.addEventListener("abort", onCancelled);
    const notify = async (progress: number): Promise<void> => {
      const progressToken = request.params._meta?.progressToken;
      if (progressToken !== undefined)
        await sendNotification({ method: "notifications/progress", params: { progressToken, progress } });
    };
    const tool = tools[request.params.name];
    if (tool === undefined) throw new Error(`There is no tool ${request.params.name}.`);
    return await tool({ server, signal, notify, args: request.params.arguments ?? {} });
  });
  return server;
}

interface Call {
  readonly server: Server;
  readonly args: Readonly<Record<string, unknown>>;
  readonly signal: AbortSignal;
  readonly notify: (progress: number) => Promise<void>;
}

const tools: Readonly<Record<string, (call: Call) => CallToolResult | Promise<CallToolResult>>> = {
  test_echo: ({ args }) => said(JSON.stringify(args)),
  test_tool_with_progress: async ({ notify }) => {
    for (const progress of [1, 2, 3]) await notify(progress);
    return said("done");
  },
  test_elicitation: async ({ server, args }) => {
    const requestedSchema = { type: "object" as const, properties: { name: { type: "string" as const } } };
    const answer = await server.elicitInput({ message: String(args["message"]), requestedSchema });
    return said(JSON.stringify(answer));
  },
  test_sampling: async ({ server, args }) => {
    const content = { type: "text" as const, text: String(args["prompt"]) };
    const answer = await server.createMessage({ messages: [{ role: "user", content }], maxTokens: 9 });
    return said(JSON.stringify(answer.content));
  },
  test_error_handling: () => ({ ...said("It failed, as it should."), isError: true }),
  test_wait: async ({ signal }) => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    return said("Nobody hears this");
  },
};

function said(text: string): CallToolResult {
  return { content: [{ type: "text", text }] };
}
