/** One process that is all the servers of the day: it answers each call with what was recorded, and says what reached it. */
import type { Cleanup } from "../cleanup.ts";
import { stubServer } from "../gateway.ts";

export interface ReplayingServer {
  /** By the server's name; what it answers is told beforehand. */
  readonly urlOf: (server: string) => string;
  /** The call of that id is answered so. */
  readonly answerTo: (id: number, text: string) => void;
  /** Whether the call reached its server. */
  readonly hasReached: (id: number) => boolean;
  /** Descriptions of the tools of a server. */
  readonly tools: Map<string, Readonly<Record<string, string>>>;
}

interface Asked {
  readonly id?: number;
  readonly method?: string;
}

export async function replayingServer(t: Cleanup): Promise<ReplayingServer> {
  const answers = new Map<number, string>();
  const reached = new Set<number>();
  const tools = new Map<string, Readonly<Record<string, string>>>();
  const stub = await stubServer(t, (request, response, body) => {
    const { id, method } = JSON.parse(body || "{}") as Asked;
    if (id === undefined) {
      response.writeHead(202).end();
      return;
    }
    const server = new URL(request.url ?? "/", "http://x").pathname.split("/")[1] ?? "";
    if (method === "tools/call") reached.add(id);
    const text = answers.get(id) ?? "Done.";
    answers.delete(id);
    const result =
      method === "tools/list" ? listOf(tools.get(server)) : { content: [{ type: "text", text }] };
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ jsonrpc: "2.0", id, result }));
  });
  const { origin } = new URL(stub.url);
  return {
    urlOf: (server) => `${origin}/${server}/mcp`,
    answerTo: (id, text) => void answers.set(id, text),
    hasReached: (id) => reached.has(id),
    tools,
  };
}

function listOf(tools: Readonly<Record<string, string>> = {}): object {
  const inputSchema = { type: "object" };
  return { tools: Object.entries(tools).map(([name, description]) => ({ name, description, inputSchema })) };
}
