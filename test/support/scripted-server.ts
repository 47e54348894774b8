/**
 * A stdio MCP server that writes what a call's arguments say, byte for byte, and tells what it heard. `tools/call`
 * of: `say` writes `text` (in pieces of `piece` bytes), `fill` answers in a line of `bytes` bytes, `echo` answers
 * with its arguments, `after` does so `ms` later, `heard` answers with the lines it was sent, in base64; `hold` never
 * answers, and neither does a subscription; `finish` lasts until `notifications/test/finish`; `spawn` starts a process of its own; `pid` and `env` tell theirs.
 * It splits lines at line feeds alone, as the transport says.
 */
import { spawn } from "node:child_process";
import { setImmediate as turn, setTimeout as pause } from "node:timers/promises";

interface Message {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: {
    readonly name?: string;
    readonly arguments?: Readonly<Record<string, unknown>>;
  };
}

const heard: Buffer[] = [];
const unfinished: Message["id"][] = [];

function send(message: object): void {
  process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
}

function answer(id: Message["id"], value: unknown): void {
  send({ id, result: { content: [{ type: "text", text: JSON.stringify(value) }] } });
}

let writing = Promise.resolve();

/** One after the other: an answer is there before its last pieces are, and the next request with it. */
function write(bytes: Buffer, piece: number): Promise<void> {
  writing = writing.then(() => writePieces(bytes, piece));
  return writing;
}

async function writePieces(bytes: Buffer, piece: number): Promise<void> {
  for (let at = 0; at < bytes.length; at += piece) {
    process.stdout.write(bytes.subarray(at, at + piece));
    if (piece < bytes.length) await turn();
  }
}

async function call({ id, params }: Message): Promise<void> {
  const given = params?.arguments ?? {};
  switch (params?.name) {
    case "say": {
      const bytes = Buffer.from(String(given["text"]));
      return await write(bytes, Number(given["piece"] ?? bytes.length));
    }
    case "fill": {
      const [head, tail] = [`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"x":"`, '"}}'];
      const filler = "x".repeat(Number(given["bytes"]) - head.length - tail.length);
      return void process.stdout.write(`${head}${filler}${tail}\n`);
    }
    case "echo":
      return answer(id, given);
    case "after":
      await pause(Number(given["ms"]));
      return answer(id, given);
    case "heard":
      return answer(
        id,
        heard.map((line) => line.toString("base64")),
      );
    case "finish":
      return void unfinished.push(id);
    case "spawn":
      return answer(id, spawn("sleep", ["600"], { stdio: "ignore" }).pid);
    case "pid":
      return answer(id, process.pid);
    case "env":
      return answer(id, process.env);
    default: // `hold` and whatever else: no answer.
  }
}

function take(line: Buffer): void {
  heard.push(line);
  const message = JSON.parse(line.toString()) as Message;
  const { id, method } = message;
  if (method === "initialize") {
    const serverInfo = { name: "scripted", version: "1" };
    send({ id, result: { protocolVersion: "2025-11-25", capabilities: {}, serverInfo } });
  } else if (method === "tools/call") void call(message);
  else if (method === "notifications/test/finish") {
    for (const open of unfinished.splice(0)) answer(open, "finished");
  } else if (method === "subscriptions/listen") return;
  else if (method !== undefined && id !== undefined) send({ id, result: {} });
}

let rest = Buffer.alloc(0);
process.stdin.on("data", (chunk: Buffer) => {
  rest = Buffer.concat([rest, chunk]);
  for (let end = rest.indexOf(0x0a); end !== -1; end = rest.indexOf(0x0a)) {
    take(rest.subarray(0, end));
    rest = rest.subarray(end + 1);
  }
});
process.stdin.on("end", () => process.exit(0));
