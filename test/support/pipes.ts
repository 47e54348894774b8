/** Both ends of stdio for tests: a server behind the gateway that writes what it is told, a client in front of `connect`. */
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";

import { connectStdio } from "../../src/app/connect.ts";
import { lineReader } from "../../src/wire/lines.ts";
import { sseReader } from "../../src/wire/sse.ts";
import { atEnd, type Cleanup } from "./cleanup.ts";
import {
  type Client,
  clientOf,
  enrol,
  eventually,
  openPolicy,
  testGateway,
  type TestGateway,
} from "./gateway.ts";
import { gatewayWay, modernCall, sidecarOf, type Way } from "./ways.ts";

const script = fileURLToPath(new URL("./scripted-server.ts", import.meta.url));

type Posted = Awaited<ReturnType<Client["request"]>>;

export interface ScriptedServer {
  readonly house: TestGateway;
  readonly client: Client;
  readonly way: Way;
  /** A modern call of one of its tools. */
  readonly pipe: (tool: string, args?: object, id?: number | string) => Promise<Posted>;
  /** Opens a legacy session. */
  readonly session: () => Promise<LegacySession>;
}

export interface LegacySession {
  readonly headers: Readonly<Record<string, string>>;
  readonly call: (tool: string, args?: object, id?: number | string, meta?: object) => Promise<Posted>;
  readonly tell: (message: object) => Promise<Posted>;
}

/** @param server further keys of its config @param rest of the gateway's */
export async function scriptedServer(
  t: Cleanup,
  server = "",
  rest = "limits: { answer_timeout: 10s }",
): Promise<ScriptedServer> {
  const house = await testGateway(
    t,
    `servers: { pipe: { command: ["${process.execPath}", "${script}"]${server} } }\n${rest}\n${openPolicy}`,
  );
  const enrolment = await enrol(house);
  const client = clientOf(t, house, enrolment);
  return {
    house,
    client,
    way: gatewayWay(t, house, { server: "pipe", enrolment }),
    pipe: (tool, args = {}, id = 1) => {
      const { headers, body } = modernCall(tool, args, id);
      return client.request("pipe", { headers: headers as Record<string, string>, body: body as string });
    },
    session: () => openSession(client, "pipe"),
  };
}

export async function openSession(client: Client, server: string): Promise<LegacySession> {
  const opened = await client.post(server, { jsonrpc: "2.0", id: 0, method: "initialize", params: {} });
  assert.equal(opened.status, 200);
  const headers = { "mcp-session-id": String(opened.headers["mcp-session-id"]) };
  const tell = (message: object): Promise<Posted> =>
    client.post(server, { jsonrpc: "2.0", ...message }, headers);
  assert.equal((await tell({ method: "notifications/initialized" })).status, 202);
  return {
    headers,
    tell,
    call: (tool, args = {}, id = 1, meta) =>
      tell({
        id,
        method: "tools/call",
        params: { name: tool, arguments: args, ...(meta && { _meta: meta }) },
      }),
  };
}

/** The messages of an answer, whether it came as JSON or as events, in their bytes. */
export function messagesIn(text: string): readonly string[] {
  if (!/^(event|id|retry|data|:)/.test(text)) return [text];
  const events = sseReader(Buffer.byteLength(text)).push(Buffer.from(text));
  return events.flatMap(({ data }) =>
    data === null || data.length === 0 ? [] : [Buffer.from(data).toString()],
  );
}

/** What a tool of the scripted server answered. */
export function valueIn(text: string): unknown {
  const message = JSON.parse(messagesIn(text).at(-1) ?? "") as {
    readonly result: { readonly content: readonly [{ readonly text: string }] };
  };
  return JSON.parse(message.result.content[0].text);
}

/** The lines the scripted server was sent, by what it answered to `heard`. */
export function heardIn(text: string): readonly string[] {
  return (valueIn(text) as readonly string[]).map((line) => Buffer.from(line, "base64").toString());
}

export interface StdioClient {
  /** What was written to the client, line by line. */
  readonly lines: readonly string[];
  readonly write: (bytes: string | Uint8Array) => void;
  /** Writes a message and waits for the next line. */
  readonly ask: (message: string | Uint8Array) => Promise<string>;
  readonly initialize: () => Promise<string>;
  /** The line the scripted server heard before it was asked for it. */
  readonly lastHeard: () => Promise<string>;
  /** Closes its end; resolves when `connect` has ended. */
  readonly end: () => Promise<void>;
}

/** A client that started `latticegate connect TARGET` as its stdio server. */
export async function stdioClient(t: Cleanup, house: TestGateway, target: string): Promise<StdioClient> {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const lines: string[] = [];
  const reader = lineReader(Number.MAX_SAFE_INTEGER);
  output.on("data", (chunk: Buffer) => {
    for (const line of reader.push(chunk)) lines.push(Buffer.from(line).toString());
  });
  const ended = connectStdio(await sidecarOf(t, house, target), { input, output });
  const end = async (): Promise<void> => {
    input.end();
    await ended;
  };
  atEnd(t, end);
  const write = (bytes: string | Uint8Array): void => void input.write(bytes);
  const ask = async (message: string | Uint8Array): Promise<string> => {
    const before = lines.length;
    write(message);
    if (Buffer.from(message).at(-1) !== 0x0a) write("\n");
    await eventually("an answer", () => lines.length > before);
    return lines[before] ?? "";
  };
  return {
    lines,
    write,
    ask,
    end,
    initialize: async () => {
      const answer = await ask('{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}');
      write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n');
      return answer;
    },
    lastHeard: async () => {
      const heard = '{"jsonrpc":"2.0","id":"heard","method":"tools/call","params":{"name":"heard"}}';
      return heardIn(await ask(heard)).at(-2) ?? "";
    },
  };
}
