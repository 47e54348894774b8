/**
 * An MCP server reached over stdio, served as Streamable HTTP in both eras. No process is ever shared
 * by two callers: a legacy session has one of its own; modern requests of a caller share one, and a
 * second request with the same id gets a further one, so that no id is ever rewritten.
 */
import { randomUUID } from "node:crypto";

import type { Answer, Journaled } from "../../gate/call.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { RequestFrame } from "../../wire/frame.ts";
import { utf8 } from "../../kernel/bytes.ts";
import type { Upstream } from "../net/upstreams.ts";
import type { ChildSpec } from "./child.ts";
import type { Conversation } from "./conversation.ts";
import { onAbort } from "../on-abort.ts";
import { checkAgainst, checkEnvelope } from "./knowledge.ts";
import { Line } from "./line.ts";

export interface StdioUpstreamOptions {
  readonly child: ChildSpec;
  readonly clock: Clock;
  readonly answerTimeoutMs: number;
  readonly idleTimeoutMs: number;
}

/** Processes one caller may have on one server. */
const maxLinesPerCaller = 32;
/** Processes of one server in all. */
const maxLines = 512;
/** A legacy server may ignore, or die of, the probe of a modern client; it then has to look legacy. */
const probeTimeoutMs = 5000;
const reapEveryMs = 30_000;

export function stdioUpstream(options: StdioUpstreamOptions): Upstream {
  const lines = new Lines(options);
  return {
    forward: async (call) => {
      if (call.frame === undefined) return call.verb === "GET" ? listen(call, lines) : end(call, lines);
      return call.frame.kind === "request" ? await ask(call, call.frame, lines, options) : tell(call, lines);
    },
    close: () => lines.close(),
  };
}

/** The running processes of one server: by session, and by caller for the requests that have none. */
class Lines {
  readonly #options: StdioUpstreamOptions;
  readonly #lines = new Map<
    string,
    { readonly line: Line; readonly caller: string; readonly session: boolean }
  >();
  /** Told to stop and not gone yet: they still count, and the end waits for them. */
  readonly #stopping = new Map<Line, string>();
  readonly #reaper: NodeJS.Timeout;
  #isClosed = false;

  constructor(options: StdioUpstreamOptions) {
    this.#options = options;
    this.#reaper = setInterval(() => this.#reap(), reapEveryMs).unref();
  }

  /** @throws Refusal `no_such_session`, or `bad_message` if none is named */
  ofSession(call: Journaled): Line {
    if (call.session === undefined) {
      throw new Refusal(
        "bad_message",
        "This server needs a session: send initialize first, then Mcp-Session-Id.",
      );
    }
    const found = this.#lines.get(call.session);
    if (found === undefined) throw new Refusal("no_such_session", "The session has ended; initialize again.");
    found.line.lastUsedUnixMs = call.atUnixMs;
    return found.line;
  }

  /** A process for a new legacy session, and the session's id. @throws Refusal `busy` */
  open(call: Journaled, session: boolean): { readonly line: Line; readonly id: string } {
    const caller = call.caller.spiffeId;
    this.#makeRoom(caller, call.server);
    const id = randomUUID();
    const line = new Line(this.#options.child, call.atUnixMs, () => this.#lines.delete(id));
    this.#lines.set(id, { line, caller, session });
    return { line, id };
  }

  /** The caller's process for modern requests; a further one while `request`'s id is taken. */
  ofCaller(call: Journaled, request: RequestFrame): Line {
    for (const held of this.#lines.values()) {
      if (held.session || held.caller !== call.caller.spiffeId || held.line.has(request.id)) continue;
      held.line.lastUsedUnixMs = call.atUnixMs;
      return held.line;
    }
    return this.open(call, false).line;
  }

  endSession(call: Journaled): void {
    this.ofSession(call);
    this.end(call.session ?? "");
  }

  /** Ends a process; its session is gone at once. */
  end(id: string): void {
    const held = this.#lines.get(id);
    if (held === undefined) return;
    this.#lines.delete(id);
    this.#stopping.set(held.line, held.caller);
    void held.line.stop().finally(() => this.#stopping.delete(held.line));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#reaper);
    const lines = [...this.#lines.values()].map(({ line }) => line);
    await Promise.all([...lines, ...this.#stopping.keys()].map((line) => line.stop()));
  }

  /** Many clients never end their sessions: the one unused for longest makes way, if it has nothing under way. */
  #makeRoom(caller: string, server: string): void {
    if (this.#isClosed) throw new Refusal("busy", "The gateway is stopping.");
    const all = this.#lines.size + this.#stopping.size;
    const mine = [...this.#lines].filter(([, held]) => held.caller === caller);
    const stopping = [...this.#stopping.values()].filter((other) => other === caller).length;
    if (mine.length + stopping < maxLinesPerCaller && all < maxLines) return;
    const [oldest] = mine
      .filter(([, { line }]) => line.idle)
      .toSorted(([, a], [, b]) => a.line.lastUsedUnixMs - b.line.lastUsedUnixMs);
    if (oldest !== undefined) this.end(oldest[0]);
    if (oldest === undefined || stopping >= maxLinesPerCaller || all >= maxLines) {
      throw new Refusal("busy", `Too many sessions on "${server}" are busy; let one finish first.`);
    }
  }

  #reap(): void {
    const before = this.#options.clock.nowUnixMs() - this.#options.idleTimeoutMs;
    for (const [id, { line }] of this.#lines) {
      if (line.idle && line.lastUsedUnixMs <= before) this.end(id);
    }
  }
}

async function ask(
  call: Journaled,
  request: RequestFrame,
  lines: Lines,
  options: StdioUpstreamOptions,
): Promise<Answer> {
  checkEnvelope(request, call.header);
  const { line, headers, opened } = lineFor(call, request, lines);
  checkAgainst(line.knowledge, request, call.header);
  const talk = line.ask(request, headers);
  onAbort(call.reply.gone, () => {
    const giveUp = (): void => {
      line.cancel(request);
      talk.fail(new Refusal("upstream_failed", "The caller went away."));
    };
    // Legacy: going away doesn't mean cancel; but nobody waits for it for ever. Modern: it does.
    if (request.era === "modern") giveUp();
    else setTimeout(giveUp, options.answerTimeoutMs).unref();
  });
  const probing = request.method === "server/discover";
  const timer = setTimeout(
    () => {
      line.cancel(request);
      talk.fail(
        new Refusal("upstream_timeout", "The server didn't answer in time.", { facts: { sent: true } }),
      );
    },
    probing ? Math.min(probeTimeoutMs, options.answerTimeoutMs) : options.answerTimeoutMs,
  );
  try {
    return probing ? await probeAnswer(talk) : await talk.answer;
  } catch (error) {
    if (opened !== undefined) lines.end(opened); // Nobody has been told of this session.
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function lineFor(
  call: Journaled,
  request: RequestFrame,
  lines: Lines,
): { readonly line: Line; readonly headers: readonly string[]; readonly opened?: string } {
  if (request.era === "modern") return { line: lines.ofCaller(call, request), headers: [] };
  if (request.method !== "initialize")
    return { line: lines.ofSession(call), headers: sessionHeader(call.session) };
  const { line, id } = lines.open(call, true);
  return { line, headers: sessionHeader(id), opened: id };
}

/** MCP 2026-07-28, stdio backward compatibility: silence or any end means a legacy server. */
async function probeAnswer(talk: Conversation): Promise<Answer> {
  try {
    return await talk.answer;
  } catch {
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
function tell(call: Journaled, lines: Lines): Answer {
  lines.ofSession(call).tell(call.body);
  return empty(202);
}

function listen(call: Journaled, lines: Lines): Answer {
  if (call.session === undefined) return empty(405, ["allow", "POST"]);
  return lines.ofSession(call).listen(sessionHeader(call.session), call.reply.gone) ?? empty(409);
}

function end(call: Journaled, lines: Lines): Answer {
  if (call.session === undefined) return empty(405, ["allow", "POST"]);
  lines.endSession(call);
  return empty(200);
}

function empty(status: number, headers: readonly string[] = []): Answer {
  return { kind: "whole", status, headers, body: new Uint8Array(0) };
}

function sessionHeader(id: string | undefined): readonly string[] {
  return id === undefined ? [] : ["mcp-session-id", id];
}
