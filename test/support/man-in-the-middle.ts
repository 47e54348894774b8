/**
 * Somebody between two ends of a house who holds identities of it: ends the TLS of both, proves whatever they demand,
 * and reads and changes the MCP messages that pass. What the certificates of a house can't keep out, stands here.
 */
import { once } from "node:events";
import http from "node:http";
import net, { type AddressInfo } from "node:net";
import tls from "node:tls";

import type { Dispatcher } from "undici";

import { answerProof, type ClassicalCredentials, linkProofPath } from "../../src/host/net/link-proof.ts";
import type { HttpRequest } from "../../src/host/net/http-exchange.ts";
import { type RenewablePool, renewablePool } from "../../src/host/net/renewable-pool.ts";
import { clientTlsOptions } from "../../src/host/net/tls.ts";
import { trustedRoots } from "../../src/identity/authority.ts";
import type { Channel } from "../../src/model/channel.ts";
import { sseReader, withData } from "../../src/wire/sse.ts";
import { authorityOf } from "./authority.ts";
import { atEnd, type Cleanup } from "./cleanup.ts";
import { forgedIdentity } from "./forger.ts";
import type { TestGateway } from "./gateway.ts";

/** A message that passes, and what he can do with its link meanwhile. */
export interface Passing {
  readonly verb: HttpRequest["method"];
  readonly body: Buffer;
  /** Path and query it was sent to. */
  readonly path: string;
  /** Sends a message of his own on the same way, with the headers of the one that passes. @returns the whole answer */
  readonly send: (body: Buffer | string) => Promise<Answer>;
}

interface Answer {
  readonly status: number;
  readonly text: string;
  /** Its JSON-RPC messages: one, or those of its events. */
  readonly messages: readonly Buffer[];
}

type Changed = Buffer | string | Promise<Buffer | string>;

/** What he does; what isn't named passes untouched. */
export interface Meddling {
  /** With each request that is posted, before it goes on. */
  readonly call?: (passing: Passing) => Changed;
  /** Instead of sending a request on at all; undefined sends it on. */
  readonly instead?: (passing: Passing) => Promise<Answering | undefined> | Answering | undefined;
  /** With each JSON-RPC message of an answer; `passing` is the request as it came. */
  readonly answer?: (message: Buffer, passing: Passing) => Changed;
}

export interface Answering {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

interface Heard {
  readonly call: Buffer;
  readonly answers: readonly Buffer[];
}

export interface ManInTheMiddle {
  /** `host:port`, where the near end is to connect instead. */
  readonly address: string;
  /** Takes his place: from now on he can speak for both ends. */
  readonly between: (gateway: TestGateway, places: Places) => Promise<void>;
  readonly meddle: (meddling: Meddling) => void;
  /** What was posted and answered, as both came to him. */
  readonly heard: readonly Heard[];
}

interface Places {
  /** SPIFFE ID he shows to the near end, as the server. */
  readonly as: string;
  /** SPIFFE ID he shows to the far end, as a client. */
  readonly caller: string;
  readonly far: {
    /** `host:port` */
    readonly address: string;
    readonly spiffeId: string;
    /** Of what he is asked for, where that is another there; the same by default. */
    readonly path?: (asked: string) => string;
  };
}

/** The two he has once he has taken his place. */
interface Standing {
  readonly gateway: TestGateway;
  readonly near: { readonly tls: tls.Server; readonly classical: ClassicalCredentials };
  readonly far: RenewablePool;
  readonly places: Places;
}

const maxEventBytes = 64 * 1024 * 1024;

/** Headers of one connection, which each side has of its own. */
const ofTheHop = new Set([
  "host",
  "connection",
  "keep-alive",
  "transfer-encoding",
  "content-length",
  "expect",
]);

/** He is found at an address before there is a house, so that its config can name him. */
export async function manInTheMiddle(t: Cleanup): Promise<ManInTheMiddle> {
  let standing: Standing | undefined;
  let meddling: Meddling = {};
  const heard: Heard[] = [];
  const front = http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    const taken = standing ?? fail("nobody stands here yet");
    pass(request, response, { ...taken, meddling, heard }).catch(() => response.destroy());
  });
  const open = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    open.add(socket);
    socket.on("error", () => undefined).on("close", () => open.delete(socket));
    if (standing === undefined) socket.destroy();
    else standing.near.tls.emit("connection", socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(t, async () => {
    server.close();
    for (const socket of open) socket.destroy();
    await standing?.far.close();
  });
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    between: async (gateway, places) => {
      const near = await nearEnd(gateway, places.as, front);
      standing = { gateway, near, far: await farEnd(gateway, places), places };
    },
    meddle: (next) => (meddling = next),
    heard,
  };
}

async function nearEnd(
  gateway: TestGateway,
  spiffeId: string,
  front: http.Server,
): Promise<Standing["near"]> {
  const { profile } = gateway.config;
  const { certificate, privateKey, classical } = await forgedIdentity(gateway, {
    spiffeId,
    purpose: "server",
  });
  const server = tls.createServer(
    {
      cert: certificate,
      key: privateKey,
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: "TLSv1.3",
      ecdhCurve: profile.groups.map(({ id }) => id).join(":"),
      sigalgs: profile.identity.tlsName ?? "",
      ALPNProtocols: ["http/1.1"],
    },
    (link) => {
      link.on("error", () => undefined);
      front.emit("connection", link);
    },
  );
  return { tls: server.on("tlsClientError", () => undefined), classical };
}

async function farEnd(gateway: TestGateway, { caller, far }: Places): Promise<RenewablePool> {
  const { profile } = gateway.config;
  const credentials = await forgedIdentity(gateway, { spiffeId: caller, purpose: "client" });
  const serverRoots = trustedRoots(await authorityOf(gateway), "server");
  return renewablePool(`https://${far.address}`, {
    terms: profile,
    tls: clientTlsOptions({ profile, serverRoots, peerSpiffeId: far.spiffeId, credentials }),
    proof: {
      own: credentials.classical,
      isDemanded: false,
      revokedSerials: () => new Set(),
      clock: gateway.clock,
    },
  });
}

interface Meddler extends Standing {
  readonly meddling: Meddling;
  readonly heard: Heard[];
}

async function pass(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  man: Meddler,
): Promise<void> {
  const body = Buffer.concat((await Array.fromAsync(request)) as Buffer[]);
  if (request.url === linkProofPath) {
    await prove(request.socket as tls.TLSSocket, body, response, man);
    return;
  }
  const { url = "" } = request;
  const method = request.method as HttpRequest["method"];
  const { far, places, meddling } = man;
  const headers = ownHeaders(request.rawHeaders);
  const path = places.far.path?.(url) ?? url;
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  const ask = (asked: Buffer): Promise<Dispatcher.ResponseData> =>
    far.dispatcher().request({
      path,
      method,
      headers,
      body: asked.length === 0 ? null : asked,
      signal: gone.signal,
    });
  const passing: Passing = {
    verb: method,
    body,
    path: url,
    send: async (own) => await whole(await ask(Buffer.from(own))),
  };
  const answers: Buffer[] = [];
  if (method === "POST") man.heard.push({ call: body, answers });
  const instead = await meddling.instead?.(passing);
  if (instead !== undefined) {
    const { status = 200, headers: shown = { "content-type": "application/json" } } = instead;
    response.writeHead(status, shown).end(instead.body);
    return;
  }
  if (method !== "POST") {
    await passAnswer(await ask(body), response, (message) => message);
    return;
  }
  const asked = Buffer.from((await meddling.call?.(passing)) ?? body);
  await passAnswer(await ask(asked), response, async (message) => {
    answers.push(message);
    return Buffer.from((await meddling.answer?.(message, passing)) ?? message);
  });
}

/** To who demands a classical identity too: he has that one as well. */
async function prove(
  link: tls.TLSSocket,
  body: Buffer,
  response: http.ServerResponse,
  { gateway, near }: Meddler,
): Promise<void> {
  const { profile, trust_domain: domain } = gateway.config;
  const trust = {
    domain,
    identityAlgorithms: [profile.identity.id],
    groups: [],
    revokedSerials: new Set<string>(),
    issuers: new Set<string>(),
  };
  const peer = { kind: "svid" } as Channel["peer"];
  const asked = { channel: { peer } as Channel, body };
  const by = { own: near.classical, trust, nowUnixMs: gateway.clock.nowUnixMs() };
  const { answer } = await answerProof(link, asked, by);
  response
    .writeHead(200, { "content-type": "application/json", "content-length": answer.length })
    .end(answer);
}

async function passAnswer(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  response: http.ServerResponse,
  change: (message: Buffer) => Buffer | Promise<Buffer>,
): Promise<void> {
  const shown = Object.entries(headers).filter(([name]) => !ofTheHop.has(name)) as [string, string][];
  const isEvents = String(headers["content-type"]).startsWith("text/event-stream");
  if (!isEvents) {
    const message = Buffer.from(await body.arrayBuffer());
    const changed = message.length === 0 ? message : await change(message);
    response.writeHead(statusCode, Object.fromEntries(shown)).end(changed);
    return;
  }
  response.writeHead(statusCode, Object.fromEntries(shown)).flushHeaders();
  const reader = sseReader(maxEventBytes);
  for await (const chunk of body) {
    for (const event of reader.push(chunk as Buffer)) {
      const data = event.data === null || event.data.length === 0 ? undefined : Buffer.from(event.data);
      const changed = data && (await change(data));
      const isSame = changed === undefined || data === undefined || changed.equals(data);
      response.write(isSame ? event.raw : withData(event, changed));
    }
  }
  response.end(reader.rest());
}

async function whole({ statusCode, headers, body }: Dispatcher.ResponseData): Promise<Answer> {
  const bytes = Buffer.from(await body.arrayBuffer());
  const isEvents = String(headers["content-type"]).startsWith("text/event-stream");
  const messages = isEvents
    ? sseReader(maxEventBytes)
        .push(bytes)
        .flatMap(({ data }) => (data === null ? [] : [Buffer.from(data)]))
    : [bytes];
  return { status: statusCode, text: bytes.toString(), messages };
}

function ownHeaders(raw: readonly string[]): string[] {
  const own: string[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const [name = "", value = ""] = raw.slice(at, at + 2);
    if (!ofTheHop.has(name.toLowerCase())) own.push(name, value);
  }
  return own;
}

function fail(why: string): never {
  throw new Error(why);
}
