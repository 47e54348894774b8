/**
 * The sessions of one caller with a legacy server: one for each self that its clients show (name, capabilities), since a
 * legacy session is opened by one and for one. Of modern clients that show the same self, requests share it.
 */
import { can } from "../../../bridge/capabilities.ts";
import { isAtLeast } from "../../../bridge/log-levels.ts";
import { type ClientSelf, request } from "../../../bridge/requests.ts";
import type { Journaled } from "../../../gate/call.ts";
import { utf8 } from "../../../kernel/bytes.ts";
import { Refusal } from "../../../kernel/refusal.ts";
import { canonicalJson } from "../../../wire/canonical-json.ts";
import type { Frame, NotificationFrame } from "../../../wire/frame.ts";
import type { AskedCall } from "./asked-call.ts";
import { within } from "../../within.ts";
import type { BehindOptions } from "../behind.ts";
import { type LegacySession, openLegacySession } from "./legacy-session.ts";
import { Subscriptions } from "./subscriptions.ts";

/** Selves that one caller may show at a time. */
const maxSessions = 8;
const levelTimeoutMs = 5000;
/** What names the call it is of, or what that asked. */
const ofCalls: ReadonlySet<string> = new Set(["notifications/progress", "notifications/cancelled"]);
/** How long servers may take to hear that calls were given up. */
const endTimeoutMs = 2000;

export interface SessionPool {
  /** @throws Refusal `busy`, and as `openLegacySession` does */
  readonly of: (self: ClientSelf, call: Journaled) => Promise<PooledSession>;
  /** The server knows it no more. */
  readonly lost: (session: PooledSession) => void;
  readonly end: () => Promise<void>;
}

export function sessionPool(options: BehindOptions): SessionPool {
  const sessions = new Map<string, Promise<PooledSession>>();
  const opened = new Map<PooledSession, string>();
  /** Their calls find out by themselves; until then they are held. */
  const losing = new Set<PooledSession>();
  let isEnded = false;
  const forget = (session: PooledSession): boolean => {
    const key = opened.get(session);
    if (key === undefined) return false;
    opened.delete(session);
    sessions.delete(key);
    return true;
  };
  const lose = (session: PooledSession): void => {
    if (!forget(session)) return;
    losing.add(session);
    void session.lose().finally(() => losing.delete(session));
  };
  const open = async (key: string, self: ClientSelf, call: Journaled): Promise<PooledSession> => {
    const legacy = await openLegacySession(self, call, options);
    const session = new PooledSession(legacy, self, call, () => lose(session));
    opened.set(session, key);
    return session;
  };
  return {
    of: async (self, call) => {
      if (isEnded) throw new Refusal("upstream_failed", "The gateway left the server.");
      const text = JSON.stringify(self);
      const key = canonicalJson(utf8(text)) ?? text;
      const found = sessions.get(key);
      if (found !== undefined) {
        sessions.delete(key); // The one used last stands last.
        sessions.set(key, found);
        return await found;
      }
      if (sessions.size >= maxSessions) {
        const idle = opened.keys().find((session) => !session.isBusy);
        if (idle === undefined)
          throw new Refusal("busy", `Too many sessions on "${options.name}" are busy; let one finish first.`);
        forget(idle);
        void idle.end();
      }
      const opening = open(key, self, call);
      sessions.set(key, opening);
      opening.catch(() => sessions.delete(key));
      return await opening;
    },
    lost: lose,
    end: async () => {
      isEnded = true;
      const held = [...sessions.values(), ...losing];
      await Promise.allSettled(held.map(async (session) => (await session).end()));
    },
  };
}

export class PooledSession {
  readonly legacy: LegacySession;
  /** On whose behalf it was opened. */
  readonly call: Journaled;
  /** Those under way, the oldest first. */
  readonly calls = new Set<AskedCall>();
  readonly subscriptions: Subscriptions;
  /** As JSON. */
  readonly serverInfo: string | undefined;
  readonly #onLost: () => void;
  #logLevel: string | undefined;
  #onIdle: (() => void) | undefined;

  /** @param onLost the server knows it no more */
  constructor(legacy: LegacySession, self: ClientSelf, call: Journaled, onLost: () => void) {
    this.legacy = legacy;
    this.call = call;
    this.#onLost = onLost;
    this.subscriptions = new Subscriptions(legacy, call, { onFirst: () => this.#listen(), onLost });
    const { serverInfo } = legacy.greeting;
    this.serverInfo = serverInfo && JSON.stringify(serverInfo);
    // Some servers ask on this stream what belongs to a call.
    if (["elicitation", "sampling", "roots"].some((name) => can(self.capabilities, name))) this.#listen();
  }

  get isBusy(): boolean {
    return this.calls.size > 0 || this.subscriptions.size > 0;
  }

  /** What the server says that is of no call. @returns whether it was that */
  unasked(frame: NotificationFrame): boolean {
    return this.subscriptions.heard(frame);
  }

  /** Has the server send log messages from `level` on; those that a call doesn't want are held back. */
  async wantsLogs(level: string, call: Journaled): Promise<void> {
    const { capabilities } = this.legacy.greeting;
    if (!can(capabilities, "logging")) return;
    if (this.#logLevel !== undefined && isAtLeast(level, this.#logLevel)) return;
    this.#logLevel = level;
    const frame = request(this.legacy.freshId(), "logging/setLevel", { level });
    const gone = AbortSignal.timeout(levelTimeoutMs);
    await this.legacy
      .ask({ frame, call: { ...call, isOwn: true }, gone, take: async () => {} })
      .catch((error: unknown) => {
        if (!(error instanceof Refusal)) throw error;
      });
  }

  /** Nothing is under way in it any more. */
  left(call: AskedCall): void {
    this.calls.delete(call);
    if (this.calls.size === 0) this.#onIdle?.();
  }

  /** The server knows it no more: who listens is told, and calls under way find out by themselves. */
  async lose(): Promise<void> {
    this.subscriptions.end();
    if (this.calls.size > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
    await this.legacy.end();
  }

  async end(): Promise<void> {
    const ended = new Refusal("upstream_failed", "The session is ended.");
    const calls = [...this.calls].map(async (call) => call.end(ended));
    await within(Promise.all(calls), endTimeoutMs);
    this.subscriptions.end();
    await this.legacy.end();
  }

  #listen(): void {
    this.legacy.listen(async (frame) => this.#heard(frame), this.#onLost);
  }

  #heard(frame: Frame): void {
    const latest = [...this.calls].findLast(({ isOver }) => !isOver);
    if (frame.kind === "notification" && !this.subscriptions.heard(frame)) {
      // It names its call, or it is most likely the newest one's.
      if (frame.method === "notifications/message") latest?.noticed(frame);
      else if (ofCalls.has(frame.method)) for (const call of this.calls) call.noticed(frame);
    }
    if (frame.kind !== "request") return;
    if (latest !== undefined) latest.asked(frame);
    else {
      const answer =
        frame.method === "ping"
          ? { result: {} }
          : { error: { code: -32600, message: "A client can be asked only while its call is under way." } };
      void this.legacy.tell({ jsonrpc: "2.0", id: frame.id, ...answer }, this.call);
    }
  }
}
