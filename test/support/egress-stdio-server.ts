/**
 * A stdio MCP server that tries to get out, and tells how it went. `tools/call` of: `fetch` asks for its `url`, with so
 * many `bytes` as a body; `connect` opens a connection to `host` and `port` by itself, or to the socket at `path`;
 * `read`, `write` and `list` do that with `path`; `perl` runs its `text`; `env` and `processes` answer with what they see.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import { createInterface } from "node:readline";

interface Arguments {
  readonly url: string;
  readonly bytes?: number;
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly text: string;
}

// Its destinations have certificates of nobody's.
process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";

const tools: Readonly<Record<string, (given: Arguments) => unknown>> = {
  fetch: async ({ url, bytes }) => {
    const upload = bytes === undefined ? {} : { method: "POST", body: Buffer.alloc(bytes, "x") };
    const answer = await fetch(url, upload);
    return { status: answer.status, text: await answer.text() };
  },
  connect: async ({ host, port, path }) =>
    await new Promise((resolve, reject) => {
      const socket = path === undefined ? net.connect({ host, port }) : net.connect({ path });
      socket.once("connect", () => resolve("connected")).once("error", reject);
    }),
  read: ({ path }) => readFileSync(path, "utf8"),
  write: ({ path }) => writeFileSync(path, "written in the sandbox"),
  list: ({ path }) => readdirSync(path),
  perl: ({ text }) => execFileSync("perl", ["-e", text], { encoding: "utf8" }),
  env: () => process.env,
  processes: () => readdirSync("/proc").filter((name) => /^\d+$/.test(name)).length,
};

function send(message: object): void {
  process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
}

async function call(id: unknown, name: string, given: Arguments): Promise<void> {
  const told = await Promise.resolve()
    .then(() => tools[name]?.(given))
    .then((value) => ({ value }))
    .catch((error: unknown) => ({ error: reasons(error) }));
  send({ id, result: { content: [{ type: "text", text: JSON.stringify(told) }] } });
}

function reasons(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? `${String(error.code)} ` : "";
  return `${code}${error.message}${error.cause === undefined ? "" : ` < ${reasons(error.cause)}`}`;
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method, params } = JSON.parse(line) as {
    id?: unknown;
    method?: string;
    params?: { name: string; arguments: Arguments };
  };
  if (method === "initialize") {
    const serverInfo = { name: "egress-test", version: "1" };
    send({ id, result: { protocolVersion: "2025-11-25", capabilities: {}, serverInfo } });
  } else if (method === "tools/call" && params !== undefined) void call(id, params.name, params.arguments);
  else if (id !== undefined) send({ id, result: {} });
});
