/** A stdio MCP server with two tools, of which one only reads. */
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";

const server = new McpServer({ name: "files", version: "1" });
for (const name of ["read_file", "write_file"]) {
  server.registerTool(name, { description: `Does ${name}.` }, () => ({ content: [] }));
}
await server.connect(new StdioServerTransport());
