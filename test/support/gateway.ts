/** A whole gateway in this process, on loopback, with a state folder of its own. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import tls from "node:tls";

import { Pool } from "undici";

import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { type Config, parseConfig } from "../../src/app/config.ts";
import { credentialsOf } from "../../src/app/credentials.ts";
import { type Gateway, startGateway } from "../../src/app/gateway.ts";
import { generateKeyPair, type KeyPair } from "../../src/crypto/keys.ts";
import { freshKdfParameters } from "../../src/crypto/sealed.ts";
import { createSigningRequest } from "../../src/crypto/signing-request.ts";
import { type EnrolledIdentity, join } from "../../src/host/net/enrol-client.ts";
import { clientTlsOptions, type Credentials } from "../../src/host/net/tls.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { readJoinToken } from "../../src/identity/join-token.ts";
import type { Clock } from "../../src/kernel/clock.ts";
import { type SseEvent, sseReader } from "../../src/wire/sse.ts";
import { atEnd, type Cleanup } from "./cleanup.ts";

export const openPolicy = `
policies:
  - name: test-agents
    callers: ["spiffe://latticegate.local/agent/*"]
    tools: ["*"]
    resources: ["*"]
    prompts: ["*"]
    effect: allow
    because: Tests may do anything.
`;

export interface TestGateway extends Gateway {
  readonly config: Config;
  readonly folder: string;
  /** What was logged, as JSON lines. */
  readonly log: readonly string[];
  readonly clock: Clock;
}

export interface TestGatewayOptions {
  readonly clock?: Clock;
  /** With the state of a gateway that was there before. */
  readonly folder?: string;
  readonly listen?: string;
  readonly dashboard?: string;
  /** As `up --observe`. */
  readonly observes?: true;
}

/** @param yaml servers, policies and limits; what the options name is given */
export async function testGateway(
  t: Cleanup,
  yaml: string,
  options: TestGatewayOptions = {},
): Promise<TestGateway> {
  const { listen = "127.0.0.1:0", dashboard = "off" } = options;
  const folder = options.folder ?? (await temporaryFolder(t));
  await quicklyUnlocked(path.join(folder, "state"));
  const parsed = parseConfig(
    `state: ./state\nlisten: ${listen}\ndashboard: "${dashboard}"\n${yaml}`,
    path.join(folder, "latticegate.yaml"),
  );
  const config: Config = options.observes === true ? { ...parsed, observes: true } : parsed;
  const lines: string[] = [];
  const clock = options.clock ?? systemClock;
  const log = systemLog({ level: "debug", clock, form: "json", write: (line) => void lines.push(line) });
  const gateway = await startGateway(config, { clock, log });
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopping ??= gateway.stop());
  // A test that stopped it has seen how that ended.
  atEnd(t, () => (stopping === undefined ? stop() : stopping.catch(() => undefined)));
  return { ...gateway, stop, config, folder, log: lines, clock };
}

export async function temporaryFolder(t: Cleanup): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "latticegate-"));
  atEnd(t, () => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Where a sidecar or an exposed server may keep its state. */
export async function freshState(t: Cleanup): Promise<string> {
  const state = path.join(await temporaryFolder(t), "state");
  await quicklyUnlocked(state);
  return state;
}

/** A test opens a state folder many times: a new one's passphrase costs as little as is allowed. */
export async function quicklyUnlocked(state: string): Promise<void> {
  const keys = path.join(state, "keys");
  if ((await mkdir(keys, { recursive: true, mode: 0o700 })) === undefined) return;
  const kdf = { ...freshKdfParameters(), memoryKiB: 8192, passes: 1, lanes: 1 };
  await writeFile(path.join(keys, "kdf.json"), JSON.stringify(kdf), { mode: 0o600 });
}

export interface Enrolment {
  readonly identity: EnrolledIdentity;
  readonly key: KeyPair;
  readonly credentials: Credentials;
}

export async function enrol(gateway: TestGateway, spiffePath = "agent/test"): Promise<Enrolment> {
  const { config, clock, address } = gateway;
  const token = readJoinToken(await makeJoinToken(config, { path: spiffePath, address }, clock));
  const key = generateKeyPair(config.profile.identity);
  const identity = await join(token, createSigningRequest(key), config.profile);
  return { identity, key, credentials: credentialsOf(key, identity.certificate) };
}

export interface Client {
  /** Sends one HTTP request to a server behind the gateway. */
  readonly request: (
    server: string,
    options: {
      readonly method?: string;
      /** Instead of the server's. */
      readonly path?: string;
      readonly headers?: Record<string, string>;
      readonly body?: string | Buffer;
    },
  ) => Promise<{
    readonly status: number;
    readonly headers: Record<string, unknown>;
    readonly bytes: Buffer;
    readonly text: string;
  }>;
  /** Like `request`, with the answer's events as they come. */
  readonly stream: (
    server: string,
    options: Parameters<Client["request"]>[1],
  ) => Promise<{
    readonly status: number;
    readonly events: AsyncIterable<SseEvent>;
    /** Breaks the connection. */
    readonly cut: () => void;
  }>;
  /** Posts one JSON-RPC message. */
  readonly post: (
    server: string,
    message: unknown,
    headers?: Record<string, string>,
  ) => ReturnType<Client["request"]>;
}

type Http = "http/1.1" | "h2";
let http1Or2: Http = "http/1.1";

/** The version of HTTP that clients of this process speak from now on. */
export function speak(version: Http): void {
  http1Or2 = version;
}

export function spoken(): Http {
  return http1Or2;
}

/** A client with that identity, and TLS otherwise than sidecars have it; its connections end with the test. */
export function clientOf(
  t: Cleanup,
  gateway: TestGateway,
  enrolment: Enrolment,
  otherwise: tls.ConnectionOptions = {},
): Client {
  const pool = new Pool(`https://${gateway.address}`, {
    connections: 64,
    connect: {
      ...clientTlsOptions({
        profile: gateway.config.profile,
        serverRoots: enrolment.identity.server_roots,
        peerSpiffeId: enrolment.identity.gateway,
        credentials: enrolment.credentials,
      }),
      ALPNProtocols: [http1Or2],
      ...otherwise,
    } as object,
  });
  atEnd(t, () => pool.destroy());
  const request: Client["request"] = async (server, options) => {
    const { method = "POST", path = `/mcp/${server}`, headers = {}, body } = options;
    const answer = await pool.request({
      path,
      method,
      headers,
      body: body ?? null,
    });
    const bytes = Buffer.from(await answer.body.arrayBuffer());
    return { status: answer.statusCode, headers: answer.headers, bytes, text: bytes.toString() };
  };
  return {
    request,
    stream: async (server, { method = "POST", headers = {}, body = null }) => {
      const answer = await pool.request({ path: `/mcp/${server}`, method, headers, body });
      const reader = sseReader(64 * 1024 * 1024);
      async function* events(): AsyncGenerator<SseEvent> {
        for await (const chunk of answer.body) yield* reader.push(chunk as Buffer);
      }
      return {
        status: answer.statusCode,
        events: events(),
        cut: () => void answer.body.on("error", () => undefined).destroy(),
      };
    },
    post: (server, message, headers = {}) =>
      request(server, {
        headers: {
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          ...headers,
        },
        body: JSON.stringify(message),
      }),
  };
}

/** A proven link without an HTTP client on it. */
export async function rawLink(gateway: TestGateway, enrolment: Enrolment): Promise<tls.TLSSocket> {
  const [host, port] = gateway.address.split(":");
  const link = tls.connect({
    ...clientTlsOptions({
      profile: gateway.config.profile,
      serverRoots: enrolment.identity.server_roots,
      peerSpiffeId: enrolment.identity.gateway,
      credentials: enrolment.credentials,
    }),
    host: host ?? "",
    port: Number(port),
  });
  await once(link, "secureConnect");
  return link.on("error", () => undefined);
}

/** Asks on a link; resolves with the status, or "cut". */
export async function asked(link: tls.TLSSocket): Promise<string> {
  if (link.closed) return "cut";
  link.write("GET /mcp/none HTTP/1.1\r\nHost: x\r\n\r\n");
  const answer = once(link, "data").then(([bytes]: Buffer[]) => String(bytes).slice(9, 12));
  return await Promise.race([answer, once(link, "close").then(() => "cut")]).catch(() => "cut");
}

export interface StubServer {
  readonly url: string;
  /** What arrived, in order. */
  readonly seen: readonly {
    readonly method: string;
    readonly headers: http.IncomingHttpHeaders;
    readonly body: string;
  }[];
  readonly server: http.Server;
}

export type Answering = (request: http.IncomingMessage, response: http.ServerResponse, body: string) => void;

/** An MCP server that answers as the test wants; by default each request with an empty result. */
export async function stubServer(t: Cleanup, answer: Answering = echoResult): Promise<StubServer> {
  const seen: { method: string; headers: http.IncomingHttpHeaders; body: string }[] = [];
  const server = http.createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
    request.on("end", () => {
      seen.push({ method: request.method ?? "", headers: request.headers, body });
      answer(request, response, body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`, seen, server };
}

export function echoResult(
  _request: http.IncomingMessage,
  response: http.ServerResponse,
  body: string,
): void {
  const message = body === "" ? {} : (JSON.parse(body) as { id?: unknown });
  if (message.id === undefined) {
    response.writeHead(202).end();
    return;
  }
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ jsonrpc: "2.0", id: message.id, result: {} }));
}

export function toolCall(name: string, id: number | string = 1, args: unknown = {}): object {
  return { jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: args } };
}

/** Waits until `condition` holds; fails after five seconds with what was awaited. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 20_000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
