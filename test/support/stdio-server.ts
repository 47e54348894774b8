/**
 * A stdio MCP server that does what its tools' names say. `tools/call` of: `echo` answers with its
 * arguments; `progress` reports twice, then answers; `noise` prints a line that is no message first;
 * `die` exits; `silent` never answers; `env` answers with its environment; `ask` asks the client for its
 * roots and answers with what it got; `pid` answers with its process id; `child` starts a process of its own;
 * `hold` reports as often and as long as its arguments say, then answers when `release` is called, which
 * answers with how often `hold` was; with a `file` it answers when that is there.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";

interface Message {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: {
    readonly name?: string;
    readonly arguments?: { readonly reports?: number; readonly bytes?: number; readonly file?: string };
    readonly _meta?: { readonly progressToken?: unknown };
  };
  readonly result?: unknown;
}

const waiting = new Map<string, (result: unknown) => void>();

function send(message: object): void {
  process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
}

function answer(id: Message["id"], value: unknown): void {
  send({ id, result: { content: [{ type: "text", text: JSON.stringify(value) }] } });
}

const held: Message["id"][] = [];
let holds = 0;

const tools: Readonly<Record<string, (message: Message) => void>> = {
  echo: ({ id, params }) => answer(id, params?.arguments),
  progress: ({ id, params }) => {
    for (const progress of [1, 2]) {
      send({
        method: "notifications/progress",
        params: { progressToken: params?._meta?.progressToken, progress },
      });
    }
    answer(id, "done");
  },
  noise: ({ id }) => {
    process.stdout.write("Server running on stdio\nwarning: { not json\n");
    answer(id, "after the noise");
  },
  die: () => process.exit(3),
  silent: () => {},
  env: ({ id }) => answer(id, process.env),
  ask: ({ id }) => {
    waiting.set("roots", (result) => answer(id, result));
    send({ id: "roots", method: "roots/list" });
  },
  pid: ({ id }) => answer(id, process.pid),
  child: ({ id }) => answer(id, spawn("sleep", ["600"], { stdio: "ignore" }).pid),
  cancelled: ({ id }) => answer(id, cancelled),
  hold: ({ id, params }) => {
    const progressToken = params?._meta?.progressToken;
    const message = "x".repeat(params?.arguments?.bytes ?? 0);
    for (let progress = 1; progress <= (params?.arguments?.reports ?? 0); progress++)
      send({ method: "notifications/progress", params: { progressToken, progress, message } });
    holds += 1;
    const file = params?.arguments?.file;
    if (file === undefined) {
      held.push(id);
      return;
    }
    const looking = setInterval(() => {
      if (!existsSync(file)) return;
      clearInterval(looking);
      answer(id, "let go");
    }, 10);
  },
  release: ({ id }) => {
    for (const each of held.splice(0)) answer(each, "let go");
    answer(id, holds);
  },
};

const cancelled: unknown[] = [];

createInterface({ input: process.stdin }).on("line", (line) => {
  const message = JSON.parse(line) as Message & { params?: { requestId?: unknown } };
  if (message.method === "initialize") {
    send({
      id: message.id,
      result: {
        protocolVersion: "2025-11-25",
        capabilities: {},
        serverInfo: { name: "stdio-test", version: "1" },
      },
    });
  } else if (message.method === "notifications/cancelled") cancelled.push(message.params?.requestId);
  else if (message.method === "tools/call") tools[message.params?.name ?? ""]?.(message);
  else if (message.method === undefined) waiting.get(String(message.id))?.(message.result);
  else if (message.id !== undefined) send({ id: message.id, result: {} });
});
