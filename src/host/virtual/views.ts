/** The views of a virtual server's clients: found by session or caller, bounded, forgotten when nobody uses them. */
import { randomUUID } from "node:crypto";

import type { Located } from "../../gate/call.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { holderOf } from "../../model/caller.ts";
import type { RequestFrame } from "../../wire/frame.ts";
import { View } from "./view.ts";
import type { VirtualServerOptions } from "./virtual-server.ts";

/** Of one caller: an agent has one or two sessions, a client that never ends them must not fill the memory. */
const maxViewsPerCaller = 64;
const reapEveryMs = 30_000;

export class Views {
  readonly #options: VirtualServerOptions;
  readonly #views = new Map<string, View>();
  readonly #reaper: NodeJS.Timeout;

  constructor(options: VirtualServerOptions) {
    this.#options = options;
    this.#reaper = setInterval(() => this.#reap(), reapEveryMs).unref();
  }

  /**
   * The view a call is made in; undefined for a legacy call that names no session.
   * @throws Refusal `no_such_session`
   */
  of(call: Located): View | undefined {
    const caller = holderOf(call.caller);
    const isModern =
      call.frame !== undefined && call.frame.kind !== "response" && call.frame.era === "modern";
    if (!isModern && call.session === undefined) return undefined;
    const id = isModern ? caller : (call.session ?? "");
    const view = this.#views.get(id);
    if (view === undefined && !isModern) {
      throw new Refusal("no_such_session", "The session has ended; initialize again.");
    }
    const used = view ?? this.#add(call, id);
    used.lastUsedUnixMs = call.atUnixMs;
    return used;
  }

  /** A view for a new legacy session. */
  open(call: Located, initialize: RequestFrame): View {
    return this.#add(call, randomUUID(), initialize);
  }

  close(view: View): void {
    this.#views.delete(view.id);
  }

  stop(): void {
    clearInterval(this.#reaper);
    this.#views.clear();
  }

  #add(call: Located, id: string, initialize?: RequestFrame): View {
    const { members, patienceMs, ports } = this.#options;
    const caller = holderOf(call.caller);
    const mine = [...this.#views.values()].filter((view) => view.caller === caller);
    const [oldest] = mine.toSorted(
      (a, b) => a.listeners.size - b.listeners.size || a.lastUsedUnixMs - b.lastUsedUnixMs,
    );
    if (mine.length >= maxViewsPerCaller && oldest !== undefined) this.close(oldest);
    const view = new View({
      id,
      caller,
      members,
      patienceMs,
      log: ports.log,
      nowUnixMs: call.atUnixMs,
      ...(initialize && { initialize }),
    });
    this.#views.set(id, view);
    return view;
  }

  #reap(): void {
    const before = this.#options.ports.clock.nowUnixMs() - this.#options.idleTimeoutMs;
    for (const view of this.#views.values()) {
      if (view.lastUsedUnixMs <= before && view.listeners.size === 0) this.close(view);
    }
  }
}
