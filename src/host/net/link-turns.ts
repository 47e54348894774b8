/**
 * Who of a pool's requests opens a link, and who waits for one to become free. Each link costs both ends a handshake,
 * about as much as a call, and a gateway that comes back to hundreds of waiting requests would spend its time on
 * handshakes instead of answers. So a few links are opened as they are asked for; a request beyond these takes the
 * first that becomes free, first come, first served, and opens one of its own when none does within a short while.
 * How many there are in the end isn't bounded: streams hold theirs.
 */
import { type Client, Dispatcher, type Pool } from "undici";

/** Opened at once, and at most opened at a time. */
const fewLinks = 32;
const shortWhileMs = 100;

interface Waiting {
  readonly options: Dispatcher.DispatchOptions;
  readonly handler: Dispatcher.DispatchHandler;
  readonly sinceMs: number;
}

export class LinkTurns extends Dispatcher {
  readonly #pool: () => Pool;
  readonly #patienceMs: number;
  readonly #waiting: Waiting[] = [];
  readonly #free = new Set<Client>();
  #open = 0;
  #opening = 0;
  #look: NodeJS.Timeout | undefined;

  /**
   * @param pool the one that new requests take
   * @param patienceMs how long a request waits for a link to become free
   */
  constructor(pool: () => Pool, patienceMs: number = shortWhileMs) {
    super();
    this.#pool = pool;
    this.#patienceMs = patienceMs;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (this.#isFew() || this.#free.size > this.#waiting.length)
      return this.#pool().dispatch(options, handler);
    this.#waiting.push({ options, handler, sinceMs: performance.now() });
    this.#lookLater();
    return false;
  }

  /** Counts the link of a client of the pool, which it has one of at a time. */
  watched(client: Client): Client {
    const dispatch = client.dispatch.bind(client);
    client.dispatch = (options, handler) => {
      this.#free.delete(client);
      return dispatch(options, handler);
    };
    client.on("connect", () => (this.#open += 1));
    client.on("disconnect", () => {
      this.#open -= 1;
      this.#free.delete(client);
    });
    client.on("drain", () => {
      if (client.closed) return; // Another pool has taken its place.
      this.#free.add(client);
      if (this.#waiting.length > 0) setImmediate(() => this.#next());
    });
    return client;
  }

  async opening<Link>(open: () => Promise<Link>): Promise<Link> {
    this.#opening += 1;
    try {
      return await open();
    } finally {
      this.#opening -= 1;
      if (this.#waiting.length > 0) setImmediate(() => this.#letIn()); // The request that asked for the link goes first.
    }
  }

  /** Hands all that wait to the pool as it is: one that is closed refuses them. */
  end(): void {
    clearTimeout(this.#look);
    while (this.#next());
  }

  #isFew(): boolean {
    return this.#open + this.#opening < fewLinks;
  }

  /** Those that may open links. */
  #letIn(): void {
    const nowMs = performance.now();
    const isDue = (): boolean => nowMs - (this.#waiting[0]?.sinceMs ?? nowMs) >= this.#patienceMs;
    while (this.#isFew() || (this.#opening < fewLinks && isDue())) if (!this.#next()) return;
    this.#lookLater();
  }

  #lookLater(): void {
    const [first] = this.#waiting;
    if (first === undefined || this.#look !== undefined || this.#opening >= fewLinks) return;
    const waitMs = Math.max(first.sinceMs + this.#patienceMs - performance.now(), 0);
    this.#look = setTimeout(() => {
      this.#look = undefined;
      this.#letIn();
    }, waitMs).unref();
  }

  #next(): boolean {
    const first = this.#waiting.shift();
    if (first === undefined) return false;
    this.#pool().dispatch(first.options, first.handler);
    return true;
  }
}
