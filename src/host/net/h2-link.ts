/** Our end of one HTTP/2 connection, on which requests are sent beside each other. */
import http2 from "node:http2";
import type tls from "node:tls";

import { Refusal } from "../../kernel/refusal.ts";
import type { ServerLink } from "../../model/channel.ts";
import type { H2Exchange } from "./h2-exchange.ts";
import { linkWindowBytes, maxStreams, sessionBounds, settings } from "./h2-limits.ts";
import { type PingTimes, watchPeer } from "./h2-pings.ts";

export interface H2LinkOptions {
  readonly authority: string;
  readonly facts: ServerLink;
  readonly pings: PingTimes;
  /** The other end says its settings within that time. */
  readonly timeoutMs: number;
}

/** MB that the session may hold: bodies that wait to be sent count, of each stream a slice. */
const sessionMemoryMb = 64;

export interface H2LinkEvents {
  /** A request is over: there is room for another. */
  readonly onRoom: () => void;
  /** It takes no request any more. */
  readonly onEnd: () => void;
}

export class H2Link {
  readonly facts: ServerLink;
  readonly #session: http2.ClientHttp2Session;
  readonly #link: tls.TLSSocket;
  readonly #authority: string;
  #events: H2LinkEvents | undefined;
  #underWay = 0;
  #hasEnded = false;
  #isLeft = false;
  #lastTaken = Number.POSITIVE_INFINITY;

  private constructor(link: tls.TLSSocket, session: http2.ClientHttp2Session, options: H2LinkOptions) {
    this.facts = options.facts;
    this.#authority = options.authority;
    this.#link = link;
    this.#session = session;
    session.on("goaway", (code, lastTaken) => {
      // One that gives up for a fault may have looked at more than it says.
      if (code === http2.constants.NGHTTP2_NO_ERROR) this.#lastTaken = lastTaken;
      this.#end();
    });
    session.on("close", () => this.#end());
    session.setLocalWindowSize(linkWindowBytes);
    watchPeer(session, link, options.pings);
  }

  /**
   * Resolves once the other end has said its settings: what it doesn't let in it cuts before, and nothing was sent.
   * @throws Refusal `upstream_failed`, or what the link broke with
   */
  static async over(link: tls.TLSSocket, options: H2LinkOptions): Promise<H2Link> {
    if (link.alpnProtocol !== "h2") throw unspoken();
    const session = http2.connect(`https://${options.authority}`, {
      ...sessionBounds,
      maxSessionMemory: sessionMemoryMb,
      settings,
      createConnection: () => link,
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(silent()), options.timeoutMs);
    session.on("error", reject);
    session.once("remoteSettings", () => resolve());
    session.once("close", () => reject(closed()));
    try {
      await promise;
      return new H2Link(link, session, options);
    } catch (error) {
      link.destroy();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  get isIdle(): boolean {
    return this.#underWay === 0;
  }

  get hasRoom(): boolean {
    const { maxConcurrentStreams = maxStreams } = this.#session.remoteSettings;
    return !this.#hasEnded && this.#underWay < Math.min(maxStreams, maxConcurrentStreams);
  }

  listen(events: H2LinkEvents): void {
    this.#events = events;
    if (this.#hasEnded) events.onEnd();
  }

  send(exchange: H2Exchange): void {
    this.#underWay += 1;
    exchange.send({
      session: this.#session,
      authority: this.#authority,
      lastTaken: () => this.#lastTaken,
      onOver: () => {
        this.#underWay -= 1;
        this.#closeIfLeft();
        this.#events?.onRoom();
      },
    });
  }

  /** Once what is under way is over. */
  close(): void {
    this.#isLeft = true;
    this.#end();
    this.#closeIfLeft();
  }

  destroy(error?: Error): void {
    this.#link.destroy(error);
  }

  // INVARIANT: not before the last request is over. A session that is closing sends no pings (Node cancels them), and what
  // is under way on a dead one would never end.
  #closeIfLeft(): void {
    if (this.#isLeft && this.isIdle) this.#session.close();
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#events?.onEnd();
  }
}

function unspoken(): Refusal {
  return new Refusal("upstream_failed", "The other end doesn't speak HTTP/2, which this link needs.", {
    facts: { cause: "ERR_HTTP2_UNSUPPORTED_PROTOCOL", sent: false },
  });
}

function silent(): Refusal {
  return new Refusal("upstream_failed", "The other end said nothing on a new link.", {
    facts: { cause: "UND_ERR_CONNECT_TIMEOUT", sent: false },
  });
}

/** As undici says it. */
function closed(): Error {
  return Object.assign(new Error("The other end closed the link."), { code: "UND_ERR_SOCKET" });
}
