/** What clients of one legacy session listen to: resources are subscribed to while somebody does. */
import { request } from "../../../bridge/requests.ts";
import {
  acknowledged,
  honoured,
  isUnasked,
  type SubscriptionFilter,
  taggedWith,
  wants,
} from "../../../bridge/legacy-server/subscription-filter.ts";
import type { Journaled } from "../../../gate/call.ts";
import { Refusal } from "../../../kernel/refusal.ts";
import type { Frame, NotificationFrame, RequestId } from "../../../wire/frame.ts";
import type { LegacySession } from "./legacy-session.ts";

export interface Listener {
  readonly id: RequestId;
  readonly say: (message: Uint8Array) => void;
  /** Nothing comes any more. */
  readonly end: () => void;
}

export interface SubscriptionEvents {
  /** Somebody listens: the server's own stream is wanted. */
  readonly onFirst: () => void;
  /** The server knows the session no more. */
  readonly onLost: () => void;
}

/** In one session. */
const maxListeners = 64;
const askTimeoutMs = 10_000;

export class Subscriptions {
  readonly #legacy: LegacySession;
  readonly #call: Journaled;
  readonly #events: SubscriptionEvents;
  readonly #listeners = new Map<Listener, SubscriptionFilter>();
  /** How many listen to each address, and whether the server tells of it. */
  readonly #uris = new Map<string, { count: number; readonly isTold: Promise<boolean> }>();

  constructor(legacy: LegacySession, call: Journaled, events: SubscriptionEvents) {
    this.#legacy = legacy;
    this.#call = call;
    this.#events = events;
  }

  get size(): number {
    return this.#listeners.size;
  }

  /** Acknowledges what the server can tell of it. @throws Refusal `busy` */
  async add(listener: Listener, asked: SubscriptionFilter): Promise<void> {
    if (this.#listeners.size >= maxListeners)
      throw new Refusal("busy", "Too many subscriptions in this session; end one first.");
    const can = honoured(asked, this.#legacy.greeting.capabilities);
    this.#listeners.set(listener, { lists: can.lists, uris: [] });
    this.#events.onFirst();
    const taken = await Promise.all(can.uris.map((uri) => this.#retain(uri)));
    const filter = { lists: can.lists, uris: can.uris.filter((_, i) => taken[i]) };
    if (this.#listeners.has(listener)) {
      this.#listeners.set(listener, filter);
      listener.say(acknowledged(listener.id, filter));
    } else for (const uri of filter.uris) this.#release(uri); // It went away meanwhile.
  }

  remove(listener: Listener): void {
    const filter = this.#listeners.get(listener);
    this.#listeners.delete(listener);
    for (const uri of filter?.uris ?? []) this.#release(uri);
  }

  /** @returns whether it was something that is listened to, and of no call */
  heard(frame: NotificationFrame): boolean {
    if (!isUnasked(frame)) return false;
    for (const [listener, filter] of this.#listeners)
      if (wants(filter, frame)) listener.say(taggedWith(listener.id, frame));
    return true;
  }

  end(): void {
    const listeners = [...this.#listeners.keys()];
    this.#listeners.clear();
    for (const listener of listeners) listener.end();
  }

  /** @returns whether the server tells of its changes now */
  async #retain(uri: string): Promise<boolean> {
    const one = this.#uris.get(uri) ?? { count: 0, isTold: this.#ask("resources/subscribe", uri) };
    one.count++;
    this.#uris.set(uri, one);
    const isTold = await one.isTold;
    if (!isTold && this.#uris.get(uri) === one) this.#uris.delete(uri);
    return isTold;
  }

  #release(uri: string): void {
    const one = this.#uris.get(uri);
    if (one === undefined || --one.count > 0) return;
    this.#uris.delete(uri);
    void this.#ask("resources/unsubscribe", uri);
  }

  async #ask(method: string, uri: string): Promise<boolean> {
    const frame = request(this.#legacy.freshId(), method, { uri });
    let isGood = false;
    const take = async (each: Frame): Promise<void> => {
      isGood ||= each.kind === "response" && each.result !== undefined;
    };
    try {
      const gone = AbortSignal.timeout(askTimeoutMs);
      await this.#legacy.ask({ frame, call: { ...this.#call, isOwn: true }, gone, take });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.code === "no_such_session") this.#events.onLost();
    }
    return isGood;
  }
}
