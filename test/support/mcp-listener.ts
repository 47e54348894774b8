/** The smallest MCP server over HTTP, of the older era and without sessions: a name and tools, as a list. */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";

export interface ListedTool {
  readonly name: string;
  readonly description?: string;
  readonly inputSchema?: unknown;
  readonly annotations?: unknown;
}

/** Answers at `/mcp`; at any other path there is nothing. */
export function mcpListener(name: string, tools: readonly ListedTool[]): RequestListener {
  return (request, response) => void answer(request, response, { name, tools });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { name, tools }: { readonly name: string; readonly tools: readonly ListedTool[] },
): Promise<void> {
  const body = await Array.fromAsync(request as AsyncIterable<Buffer>);
  if (request.url !== "/mcp" || request.method !== "POST") {
    response.writeHead(request.url === "/mcp" ? 405 : 404).end();
    return;
  }
  const { id, method, params } = JSON.parse(Buffer.concat(body).toString()) as {
    readonly id?: number;
    readonly method: string;
    readonly params?: { readonly name?: string };
  };
  if (id === undefined) {
    response.writeHead(202).end();
    return;
  }
  const results: Readonly<Record<string, unknown>> = {
    initialize: {
      protocolVersion: "2025-11-25",
      capabilities: { tools: {} },
      serverInfo: { name, version: "1.0.0" },
    },
    "tools/list": { tools: tools.map((tool) => ({ inputSchema: { type: "object" }, ...tool })) },
    "tools/call": { content: [{ type: "text", text: `${name} did ${params?.name}` }] },
  };
  const result = results[method];
  const said = result === undefined ? { error: { code: -32_601, message: "Method not found" } } : { result };
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ jsonrpc: "2.0", id, ...said }));
}
