/** `stub.ts PORT | --stdio`: the cheapest MCP server there can be; every call gets the same 0.3 kB. */
import http from "node:http";
import { createInterface } from "node:readline";

const text = "All 42 items are in stock; the next delivery is due on Thursday. ".repeat(3);

interface Message {
  readonly id?: number;
  readonly method: string;
}

function answer({ id, method }: Message): string | undefined {
  if (id === undefined) return undefined;
  const result =
    method === "initialize"
      ? {
          protocolVersion: "2025-06-18",
          capabilities: { tools: {} },
          serverInfo: { name: "stub", version: "1" },
        }
      : method === "tools/list"
        ? { tools: [{ name: "stock", inputSchema: { type: "object" } }] }
        : { content: [{ type: "text", text }] };
  return JSON.stringify({ jsonrpc: "2.0", id, result });
}

const [how = "0"] = process.argv.slice(2);
if (how === "--stdio") {
  createInterface({ input: process.stdin }).on("line", (line) => {
    const said = answer(JSON.parse(line) as Message);
    if (said !== undefined) process.stdout.write(`${said}\n`);
  });
} else {
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const said =
        request.method === "POST"
          ? answer(JSON.parse(Buffer.concat(chunks).toString()) as Message)
          : undefined;
      if (said === undefined) response.writeHead(request.method === "POST" ? 202 : 405).end();
      else
        response
          .writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(said) })
          .end(said);
    });
  });
  server.keepAliveTimeout = 600_000;
  server.listen(Number(how), "127.0.0.1", () => console.log("ready"));
}
