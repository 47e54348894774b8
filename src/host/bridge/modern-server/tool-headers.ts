/** Which arguments of a modern server's tools travel as headers too: as its lists say, that pass or are asked for. */
import { request } from "../../../bridge/requests.ts";
import type { Journaled } from "../../../gate/call.ts";
import type { Clock } from "../../../kernel/clock.ts";
import { fromUtf8 } from "../../../kernel/bytes.ts";
import { Refusal } from "../../../kernel/refusal.ts";
import type { RequestFrame, ResponseFrame } from "../../../wire/frame.ts";
import { type ParameterHeader, toolParameterHeaders } from "../../../wire/mcp-headers.ts";
import { memberOf } from "../../../wire/values.ts";

export interface ToolHeadersOptions {
  /** The server's answer to what the bridge asks for itself. */
  readonly ask: (frame: RequestFrame, call: Journaled) => Promise<ResponseFrame>;
  readonly envelope: () => Readonly<Record<string, unknown>>;
  readonly newId: () => string;
  readonly clock: Clock;
}

/** Of one list; a server whose list has no end has its end here. */
const maxPages = 100;
/** A longer page is passed on unread. */
const maxPageBytes = 4 * 1024 * 1024;
/** Of one session. */
const maxTools = 10_000;
/** Nobody makes the bridge ask for all tools with each call of one that isn't there. */
const askAgainMs = 60_000;

export class ToolHeaders {
  readonly #options: ToolHeadersOptions;
  #known = new Map<string, readonly ParameterHeader[]>();
  /** Until then, a tool that isn't known isn't there. */
  #askAgainUnixMs = 0;
  #listing: Promise<void> | undefined;

  constructor(options: ToolHeadersOptions) {
    this.#options = options;
  }

  /** Of a tool that isn't known, after all tools were asked for. */
  async of(tool: string, call: Journaled): Promise<readonly ParameterHeader[]> {
    const isDue = this.#options.clock.nowUnixMs() >= this.#askAgainUnixMs;
    if (!this.#known.has(tool) && (isDue || this.#listing !== undefined)) await this.refresh(call);
    return this.#known.get(tool) ?? [];
  }

  learn(page: ResponseFrame): void {
    for (const [name, headers] of toolParameterHeaders(resultOf(page)))
      if (this.#known.has(name) || this.#known.size < maxTools) this.#known.set(name, headers);
  }

  /** The tools have changed. */
  forget(): void {
    this.#known = new Map();
    this.#askAgainUnixMs = 0;
  }

  /** Asks for all tools, once for all who wait. Never rejects: who knows no headers sends none, and the server judges. */
  async refresh(call: Journaled): Promise<void> {
    this.#listing ??= this.#list(call).finally(() => (this.#listing = undefined));
    await this.#listing;
  }

  async #list(call: Journaled): Promise<void> {
    this.#askAgainUnixMs = this.#options.clock.nowUnixMs() + askAgainMs;
    const seen = new Set<string>();
    let cursor: string | undefined;
    try {
      do {
        const page = await this.#page(cursor, call);
        this.learn(page);
        const next = memberOf(resultOf(page), "nextCursor");
        cursor = typeof next === "string" && !seen.has(next) ? next : undefined;
        if (cursor !== undefined) seen.add(cursor);
      } while (cursor !== undefined && seen.size < maxPages);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
    }
  }

  async #page(cursor: string | undefined, call: Journaled): Promise<ResponseFrame> {
    const { ask, envelope, newId } = this.#options;
    const params = { ...(cursor !== undefined && { cursor }), _meta: envelope() };
    return await ask(request(newId(), "tools/list", params), call);
  }
}

function resultOf({ bytes, result }: ResponseFrame): unknown {
  if (result === undefined || bytes.length > maxPageBytes) return undefined;
  const text = fromUtf8(bytes.subarray(result.span.start, result.span.end));
  return text === undefined ? undefined : JSON.parse(text);
}
