/** The gateway's HTTP front: a request on a proven link becomes a call, its answer a response. */
import { randomUUIDv7 } from "node:crypto";
import type { Duplex } from "node:stream";

import type { HeaderList, Received, Reply } from "../../gate/call.ts";
import { maxIdentityRequestBytes } from "../../gate/identity-requests.ts";
import { logRefusal, refusedAnswer } from "../../gate/refuse.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Channel } from "../../model/channel.ts";
import { readTargetUrl, targetHeader, type TargetUrl } from "../../wire/target-url.ts";
import { formatRenewalWish, type RenewalWish } from "../../wire/renewal-wish.ts";
import { mcpPath } from "../../wire/protected-resource.ts";
import { checkContent, checkEncoding, isBrief, readBody } from "./body.ts";
import { checkNoBody } from "./forward-request.ts";
import {
  endCalls,
  endAllCalls,
  endLinks,
  type OpenCall,
  type WhyEnded,
  type WhyOver,
} from "./ended-links.ts";
import type { OnExchange } from "./flow-meter.ts";
import type { PingTimes } from "./h2-pings.ts";
import { type Arrived, type HttpLink, httpLinks, type HttpLinksOptions } from "./http-links.ts";
import { type LinkNow, linksNow } from "./links-now.ts";
import { checkHeaders, filtered, renewHeader, valueOf } from "./headers.ts";
import { type GrantsHttp, isAboutGrants } from "./grants-http.ts";
import { isAboutLog, type LogHttp } from "./log-http.ts";
import { linkProofPath } from "./link-proof.ts";
import { type OnProof, takeProof } from "./link-proof-http.ts";
import { type EndableReply, replyTo } from "./reply-to.ts";
import type { ServedRequest, ServedResponse } from "./served.ts";

/** What stands before a call on links that prove nobody. */
export interface Admission {
  /** Answers what is no call; true if it did. */
  readonly beside: (request: ServedRequest, response: ServedResponse) => boolean;
  /** The call with whom it was proven to come from, before its body is read. @throws Refusal */
  readonly admit: (call: Received, request: ServedRequest) => Promise<Received>;
  /** Whether a header of an answer, by its lower-case name, is ours to say and no server's. */
  readonly hides: (lowerCaseName: string) => boolean;
}

/** Under which a proven peer asks the gateway itself. */
const identityPath = "/identity/";

export interface McpHttpOptions {
  readonly admission?: Admission;
  readonly maxBodyBytes: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly onCall: (call: Received) => Promise<void>;
  /** Serves what callers ask of the gateway itself; absent where there is nothing. */
  readonly grants?: GrantsHttp | undefined;
  /** Serves witnesses of the log; absent where there is none to witness. */
  readonly witnesses?: LogHttp | undefined;
  /** Takes a link's proof of a classical identity; absent where this end has none to answer with. */
  readonly onProof?: OnProof;
  /** What is asked of the gateway itself, under that path. */
  readonly onIdentity?: (path: string, request: Received) => Promise<void>;
  /** What the peer of a link is asked with its next answer: to renew its identity; undefined if it need not. */
  readonly renewalWish?: (channel: Channel) => RenewalWish | undefined;
  /** Told what each exchange of a proven peer came to, in bytes of its link; absent where nobody asks. */
  readonly onExchange?: OnExchange | undefined;
  readonly timeouts?: HttpLinksOptions["timeouts"];
  /** When the other end of a link over HTTP/2 is asked whether it is there. */
  readonly pings?: PingTimes;
}

export interface McpHttp {
  /** Serves HTTP on a link whose peer is proven. */
  readonly serve: (link: Duplex, channel: Channel) => void;
  /**
   * Takes no new link, answers what still comes on open ones with `Connection: close`, and resolves when
   * every call is over and recorded, or after `graceMs`.
   */
  readonly drain: (graceMs: number) => Promise<void>;
  /** Says goodbye to such links once nothing is under way on them: their peers open others. */
  readonly retire: (which: (channel: Channel) => boolean) => void;
  /** Ends each link for which there is a reason, with the calls under way on it. */
  readonly review: (why: WhyEnded) => void;
  /** Ends each call for which there is a reason, judged by the access token it came with. */
  readonly reviewCalls: (why: WhyOver) => void;
  /** Ends every call under way. */
  readonly endAll: (why: Refusal) => void;
  readonly underWay: () => number;
  readonly links: () => readonly LinkNow[];
}

export function mcpHttp(options: McpHttpOptions): McpHttp {
  /** Ends of the streams on which servers speak unasked: they have no end of their own. */
  const listening = new Set<() => void>();
  let underWay = 0;
  let draining = false;
  let onIdle: (() => void) | undefined;
  const onRequest = (arrived: Arrived): void => {
    const { request, response, socket, link } = arrived;
    if (draining || link.isRetired) response.shouldKeepAlive = false;
    if (options.admission?.beside(request, response) === true) return;
    if (options.onExchange !== undefined) tellOfExchange(arrived, options.onExchange);
    underWay += 1;
    const closed = new Promise<void>((resolve) => response.once("close", resolve));
    const reply = replyFor(arrived, options);
    const open: OpenCall = { sendAway: reply.sendAway, cut: () => response.destroy() };
    link.calls.add(open);
    if (isListening(request)) listening.add(reply.over);
    // A call is over when its outcome is recorded, which may be after its caller left.
    const settled = Promise.allSettled([closed, take(arrived, { open, reply }, options)]);
    void settled.finally(() => {
      listening.delete(reply.over);
      underWay -= 1;
      link.calls.delete(open);
      // The head of a stream may have left before the end began, without saying that the link will close.
      const isLast = (draining || link.isRetired) && link.calls.size === 0;
      if (isLast && links.has(socket)) link.leave();
      if (underWay === 0) onIdle?.();
    });
  };
  const { log, timeouts, pings } = options;
  const { open: links, ...http } = httpLinks({
    onRequest,
    log,
    ...(timeouts && { timeouts }),
    ...(pings && { pings }),
  });
  return {
    serve: (socket, channel) => {
      http.serve(socket, channel);
      if (draining) links.get(socket)?.leave();
    },
    drain: async (graceMs) => {
      draining = true;
      for (const link of links.values()) link.leave();
      for (const over of listening) over();
      if (underWay > 0) await settledWithin(graceMs, (settle) => (onIdle = settle));
      for (const [socket, { calls }] of links) if (calls.size > 0) socket.destroy();
      await closedWithin(lingerMs, links.keys());
      http.close();
    },
    retire: (which) => retireLinks(links, which),
    review: (why) => endLinks(links, why, log),
    reviewCalls: (why) => endCalls(links, why, log),
    endAll: (why) => endAllCalls(links, why, log),
    underWay: () => underWay,
    links: () => linksNow(links.values()),
  };
}

function retireLinks(links: ReadonlyMap<Duplex, HttpLink>, which: (channel: Channel) => boolean): void {
  for (const link of links.values()) {
    if (link.isRetired || !which(link.channel)) continue;
    link.isRetired = true;
    link.leave();
  }
}

function replyFor({ response, link, hangUp }: Arrived, options: McpHttpOptions): EndableReply {
  const { admission } = options;
  const ours = (headers: HeaderList): HeaderList =>
    admission === undefined ? headers : filtered(headers, (name) => !admission.hides(name));
  return replyTo(response, { notice: noticeFor(link.channel, options), ours, hangUp });
}

/** What the peer of a link is told with each answer. */
function noticeFor(channel: Channel, { renewalWish }: McpHttpOptions): HeaderList {
  const wish = renewalWish?.(channel);
  return wish === undefined ? [] : [renewHeader, formatRenewalWish(wish)];
}

/** What it came to is known when the answer has left. */
function tellOfExchange({ response, link, carried }: Arrived, onExchange: OnExchange): void {
  const startMs = performance.now();
  response.once("close", () => {
    const bytes = carried();
    const { peer } = link.channel;
    const who = peer.kind === "svid" ? peer.spiffeId : link.lastCaller;
    if (bytes !== undefined && who !== undefined)
      onExchange({ direction: "incoming", peer: who, startMs, ...bytes });
  });
}

/** A call, or the proof that the calls behind it come under. */
async function take(arrived: Arrived, { open, reply }: Taken, options: McpHttpOptions): Promise<void> {
  const { request, response, link } = arrived;
  const { grants, witnesses, onProof, log } = options;
  if (grants !== undefined && isAboutGrants(request)) await grants(request, response, link.channel);
  else if (witnesses !== undefined && isAboutLog(request)) await witnesses(request, response, link.channel);
  else if (onProof !== undefined && request.url === linkProofPath) {
    const { channel } = link;
    link.channel = await takeProof(arrived, { channel, reply, log, onProof });
  } else await receive(arrived, { open, reply }, options);
}

interface Taken {
  readonly open: OpenCall;
  readonly reply: Reply;
}

async function receive(
  { request, response, link }: Arrived,
  { open, reply }: Taken,
  options: McpHttpOptions,
): Promise<void> {
  const call: Received = {
    id: randomUUIDv7(),
    atUnixMs: options.clock.nowUnixMs(),
    channel: link.channel,
    reply,
    server: serverName(request.url ?? ""),
    verb: request.method === "GET" || request.method === "DELETE" ? request.method : "POST",
    header: (name) => valueOf(request.rawHeaders, name),
    headers: request.rawHeaders,
    body: new Uint8Array(0),
  };
  const path = pathOf(request);
  try {
    checkHeaders(request);
    if (path.startsWith(identityPath) && options.onIdentity !== undefined) {
      await options.onIdentity(path, { ...call, body: await readIdentityRequest(request) });
      return;
    }
    checkRequest(request);
    const targetUrl = targetOf(request);
    if (targetUrl !== undefined) checkNoBody(request);
    const admitted = (await options.admission?.admit(call, request)) ?? call;
    notePresented(admitted, open, link);
    const body = call.verb === "POST" ? await readBody(request, options.maxBodyBytes) : call.body;
    await options.onCall({ ...admitted, body, ...(targetUrl && { targetUrl }) });
  } catch (error) {
    const { status, headers, body } = refusedAnswer(call, error);
    logRefusal(call, error, options.log);
    // What is left of the request isn't read, unless its sender was only told to come with a token.
    if (status !== 401 || !isBrief(request)) response.shouldKeepAlive = false;
    call.reply.whole(status, headers, body);
  }
}

/** Whose call it is, for when its token ends, and for the operator. */
function notePresented({ presented }: Received, open: OpenCall, link: HttpLink): void {
  open.presented = presented;
  if (presented !== undefined) link.lastCaller = presented.id;
}

async function readIdentityRequest(request: ServedRequest): Promise<Uint8Array> {
  if (request.method !== "POST") throw new Refusal("method_not_allowed", "This is asked for with POST.");
  checkContent(request);
  return await readBody(request, maxIdentityRequestBytes);
}

function pathOf({ url = "" }: ServedRequest): string {
  return url.split("?", 1)[0] ?? "";
}

/** @throws Refusal for a request that can't be a call */
function checkRequest(request: ServedRequest): void {
  const { method } = request;
  if (method !== "POST" && method !== "GET" && method !== "DELETE") {
    throw new Refusal("method_not_allowed", `${String(method)} isn't part of MCP; use POST, GET or DELETE.`);
  }
  if (!request.url?.startsWith(mcpPath)) {
    throw new Refusal("no_such_server", `Servers are found under ${mcpPath}<name>.`);
  }
  if (method !== "POST") return;
  // What else a forward server takes is read with the message.
  if (request.headers[targetHeader] === undefined) checkContent(request);
  else checkEncoding(request);
}

/** @throws Refusal `target_refused` */
function targetOf({ headers }: ServedRequest): TargetUrl | undefined {
  const text = headers[targetHeader];
  return text === undefined ? undefined : readTargetUrl(String(text));
}

function serverName(url: string): string {
  const path = url.startsWith(mcpPath) ? url.slice(mcpPath.length) : "";
  const end = path.search(/[/?#]/);
  return end === -1 ? path : path.slice(0, end);
}

/**
 * A call that lasts as long as its client listens. A modern one says so in a header, which the gate compares with
 * its body. A GET with an event's id may carry the rest of an answer, which is waited for as any other.
 */
function isListening({ method, rawHeaders }: ServedRequest): boolean {
  if (method !== "GET") return valueOf(rawHeaders, "mcp-method") === "subscriptions/listen";
  const takesEvents = valueOf(rawHeaders, "accept")?.includes("text/event-stream") === true;
  return takesEvents && valueOf(rawHeaders, "last-event-id") === undefined;
}

/** How long the last answers may take to leave, of links that are shared and end by themselves behind them. */
const lingerMs = 1000;

async function closedWithin(ms: number, sockets: Iterable<Duplex>): Promise<void> {
  const left = [...sockets].filter(({ closed }) => !closed);
  const timer = setTimeout(() => left.forEach((socket) => socket.destroy()), ms);
  await Promise.all(left.map((socket) => new Promise((resolve) => socket.once("close", resolve))));
  clearTimeout(timer);
}

function settledWithin(ms: number, start: (settle: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    start(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
