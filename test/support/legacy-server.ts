/**
 * A server of MCP 2025-11-25 over HTTP that does what a tool's name says, and nothing of the modern era. Tools: `echo`
 * answers with what it was sent; `ask` asks for a form, on the call's stream or, as `ask_beside`, on the session's;
 * `ask_twice` asks for two at once; `ask_more` again with each answer, `rounds` times; `ping` pings first; `sample` and
 * `roots` ask for those; `consent` wants consent at an address, until it is called again; `withdraw` asks, and then
 * answers by itself; `log` logs on each level, `log_beside` on the session's stream; `hold` makes some progress and never answers; `polled` closes its stream, and answers on the next;
 * `lost` loses its session, once; `alien` asks for what nobody knows.
 */
import http from "node:http";
import { randomUUID } from "node:crypto";
import type { AddressInfo } from "node:net";

import { atEnd, type Cleanup } from "./cleanup.ts";

interface Message {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: {
    readonly name?: string;
    readonly uri?: string;
    readonly arguments?: Readonly<Record<string, unknown>>;
    readonly _meta?: Readonly<Record<string, unknown>>;
    readonly [name: string]: unknown;
  };
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: number };
}

export interface LegacyServer {
  readonly url: string;
  /** What it was sent, in the order it came. */
  readonly seen: readonly { readonly headers: http.IncomingHttpHeaders; readonly message: Message }[];
  /** Of that method, or tool. */
  readonly heard: (name: string) => readonly Message[];
  readonly sessions: ReadonlySet<string>;
  /** Says something unasked, on each open stream of a session. */
  readonly say: (message: object) => void;
  /** Streams of calls that are open. */
  readonly openCalls: () => number;
}

const capabilities = {
  tools: { listChanged: true },
  resources: { subscribe: true },
  logging: {},
  tasks: { list: {} },
};

export async function legacyServer(t: Cleanup): Promise<LegacyServer> {
  const server = new Server();
  await new Promise<void>((resolve) => server.http.listen(0, "127.0.0.1", resolve));
  atEnd(t, () => {
    server.http.closeAllConnections();
    server.http.close();
  });
  const { port } = server.http.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    seen: server.seen,
    heard: (name) =>
      server.seen
        .map(({ message }) => message)
        .filter(({ method, params }) => method === name || params?.name === name),
    sessions: server.sessions,
    say: (message) => {
      for (const stream of server.beside) event(stream, message);
    },
    openCalls: () => server.calls.size,
  };
}

class Server {
  readonly http: http.Server;
  readonly seen: { readonly headers: http.IncomingHttpHeaders; readonly message: Message }[] = [];
  readonly sessions = new Set<string>();
  readonly beside = new Set<http.ServerResponse>();
  readonly calls = new Set<http.ServerResponse>();
  readonly #asked = new Map<number, (answer: Message) => void>();
  #ids = 900;
  #isConsented = false;
  #hasLost = false;
  #left: Message | undefined;

  constructor() {
    this.http = http.createServer((request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
      request.on("end", () => this.#take(request, response, body));
    });
  }

  #take({ method, headers }: http.IncomingMessage, response: http.ServerResponse, body: string): void {
    const session = String(headers["mcp-session-id"] ?? "");
    const message = (body === "" ? {} : JSON.parse(body)) as Message;
    if (method === "POST") this.seen.push({ headers, message });
    if (message.method === "initialize") return this.#open(message, response);
    if (!this.sessions.has(session)) return refuse(response, 404, "No such session");
    if (method === "DELETE") {
      this.sessions.delete(session);
      response.writeHead(200).end();
    } else if (method === "GET") {
      stream(response);
      if (headers["last-event-id"] === undefined) {
        this.beside.add(response);
        response.on("close", () => this.beside.delete(response));
      } else this.#finish(response);
    } else if (message.method === undefined) {
      this.#asked.get(Number(message.id))?.(message);
      response.writeHead(202).end();
    } else if (message.id === undefined) response.writeHead(202).end();
    else this.#answer(message, response, session);
  }

  #open({ id }: Message, response: http.ServerResponse): void {
    const session = randomUUID();
    this.sessions.add(session);
    const serverInfo = { name: "legacy", version: "7" };
    response.writeHead(200, { "content-type": "application/json", "mcp-session-id": session });
    const result = { protocolVersion: "2025-11-25", capabilities, serverInfo, instructions: "Be kind." };
    response.end(JSON.stringify({ jsonrpc: "2.0", id, result }));
  }

  #finish(response: http.ServerResponse): void {
    if (this.#left !== undefined) event(response, { id: this.#left.id, result: text("later") });
    response.end();
  }

  #answer(message: Message, response: http.ServerResponse, session: string): void {
    const { id, method, params } = message;
    const meta = Object.keys(params?._meta ?? {});
    if (meta.some((name) => name.startsWith("io.modelcontextprotocol/")))
      return refuse(response, 400, "An envelope of another era");
    if (method !== "tools/call") return this.#side(message, response);
    if (params?.name === "lost" && !this.#hasLost) {
      this.#hasLost = true;
      this.sessions.delete(session);
      return refuse(response, 404, "No such session");
    }
    if (params?.name === "consent" && !this.#isConsented) {
      this.#isConsented = true;
      const elicitations = [{ mode: "url", url: "https://pay.test/1", elicitationId: "e1", message: "Pay" }];
      return json(response, { id, error: { code: -32042, message: "Consent", data: { elicitations } } });
    }
    stream(response);
    this.calls.add(response);
    response.on("close", () => this.calls.delete(response));
    void this.#carryOut(message, response);
  }

  async #carryOut(message: Message, response: http.ServerResponse): Promise<void> {
    const result = await this.#tool(message, response);
    if (result === undefined) return;
    event(response, { id: message.id, result });
    response.end();
  }

  #side({ id, method, params }: Message, response: http.ServerResponse): void {
    if (method === "tools/list") {
      const tool = { name: "echo", inputSchema: { type: "object" } };
      json(response, {
        id,
        result: { tools: [tool], nextCursor: params?.["cursor"] === undefined ? "2" : undefined },
      });
    } else if (method === "resources/read" && params?.uri !== "mem://a")
      json(response, {
        id,
        error: { code: -32002, message: "Resource not found", data: { uri: params?.uri } },
      });
    else if (method === "resources/read") json(response, { id, result: { contents: [] } });
    else if (method?.startsWith("resources/") === true || method === "logging/setLevel")
      json(response, { id, result: {} });
    else json(response, { id, error: { code: -32601, message: "Method not found" } });
  }

  async #tool({ id, params }: Message, response: http.ServerResponse): Promise<object | undefined> {
    const form = { method: "elicitation/create", params: { message: "Who?", requestedSchema: {} } };
    const ask = async (request: object = form): Promise<Message> => await this.#ask(response, request);
    switch (params?.name) {
      case "ask":
        return text(await ask());
      case "ask_beside":
        return text(await this.#ask([...this.beside].at(-1) ?? response, form));
      case "ask_twice":
        return text(await Promise.all([ask(), ask({ method: "roots/list" })]));
      case "ask_more": {
        const answers: unknown[] = [];
        for (let round = 0; round < Number(params.arguments?.["rounds"]); round++)
          answers.push((await ask()).result?.["content"]);
        return text(answers);
      }
      case "sample":
        return text(await ask({ method: "sampling/createMessage", params: { messages: [], maxTokens: 1 } }));
      case "roots":
        return text(await ask({ method: "roots/list" }));
      case "ping":
        return text(await ask({ method: "ping" }));
      case "alien":
        return text(await ask({ method: "alien/ask" }));
      case "withdraw":
        void ask();
        await new Promise((resolve) => setTimeout(resolve, 200));
        return text("by itself");
      case "log_beside": {
        const beside = [...this.beside].at(-1) ?? response;
        event(beside, { method: "notifications/message", params: { level: "error", data: "beside" } });
        progress(beside, params);
        await new Promise((resolve) => setTimeout(resolve, 100));
        return text("logged");
      }
      case "hold":
        progress(response, params);
        return undefined;
      case "polled":
        this.#left = { id: id ?? 0 };
        response.write("id: 1\nretry: 10\ndata:\n\n");
        response.end();
        return undefined;
      case "log":
        for (const level of ["debug", "info", "error"])
          event(response, { method: "notifications/message", params: { level, data: level } });
        progress(response, params);
        return text("logged");
      default:
        return text(params);
    }
  }

  async #ask(response: http.ServerResponse, request: object): Promise<Message> {
    const id = ++this.#ids;
    const { promise, resolve } = Promise.withResolvers<Message>();
    this.#asked.set(id, resolve);
    event(response, { id, ...request });
    return await promise;
  }
}

function progress(response: http.ServerResponse, params: Message["params"]): void {
  const progressToken = params?._meta?.["progressToken"];
  event(response, { method: "notifications/progress", params: { progressToken, progress: 1 } });
}

function text(value: unknown): object {
  return { content: [{ type: "text", text: JSON.stringify(value) }] };
}

function stream(response: http.ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.flushHeaders();
}

function event(response: http.ServerResponse, message: object): void {
  response.write(`event: message\ndata: ${JSON.stringify({ jsonrpc: "2.0", ...message })}\n\n`);
}

function json(response: http.ServerResponse, message: object): void {
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ jsonrpc: "2.0", ...message }));
}

function refuse(response: http.ServerResponse, status: number, message: string): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ jsonrpc: "2.0", id: null, error: { code: -32000, message } }));
}
