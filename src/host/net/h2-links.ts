/**
 * HTTP/2 connections to one origin as a dispatcher of undici: one for all requests. Only when the other end takes no
 * more at a time, and none is over within a while, another is opened, so that streams don't keep out the calls that
 * end them.
 */
import { Dispatcher } from "undici";

import { Refusal } from "../../kernel/refusal.ts";
import { H2Exchange } from "./h2-exchange.ts";
import type { H2Link } from "./h2-link.ts";
import { setLink } from "./server-links.ts";

/** Opens a link; `signal` ends the waiting for somebody to be there. */
export type OpenH2 = (signal: AbortSignal) => Promise<H2Link>;

/** Another link is opened when a request waits, and none was over for that long. */
const patienceMs = 2000;
const maxLinks = 32;

interface Waiting {
  readonly exchange: H2Exchange;
  readonly handler: Dispatcher.DispatchHandler;
  readonly sinceMs: number;
}

export class H2Links extends Dispatcher {
  readonly #links = new Set<H2Link>();
  /** The first come first. */
  readonly #waiting = new Set<Waiting>();
  #open: OpenH2;
  /** The dialling that is under way. */
  #opening: AbortController | undefined;
  #look: NodeJS.Timeout | undefined;
  #roomMs = 0;
  #isClosed = false;

  constructor(open: OpenH2) {
    super();
    this.#open = open;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const exchange: H2Exchange = new H2Exchange(options, handler, () => {
      for (const each of this.#waiting) if (each.exchange === exchange) this.#waiting.delete(each);
    });
    if (exchange.isOver) return true; // Its caller had left already.
    if (this.#isClosed) exchange.refuse(ended());
    else this.#waiting.add({ exchange, handler, sinceMs: performance.now() });
    this.#handOut();
    return true;
  }

  /** What comes next goes over links that are opened in this way. */
  renew(open: OpenH2, old: "finish" | "cut"): void {
    this.#open = open;
    this.#opening?.abort();
    this.#opening = undefined;
    this.#leaveAll(old);
    this.#handOut();
  }

  end(): void {
    this.#isClosed = true;
    clearTimeout(this.#look);
    this.#opening?.abort();
    this.#opening = undefined;
    this.#leaveAll("cut");
    this.#refuseAll(ended());
  }

  #leaveAll(how: "finish" | "cut"): void {
    for (const link of this.#links) {
      this.#links.delete(link);
      if (how === "cut") link.destroy();
      else link.close();
    }
  }

  #handOut(): void {
    for (const waiting of this.#waiting) {
      const link = this.#links.values().find(({ hasRoom }) => hasRoom);
      if (link === undefined) break;
      this.#waiting.delete(waiting);
      setLink(waiting.handler, link.facts);
      link.send(waiting.exchange);
    }
    this.#considerAnother();
  }

  #considerAnother(): void {
    clearTimeout(this.#look);
    const [first] = this.#waiting;
    if (first === undefined || this.#opening !== undefined || this.#links.size >= maxLinks) return;
    const idleMs = performance.now() - Math.max(first.sinceMs, this.#roomMs);
    const waitMs = this.#links.size === 0 ? 0 : patienceMs - idleMs;
    if (waitMs <= 0) void this.#openAnother();
    else this.#look = setTimeout(() => this.#considerAnother(), waitMs).unref();
  }

  async #openAnother(): Promise<void> {
    const opening = (this.#opening = new AbortController());
    const opened = await this.#open(opening.signal).catch(asError);
    const isCurrent = this.#opening === opening;
    if (isCurrent) this.#opening = undefined;
    if (opened instanceof Error) {
      // Where there is another link, what waits goes on waiting for room there.
      if (isCurrent && this.#links.size === 0) this.#refuseAll(opened);
    } else if (isCurrent) this.#use(opened);
    else opened.close(); // It is of before a renewal.
    if (isCurrent && !(opened instanceof Error)) this.#handOut();
  }

  #use(link: H2Link): void {
    this.#links.add(link);
    link.listen({
      onRoom: () => {
        this.#roomMs = performance.now();
        if (this.#waiting.size > 0) this.#handOut();
        else if (link.isIdle && this.#links.size > 1 && this.#links.delete(link)) link.close();
      },
      onEnd: () => {
        this.#links.delete(link);
        this.#considerAnother();
      },
    });
  }

  #refuseAll(error: Error): void {
    for (const waiting of this.#waiting) {
      this.#waiting.delete(waiting);
      waiting.exchange.refuse(error);
    }
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

function ended(): Refusal {
  return new Refusal("upstream_failed", "The links to the server are closed.", {
    facts: { cause: "UND_ERR_DESTROYED", sent: false },
  });
}
