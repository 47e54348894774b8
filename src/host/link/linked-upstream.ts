/**
 * An MCP server reached over links, pipes or HTTP+SSE, served as Streamable HTTP in both eras. No link is ever shared
 * by two callers: a legacy session has one of its own; modern requests of a caller share one, and a
 * second request with the same id gets a further one, so that no id is ever rewritten. A task stays where
 * it began, and a state goes back to where it came from.
 */
import { empty } from "../answers.ts";
import { randomUUID } from "node:crypto";

import { type Answer, type Journaled, whyGone } from "../../gate/call.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { refusedAnswer } from "../../gate/refuse.ts";
import type { RequestFrame } from "../../wire/frame.ts";
import { utf8 } from "../../kernel/bytes.ts";
import { holderOf } from "../../model/caller.ts";
import type { LinkSpec } from "./link.ts";
import type { Upstream } from "../net/upstreams.ts";
import { takesEvents, takesPriming } from "./client-abilities.ts";
import type { Conversation } from "./conversation.ts";
import { onAbort } from "../on-abort.ts";
import { checkAgainst, checkEnvelope, concerns, gaveOut } from "./knowledge.ts";
import { LinkedServer } from "./linked-server.ts";
import type { Connection } from "./session-stream.ts";

export interface LinkedUpstreamOptions {
  readonly link: LinkSpec;
  readonly log: Log;
  readonly clock: Clock;
  readonly answerTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** After this time a stream's connection is closed, if its client can come back; undefined for never. */
  readonly streamOpenMs?: number | undefined;
  /** It speaks the modern era, so that silence to a modern client's first question means nothing. */
  readonly isModern?: boolean;
}

/** Links one caller may have on one server. */
const maxLinksPerCaller = 32;
/** Links of one server in all. */
const maxLinks = 512;
/** A legacy server may ignore, or die of, the probe of a modern client; it then has to look legacy. */
const probeTimeoutMs = 5000;
const reapEveryMs = 30_000;

export function linkedUpstream(options: LinkedUpstreamOptions): Upstream {
  const links = new Links(options);
  return {
    forward: async (call) => {
      if (call.frame === undefined)
        return call.verb === "GET" ? listen(call, links, options) : end(call, links);
      return call.frame.kind === "request" ? await ask(call, call.frame, links, options) : tell(call, links);
    },
    close: () => links.close(),
  };
}

/** The running links of one server: by session, and by caller for the requests that have none. */
class Links {
  readonly #options: LinkedUpstreamOptions;
  readonly #links = new Map<
    string,
    { readonly server: LinkedServer; readonly caller: string; readonly session: boolean }
  >();
  /** Told to stop and not gone yet: they still count, and the end waits for them. */
  readonly #stopping = new Map<LinkedServer, string>();
  readonly #reaper: NodeJS.Timeout;
  #isClosed = false;

  constructor(options: LinkedUpstreamOptions) {
    this.#options = options;
    this.#reaper = setInterval(() => this.#reap(), reapEveryMs).unref();
  }

  /** @throws Refusal `no_such_session`, or `bad_message` if none is named */
  ofSession(call: Journaled): LinkedServer {
    if (call.session === undefined) {
      throw new Refusal(
        "bad_message",
        "This server needs a session: send initialize first, then Mcp-Session-Id.",
      );
    }
    const found = this.#links.get(call.session);
    if (found === undefined) throw new Refusal("no_such_session", "The session has ended; initialize again.");
    found.server.lastUsedUnixMs = call.atUnixMs;
    return found.server;
  }

  /** A link for a new legacy session, and the session's id. @throws Refusal `busy` */
  open(call: Journaled, session: boolean): { readonly server: LinkedServer; readonly id: string } {
    const caller = holderOf(call.caller);
    this.#makeRoom(caller, call.server);
    const id = randomUUID();
    const { link, log, answerTimeoutMs: unreadMs } = this.#options;
    const forget = (): void => void this.#links.delete(id);
    const server = new LinkedServer(link, { log, unreadMs }, call.atUnixMs, forget);
    this.#links.set(id, { server, caller, session });
    return { server, id };
  }

  /**
   * The caller's link for modern requests: the one that runs the task it is about; else one in which its
   * id and its progress token are free, if possible the one whose state it brings back. @throws Refusal `busy`
   */
  ofCaller(call: Journaled, request: RequestFrame): LinkedServer {
    const mine = [...this.#links.values()]
      .filter(({ session, caller }) => !session && caller === holderOf(call.caller))
      .map(({ server }) => server);
    const running = mine.find(({ knowledge }) => concerns(knowledge, request));
    if (running?.isTaken(request) === true) {
      throw new Refusal("busy", "A request with this id is being answered where the task runs; try again.");
    }
    const free = mine.filter((each) => !each.isTaken(request) && !each.heldUp);
    const asked = free.find(({ knowledge }) => gaveOut(knowledge, request));
    const server = running ?? asked ?? free[0] ?? this.open(call, false).server;
    server.lastUsedUnixMs = call.atUnixMs;
    return server;
  }

  endSession(call: Journaled): void {
    this.ofSession(call);
    this.end(call.session ?? "");
  }

  /** Ends a link; its session is gone at once. */
  end(id: string): void {
    const held = this.#links.get(id);
    if (held === undefined) return;
    this.#links.delete(id);
    this.#stopping.set(held.server, held.caller);
    void held.server.stop().finally(() => this.#stopping.delete(held.server));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#reaper);
    const links = [...this.#links.values()].map(({ server }) => server);
    await Promise.all([...links, ...this.#stopping.keys()].map((server) => server.stop()));
  }

  /** Many clients never end their sessions: the one unused for longest makes way, if it has nothing under way. */
  #makeRoom(caller: string, server: string): void {
    if (this.#isClosed) throw new Refusal("busy", "The gateway is stopping.");
    const all = this.#links.size + this.#stopping.size;
    const mine = [...this.#links].filter(([, held]) => held.caller === caller);
    const stopping = [...this.#stopping.values()].filter((other) => other === caller).length;
    if (mine.length + stopping < maxLinksPerCaller && all < maxLinks) return;
    const [oldest] = mine
      .filter(([, { server }]) => server.idle)
      .toSorted(([, a], [, b]) => a.server.lastUsedUnixMs - b.server.lastUsedUnixMs);
    if (oldest !== undefined) this.end(oldest[0]);
    if (oldest === undefined || stopping >= maxLinksPerCaller || all >= maxLinks) {
      throw new Refusal("busy", `Too many sessions on "${server}" are busy; let one finish first.`);
    }
  }

  #reap(): void {
    const before = this.#options.clock.nowUnixMs() - this.#options.idleTimeoutMs;
    for (const [id, { server }] of this.#links) {
      if (server.idle && server.lastUsedUnixMs <= before) this.end(id);
    }
  }
}

async function ask(
  call: Journaled,
  request: RequestFrame,
  links: Links,
  options: LinkedUpstreamOptions,
): Promise<Answer> {
  checkEnvelope(request, call.header);
  const { server, headers, opened } = linkFor(call, request, links);
  checkAgainst(server.knowledge, request, call.header);
  const talk = server.ask({
    request,
    call,
    headers,
    connection: connectionOf(call, options),
    // The answer to initialize says whose session it is, and isn't come back to.
    takesEvents: opened === undefined && takesEvents(call.header),
    farewell: (refusal) => refusedAnswer(call, refusal).body,
  });
  onAbort(call.reply.gone, () => {
    const giveUp = (): void =>
      server.giveUp(request, new Refusal("upstream_failed", "The caller went away."));
    // Legacy: going away doesn't mean cancel; but nobody waits for it for ever. Modern: it does.
    // Who was sent away doesn't come back, though.
    if (request.era === "modern" || whyGone(call.reply) !== "caller_gone") giveUp();
    else setTimeout(() => talk.isStream() || giveUp(), options.answerTimeoutMs).unref();
  });
  const probing = request.method === "server/discover" && options.isModern !== true;
  const timer = setTimeout(
    () => {
      const text = "The server didn't answer in time.";
      server.giveUp(request, new Refusal("upstream_timeout", text, { facts: { sent: true } }));
    },
    probing ? Math.min(probeTimeoutMs, options.answerTimeoutMs) : options.answerTimeoutMs,
  );
  void talk.begun.then(() => clearTimeout(timer));
  try {
    return probing ? await probeAnswer(talk) : await talk.answer;
  } catch (error) {
    if (opened !== undefined) links.end(opened); // Nobody has been told of this session.
    throw error;
  }
}

/** The call's connection; it is closed early only where its client knows how to come back. */
function connectionOf(call: Journaled, { streamOpenMs }: LinkedUpstreamOptions): Omit<Connection, "flow"> {
  const primed = takesPriming(call.header);
  return { gone: call.reply.gone, takesPriming: primed, closeAfterMs: primed ? streamOpenMs : undefined };
}

function linkFor(
  call: Journaled,
  request: RequestFrame,
  links: Links,
): { readonly server: LinkedServer; readonly headers: readonly string[]; readonly opened?: string } {
  if (request.era === "modern") return { server: links.ofCaller(call, request), headers: [] };
  if (request.method !== "initialize")
    return { server: links.ofSession(call), headers: sessionHeader(call.session) };
  const { server, id } = links.open(call, true);
  return { server, headers: sessionHeader(id), opened: id };
}

/** MCP 2026-07-28, stdio backward compatibility: silence or any end means a legacy server. One that never ran means nothing. */
async function probeAnswer(talk: Conversation): Promise<Answer> {
  try {
    return await talk.answer;
  } catch (cause) {
    if (cause instanceof Refusal && cause.facts["sent"] === false) throw cause;
    const error = { code: -32601, message: "The server doesn't know server/discover." };
    return {
      kind: "whole",
      status: 400,
      headers: ["content-type", "application/json"],
      body: utf8(JSON.stringify({ jsonrpc: "2.0", id: talk.request.id, error })),
    };
  }
}

/** A notification or an answer of the client's: accepted, nothing comes back. */
function tell(call: Journaled, links: Links): Answer {
  links.ofSession(call).tell(call.body, call);
  return empty(202);
}

/** The stream for what the server says unasked, or the rest of a stream that broke off. */
function listen(call: Journaled, links: Links, options: LinkedUpstreamOptions): Answer {
  if (call.session === undefined) return empty(405, ["allow", "POST"]);
  const server = links.ofSession(call);
  const headers = sessionHeader(call.session);
  const connection = connectionOf(call, options);
  const lastEventId = call.header("last-event-id");
  return lastEventId === undefined || lastEventId === ""
    ? (server.listen(headers, connection) ?? empty(409))
    : // WHATWG HTML §9.2: a client that is told 204 doesn't come back.
      (server.resume(lastEventId, headers, connection) ?? empty(204));
}

function end(call: Journaled, links: Links): Answer {
  if (call.session === undefined) return empty(405, ["allow", "POST"]);
  links.endSession(call);
  return empty(200);
}

function sessionHeader(id: string | undefined): readonly string[] {
  return id === undefined ? [] : ["mcp-session-id", id];
}
