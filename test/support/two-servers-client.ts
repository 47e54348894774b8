/**
 * A client with two MCP servers configured, by the official SDK: starts both commands (JSON, in its arguments), calls
 * a tool on each, says so, and stays until it is told to end.
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

const commands = JSON.parse(process.argv[2] ?? "[]") as readonly (readonly string[])[];
const clients = await Promise.all(
  commands.map(async ([command = "", ...args]) => {
    const client = new Client({ name: "two-servers", version: "1" });
    await client.connect(new StdioClientTransport({ command, args, stderr: "inherit" }));
    await client.callTool({ name: "echo", arguments: {} });
    return client;
  }),
);
process.stdout.write("called\n");
for await (const _ of process.stdin);
await Promise.all(clients.map((client) => client.close()));
