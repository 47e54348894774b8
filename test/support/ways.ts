/**
 * The same request by each way there is to a server: straight, through the gateway, and through a sidecar before it.
 * What is no different by any of them, we haven't broken. One gateway serves a whole test file.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";

import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { connectHttp, type ConnectOptions } from "../../src/app/connect.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { atEnd, type Cleanup } from "./cleanup.ts";
import {
  type Answering,
  echoResult,
  enrol,
  type Enrolment,
  openPolicy,
  rawLink,
  stubServer,
  type StubServer,
  freshState,
  testGateway,
  type TestGateway,
  toolCall,
} from "./gateway.ts";

export interface Asked {
  readonly method?: string;
  readonly headers?: http.OutgoingHttpHeaders | undefined;
  readonly body?: string | Uint8Array;
}

export interface Answered {
  readonly status: number;
  /** Each value of a header by itself, in order. */
  readonly headers: Readonly<Record<string, readonly string[] | undefined>>;
  readonly bytes: Buffer;
}

/** An answer that is still coming. */
interface Opened {
  readonly answer: http.IncomingMessage;
  /** What came until now. */
  readonly sofar: () => string;
  readonly leave: () => void;
}

export interface Way {
  readonly name: "straight" | "gateway" | "sidecar";
  readonly url: string;
  readonly ask: (asked: Asked) => Promise<Answered>;
  readonly open: (asked: Asked) => Promise<Opened>;
  /** Asks and waits for nothing. @returns what drops the connection */
  readonly begin: (asked: Asked) => () => void;
}

/** The three ways to one server of the gateway. */
export interface Paths {
  readonly straight: Way;
  readonly gateway: Way;
  readonly sidecar: Way;
  /** The two that are ours. */
  readonly ours: readonly [Way, Way];
}

export interface Ways extends Paths {
  readonly stub: StubServer;
  readonly house: TestGateway;
  readonly enrolment: Enrolment;
  /** Has the server answer like that from now on. */
  readonly answering: (answer: Answering) => void;
}

export const json = { "content-type": "application/json", accept: "application/json, text/event-stream" };
export const listening = { accept: "text/event-stream" };

/** Three ways to a stub that answers as it is told last. */
export async function ways(t: Cleanup, yaml = openPolicy): Promise<Ways> {
  let answer: Answering = echoResult;
  const stub = await stubServer(t, (...given) => answer(...given));
  const house = await testGateway(t, `servers: { stub: { url: "${stub.url}" } }\n${yaml}`);
  const enrolment = await enrol(house);
  const paths = await pathsTo(t, house, { server: "stub", url: stub.url, enrolment });
  return { ...paths, stub, house, enrolment, answering: (given) => void (answer = given) };
}

export async function pathsTo(
  t: Cleanup,
  house: TestGateway,
  target: { readonly server: string; readonly url: string; readonly enrolment: Enrolment },
): Promise<Paths> {
  const connection = await connectHttp(await sidecarOf(t, house, target.server), 0);
  atEnd(t, connection.close);
  const straight = wayTo("straight", target.url);
  const gateway = gatewayWay(t, house, target);
  const sidecar = wayTo("sidecar", connection.url);
  return { straight, gateway, sidecar, ours: [gateway, sidecar] };
}

export function gatewayWay(
  t: Cleanup,
  house: TestGateway,
  { server, enrolment }: { readonly server: string; readonly enrolment: Enrolment },
): Way {
  const agent = new LinkAgent(house, enrolment);
  atEnd(t, () => agent.destroy());
  return wayTo("gateway", `http://gateway.test/mcp/${server}`, agent);
}

/** How many sidecars have joined. */
let sidecars = 0;

/** A sidecar that may join `house` as an agent of its own. */
export async function sidecarOf(t: Cleanup, house: TestGateway, target: string): Promise<ConnectOptions> {
  // Each has message keys of its own, so each has a name of its own.
  const path = `agent/sidecar-${(sidecars += 1)}`;
  const token = await makeJoinToken(house.config, { path, address: house.address }, systemClock);
  return {
    target,
    state: await freshState(t),
    joinToken: token,
    clock: systemClock,
    log: systemLog({ level: "error", form: "json", write: () => undefined }),
  };
}

/** Asks by all three ways and compares status, bytes and the headers named. @returns the straight answer */
export async function same(
  paths: Paths,
  asked: Asked,
  names: readonly string[] = ["content-type"],
): Promise<Answered> {
  const straight = await paths.straight.ask(asked);
  for (const way of paths.ours) {
    const through = await way.ask(asked);
    assert.equal(through.status, straight.status, `${way.name}: the status`);
    assert.equal(through.bytes.toString(), straight.bytes.toString(), `${way.name}: the text`);
    assert.ok(through.bytes.equals(straight.bytes), `${way.name}: the bytes`);
    for (const name of names) {
      assert.deepEqual(through.headers[name], straight.headers[name], `${way.name}: ${name}`);
    }
  }
  return straight;
}

/** Answers with these bytes, whatever was asked. */
export function bytesAnswer(
  body: string | Uint8Array,
  headers: http.OutgoingHttpHeaders = { "content-type": "application/json" },
  status = 200,
): Answering {
  return (_request, response) => void response.writeHead(status, headers).end(body);
}

export const modernMeta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
} as const;

export function modernHeaders(method: string, name?: string): Record<string, string> {
  const version = modernMeta["io.modelcontextprotocol/protocolVersion"];
  return {
    ...json,
    "mcp-protocol-version": version,
    "mcp-method": method,
    ...(name !== undefined && { "mcp-name": name }),
  };
}

/** A modern tool call with the headers it needs. @param meta beside what makes it modern */
export function modernCall(
  name: string,
  args: unknown = {},
  id: number | string = 1,
  meta: object = {},
): Asked {
  const params = { name, arguments: args, _meta: { ...modernMeta, ...meta } };
  const message = { jsonrpc: "2.0", id, method: "tools/call", params };
  return { headers: modernHeaders("tools/call", name), body: JSON.stringify(message) };
}

export function legacyCall(args: unknown = {}, id: number | string = 1): string {
  return JSON.stringify(toolCall("a", id, args));
}

/** Each connection is a proven link to the gateway. */
class LinkAgent extends http.Agent {
  readonly #house: TestGateway;
  readonly #enrolment: Enrolment;

  constructor(house: TestGateway, enrolment: Enrolment) {
    super({ keepAlive: true });
    this.#house = house;
    this.#enrolment = enrolment;
  }

  override createConnection(...[, done]: Parameters<http.Agent["createConnection"]>): undefined {
    void this.#link(done);
  }

  async #link(done: Parameters<http.Agent["createConnection"]>[1]): Promise<void> {
    try {
      done?.(null, await rawLink(this.#house, this.#enrolment));
    } catch (error) {
      done?.(error as Error, undefined as never);
    }
  }
}

function wayTo(name: Way["name"], url: string, agent: http.Agent | false = false): Way {
  const begin = ({ method = "POST", headers = json, body }: Asked): http.ClientRequest => {
    const request = http.request(url, { method, headers, agent });
    request.end(body);
    return request;
  };
  const responseTo = async (request: http.ClientRequest): Promise<http.IncomingMessage> =>
    ((await once(request, "response")) as [http.IncomingMessage])[0];
  return {
    name,
    url,
    begin: (asked) => {
      const request = begin(asked).on("error", () => undefined);
      return () => void request.destroy();
    },
    open: async (asked) => {
      const request = begin(asked);
      const answer = await responseTo(request);
      for (const stream of [request, answer]) stream.on("error", () => undefined); // Whoever leaves makes one.
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      return { answer, sofar: () => Buffer.concat(chunks).toString(), leave: () => void request.destroy() };
    },
    ask: async (asked) => {
      const answer = await responseTo(begin(asked));
      const bytes = Buffer.concat(await Array.fromAsync(answer as AsyncIterable<Buffer>));
      return { status: answer.statusCode ?? 0, headers: answer.headersDistinct, bytes };
    },
  };
}
