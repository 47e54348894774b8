/**
 * An office over stdio, for agents: invoices, payments, mail and a wiki. `node office-server.ts [PAGE-FILE]`: what the
 * wiki's page says stands in that file. What was done is written to stderr, one JSON line each.
 */
import { readFileSync } from "node:fs";

import { McpServer, ResourceTemplate } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { z } from "zod";

const [, , pageFile = ""] = process.argv;
const server = new McpServer({ name: "office", version: "1" });
const says = (text: string) => ({ content: [{ type: "text" as const, text }] });
const done = (tool: string, args: object): ReturnType<typeof says> => {
  process.stderr.write(`${JSON.stringify({ tool, ...args })}\n`);
  return says("Done.");
};

server.registerResource(
  "page",
  new ResourceTemplate("wiki://{page}", { list: undefined }),
  { description: "A page of the wiki." },
  (uri) => ({ contents: [{ uri: uri.href, mimeType: "text/plain", text: readFileSync(pageFile, "utf8") }] }),
);
server.registerTool("list_invoices", { description: "The open invoices.", inputSchema: {} }, () =>
  says(
    JSON.stringify([
      { invoice: "2026-118", from: "Nordwind Bakery", iban: "DE02120300000000202051", amount: 412.5 },
      { invoice: "2026-121", from: "Blue Harbour Rentals", iban: "GB29NWBK60161331926819", amount: 1980 },
    ]),
  ),
);
server.registerTool(
  "pay_invoice",
  {
    description: "Pays an open invoice.",
    inputSchema: { invoice: z.string(), iban: z.string(), amount: z.number() },
  },
  (args) => done("pay_invoice", args),
);
server.registerTool(
  "send_mail",
  {
    description: "Sends a mail.",
    inputSchema: { to: z.string(), subject: z.string(), body: z.string() },
  },
  (args) => done("send_mail", args),
);
await server.connect(new StdioServerTransport());
