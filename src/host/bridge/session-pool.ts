/**
 * The sessions of one caller with a legacy server: one for each self that its clients show (name, capabilities), since a
 * legacy session is opened by one and for one. Of modern clients that show the same self, requests share it.
 */
import { can } from "../../bridge/discovered.ts";
import { isAtLeast } from "../../bridge/log-levels.ts";
import { type ClientSelf, request } from "../../bridge/requests.ts";
import type { Journaled } from "../../gate/call.ts";
import { utf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { canonicalJson } from "../../wire/canonical-json.ts";
import type { Frame, NotificationFrame } from "../../wire/frame.ts";
import type { AskedCall } from "./asked-call.ts";
import { within } from "../within.ts";
import type { BehindOptions } from "./behind.ts";
import { type LegacySession, openLegacySession } from "./legacy-session.ts";
import { Subscriptions } from "./subscriptions.ts";

/** Selves that one caller may show at a time. */
const maxSessions = 8;
const levelTimeoutMs = 5000;
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
  const forget = (session: PooledSession): void => {
    const key = opened.get(session);
    if (key === undefined) return;
    opened.delete(session);
    sessions.delete(key);
    void session.end();
  };
  const open = async (key: string, self: ClientSelf, call: Journaled): Promise<PooledSession> => {
    const session = new PooledSession(await openLegacySession(self, call, options), self, call);
    opened.set(session, key);
    return session;
  };
  return {
    of: async (self, call) => {
      const key = canonicalJson(utf8(JSON.stringify(self))) ?? "";
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
      }
      const opening = open(key, self, call);
      sessions.set(key, opening);
      opening.catch(() => sessions.delete(key));
      return await opening;
    },
    lost: forget,
    end: async () => {
      await Promise.allSettled([...sessions.values()].map(async (session) => (await session).end()));
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
  #logLevel: string | undefined;

  constructor(legacy: LegacySession, self: ClientSelf, call: Journaled) {
    this.legacy = legacy;
    this.call = call;
    this.subscriptions = new Subscriptions(legacy, call, () => this.#listen());
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

  async end(): Promise<void> {
    const calls = [...this.calls].map(async (call) => call.giveUp("The session is ended."));
    await within(Promise.all(calls), endTimeoutMs);
    this.subscriptions.end();
    await this.legacy.end();
  }

  #listen(): void {
    this.legacy.listen(async (frame) => this.#heard(frame));
  }

  #heard(frame: Frame): void {
    if (frame.kind === "notification") this.subscriptions.heard(frame);
    if (frame.kind !== "request") return;
    const latest = [...this.calls].at(-1);
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
