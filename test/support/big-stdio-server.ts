/**
 * A stdio MCP server with much to say. `tools/call` of: `whole` answers with one long line; `events` reports
 * progress at length, then answers; `flood` answers, then says as much unasked; `tell` answers and says one
 * thing unasked; the rest is answered at once. A listener is told of one change when somebody calls `tell`.
 */
import { once } from "node:events";
import { createInterface } from "node:readline";

import { bigBytes, longAnswer, notifications, shortAnswer } from "./big-payload.ts";

interface Message {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: { readonly name?: string };
}

let listening: Message["id"];
let order: Promise<void> = Promise.resolve();

async function* linesFor({ id, method, params }: Message): AsyncGenerator<Iterable<Buffer>> {
  if (id === undefined) return;
  if (method === "subscriptions/listen") {
    listening = id;
    yield [Buffer.from(tagged("notifications/subscriptions/acknowledged", id))];
    return;
  }
  if (method === "initialize") {
    const serverInfo = { name: "big", version: "1" };
    const result = { protocolVersion: "2025-11-25", capabilities: {}, serverInfo };
    yield [Buffer.from(JSON.stringify({ jsonrpc: "2.0", id, result }))];
    return;
  }
  if (params?.name === "whole") {
    yield longAnswer(id, bigBytes);
    return;
  }
  if (params?.name === "events") for (const each of notifications(bigBytes, id)) yield [each];
  yield [shortAnswer(id)];
  if (params?.name === "flood") for (const each of notifications(bigBytes)) yield [each];
  if (params?.name !== "tell") return;
  const change = "notifications/tools/list_changed";
  yield [
    Buffer.from(
      listening === undefined
        ? JSON.stringify({ jsonrpc: "2.0", method: change })
        : tagged(change, listening),
    ),
  ];
}

function tagged(method: string, id: Message["id"]): string {
  const _meta = { "io.modelcontextprotocol/subscriptionId": id };
  return JSON.stringify({ jsonrpc: "2.0", method, params: { _meta } });
}

async function say(message: Message): Promise<void> {
  for await (const line of linesFor(message)) {
    for (const piece of line) if (!process.stdout.write(piece)) await once(process.stdout, "drain");
    process.stdout.write("\n");
  }
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const message = JSON.parse(line) as Message;
  order = order.then(() => say(message));
});
