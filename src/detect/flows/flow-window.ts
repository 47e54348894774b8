/**
 * What is kept of a flow while its records pass: its exchanges, requests with what answered them, and sums. Bounded,
 * however many records there are: of the exchanges the newest ones are kept, of connections those that spoke last.
 */
import { type FlowRecord, minSaidBytes, recordTypes } from "./flow-record.ts";

/** A request, in one or many records, and what came back before the next one on its connection. */
export interface Exchange {
  readonly startMs: number;
  /** On its connection: its end of the handshake comes with it. */
  readonly isFirst: boolean;
  /** Since the exchange before it ended, on whatever connection; undefined for the first. */
  readonly gapMs?: number;
  readonly up: number;
  readonly down: number;
  readonly upRecords: number;
  readonly downRecords: number;
  /** From the last of the request to the first of the answer; undefined while there is none. */
  readonly answerMs?: number;
  /** What it is compared with, where more is known of it than its size. */
  readonly kind?: string;
}

/** A whole exchange, where messages are seen rather than records. */
export type Message = Pick<Exchange, "startMs" | "up" | "down" | "answerMs" | "kind">;

export interface Handshake {
  readonly clientBytes: number;
  /** The longest one: a HelloRetryRequest comes before the ServerHello, and is short. */
  readonly serverBytes: number;
  /** From the first hello to what answered it. */
  readonly answerMs?: number;
  /** Whether anything was said after it. */
  readonly isUsed: boolean;
}

export interface FlowSummary {
  readonly exchanges: readonly Exchange[];
  /** How many there were; the older ones are gone. */
  readonly exchangeCount: number;
  readonly handshakes: readonly Handshake[];
  readonly up: number;
  readonly down: number;
  readonly records: number;
  readonly firstMs: number;
  readonly lastMs: number;
  /** Of the sizes of all records, as shares of their sum, in bits. */
  readonly sizeEntropy: number;
  /** Of records that say something, how many have each size, in quarters of an octave. */
  readonly sizes: readonly number[];
  /** In hours of the day, if it is known. */
  readonly hour?: number;
}

export const maxExchanges = 256;
const maxConnections = 64;
const maxHandshakes = 64;
const sizeClasses = 96;
/** Sums stay exact, and logarithms finite. */
const maxBytes = 2 ** 40;
const maxMs = 2 ** 53;

interface Open {
  startMs: number;
  isFirst: boolean;
  kind?: string;
  gapMs?: number;
  up: number;
  down: number;
  upRecords: number;
  downRecords: number;
  lastUpMs: number;
  answerMs?: number;
}

interface OpenHandshake {
  clientBytes: number;
  serverBytes: number;
  startMs: number;
  answerMs?: number;
  isUsed: boolean;
}

/** Sizes within a quarter of an octave are of one class. */
export function sizeClassOf(bytes: number): number {
  return Math.min(sizeClasses - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) * 4)));
}

export class FlowWindow {
  readonly #done: Open[] = [];
  /** Where in `#done` the next one goes once it is full. */
  #next = 0;
  #exchangeCount = 0;
  readonly #open = new Map<number, Open>();
  readonly #handshakes = new Map<number, OpenHandshake>();
  readonly #sizes = new Uint32Array(sizeClasses);
  #up = 0;
  #down = 0;
  #records = 0;
  #firstMs = 0;
  #lastMs = 0;
  #lastEndMs: number | undefined;
  #sum = 0;
  #sumLog = 0;

  /** Takes what comes: what is no record is left out, and time never goes back. */
  see({ tMs, from, type, bytes, connection }: FlowRecord): void {
    if (!Number.isFinite(tMs) || !Number.isFinite(bytes) || bytes < 0 || !Number.isFinite(connection)) return;
    if (this.#records === 0) this.#firstMs = tMs;
    const atMs = this.#records === 0 ? tMs : Math.max(this.#lastMs, tMs);
    const size = Math.min(bytes, maxBytes);
    this.#records++;
    this.#lastMs = atMs;
    if (size > 0) {
      this.#sum += size;
      this.#sumLog += size * Math.log2(size);
    }
    if (type === recordTypes.handshake) this.#seeHandshake(connection, from, { atMs, size });
    else if (type === recordTypes.data && size >= minSaidBytes)
      this.#seeData(connection, from, { atMs, size });
  }

  /** Takes what comes, as `see` does. */
  add({ startMs, up, down, answerMs, kind }: Message): void {
    // Of numbers that are none neither holds.
    if (!(startMs >= 0 && startMs <= maxMs && up >= 0 && down >= 0)) return;
    // Whole numbers take half the memory.
    const beganMs = Math.round(startMs);
    const atMs = this.#records === 0 ? beganMs : Math.max(this.#lastMs, beganMs);
    if (this.#records === 0) this.#firstMs = atMs;
    const sent = Math.round(Math.min(up, maxBytes));
    const got = Math.round(Math.min(down, maxBytes));
    const known = answerMs !== undefined && answerMs >= 0 && answerMs <= maxMs;
    this.#up += sent;
    this.#down += got;
    this.#records += 2;
    const done: Open = {
      startMs: atMs,
      isFirst: false,
      up: sent,
      down: got,
      upRecords: 1,
      downRecords: 1,
      lastUpMs: atMs,
    };
    if (this.#lastEndMs !== undefined) done.gapMs = Math.max(0, Math.round(atMs - this.#lastEndMs));
    if (known) done.answerMs = answerMs;
    if (kind !== undefined) done.kind = kind;
    this.#keep(done);
    this.#lastMs = atMs;
    this.#lastEndMs = atMs + (known ? answerMs : 0);
  }

  get exchangeCount(): number {
    return this.#exchangeCount + this.#open.size;
  }

  summary(hour?: number): FlowSummary {
    const done = [...this.#done.slice(this.#next), ...this.#done.slice(0, this.#next)];
    const exchanges = [...done, ...this.#open.values()]
      .toSorted((a, b) => a.startMs - b.startMs)
      .slice(-maxExchanges)
      .map(asExchange);
    return {
      exchanges,
      exchangeCount: this.exchangeCount,
      handshakes: [...this.#handshakes.values()].map(asHandshake),
      up: this.#up,
      down: this.#down,
      records: this.#records,
      firstMs: this.#firstMs,
      lastMs: this.#lastMs,
      sizeEntropy: this.#sum === 0 ? 0 : Math.max(0, Math.log2(this.#sum) - this.#sumLog / this.#sum),
      sizes: [...this.#sizes],
      ...(hour !== undefined && { hour }),
    };
  }

  #seeHandshake(connection: number, from: FlowRecord["from"], { atMs, size }: Seen): void {
    const known = this.#handshakes.get(connection);
    if (from === "client") {
      if (known === undefined) {
        dropOldest(this.#handshakes, maxHandshakes);
        this.#handshakes.set(connection, { clientBytes: size, serverBytes: 0, startMs: atMs, isUsed: false });
      } else known.clientBytes = Math.max(known.clientBytes, size);
    } else if (known !== undefined) {
      known.answerMs ??= atMs - known.startMs;
      known.serverBytes = Math.max(known.serverBytes, size);
    }
  }

  #seeData(connection: number, from: FlowRecord["from"], { atMs, size }: Seen): void {
    const sizeClass = sizeClassOf(size);
    this.#sizes[sizeClass] = (this.#sizes[sizeClass] ?? 0) + 1;
    const open = this.#open.get(connection);
    if (from === "server") {
      this.#down += size;
      // What a server sends before anything was asked is the rest of its handshake.
      if (open === undefined) return;
      open.answerMs ??= atMs - open.lastUpMs;
      open.down += size;
      open.downRecords++;
      this.#lastEndMs = atMs;
      return;
    }
    this.#up += size;
    const handshake = this.#handshakes.get(connection);
    if (handshake !== undefined) handshake.isUsed = true;
    if (open !== undefined && open.down === 0) {
      open.up += size;
      open.upRecords++;
      open.lastUpMs = atMs;
      return;
    }
    this.#begin(connection, { atMs, size });
  }

  #begin(connection: number, { atMs, size }: Seen): void {
    const before = this.#open.get(connection);
    if (before !== undefined) {
      this.#open.delete(connection);
      this.#keep(before);
    } else if (this.#open.size >= maxConnections) {
      const [oldest] = this.#open;
      if (oldest !== undefined) {
        this.#open.delete(oldest[0]);
        this.#keep(oldest[1]);
      }
    }
    this.#open.set(connection, {
      startMs: atMs,
      isFirst: before === undefined,
      ...(this.#lastEndMs !== undefined && { gapMs: atMs - this.#lastEndMs }),
      up: size,
      down: 0,
      upRecords: 1,
      downRecords: 0,
      lastUpMs: atMs,
    });
  }

  #keep(exchange: Open): void {
    this.#exchangeCount++;
    if (this.#done.length < maxExchanges) {
      this.#done.push(exchange);
      return;
    }
    this.#done[this.#next] = exchange;
    this.#next = (this.#next + 1) % maxExchanges;
  }
}

function asExchange(open: Open): Exchange {
  const { lastUpMs: _last, ...exchange } = open;
  return exchange;
}

function asHandshake({ clientBytes, serverBytes, answerMs, isUsed }: OpenHandshake): Handshake {
  return { clientBytes, serverBytes, isUsed, ...(answerMs !== undefined && { answerMs }) };
}

interface Seen {
  readonly atMs: number;
  readonly size: number;
}

function dropOldest(map: Map<number, unknown>, bound: number): void {
  if (map.size < bound) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}

/** What its records make of a flow. */
export function summaryOf(records: Iterable<FlowRecord>, hour?: number): FlowSummary {
  const window = new FlowWindow();
  for (const record of records) window.see(record);
  return window.summary(hour);
}
