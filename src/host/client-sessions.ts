/** The sessions of clients, in this process's memory: bounded, and ended when nobody uses them. */
import { randomBytes } from "node:crypto";

import type { ClientSessions } from "../gate/ports.ts";
import {
  type ClientSession,
  openClientSession,
  partOfSession,
  sealClientSession,
} from "../identity/client-session.ts";
import { Refusal } from "../kernel/refusal.ts";
import { holderOf } from "../model/caller.ts";
import { sessionPartPattern } from "../wire/identity-headers.ts";

/** A session that isn't used for so long has ended. */
const idleMs = 30 * 60_000;
/** No session is older, however much it is used. */
const maxAgeMs = 24 * 3_600_000;
/** A client's process is one session, and a machine runs a few; the least used makes way. */
const maxPerCaller = 256;
const maxCallers = 4096;

interface Used extends ClientSession {
  lastUsedUnixMs: number;
}

/** @param key 32 bytes; tokens outlive this process if it does */
export function clientSessions(key: Uint8Array, startedUnixMs: number): ClientSessions {
  /** By caller, then by id, the least recently used first. Without a token, the id's place is the holder's. */
  const callers = new Map<string, Map<string, Used>>();
  const touch = (caller: string, place: string, session: ClientSession, nowUnixMs: number): void => {
    const own = callers.get(caller) ?? new Map<string, Used>();
    callers.delete(caller);
    callers.set(caller, own);
    own.delete(place);
    own.set(place, { ...session, lastUsedUnixMs: nowUnixMs });
    dropFirst(own, maxPerCaller);
    dropFirst(callers, maxCallers);
  };
  /** What isn't remembered may have been used before this process began, or never yet. */
  const isOver = (known: Used | undefined, { mintedUnixMs }: ClientSession, nowUnixMs: number): boolean => {
    const lastUse = known?.lastUsedUnixMs ?? Math.max(mintedUnixMs, startedUnixMs);
    return nowUnixMs >= lastUse + idleMs || nowUnixMs >= mintedUnixMs + maxAgeMs;
  };
  const ofToken = (caller: string, holder: string, token: string, nowUnixMs: number): ClientSession => {
    const session = openClientSession(key, holder, token);
    if (session === undefined || isOver(callers.get(caller)?.get(session.id), session, nowUnixMs)) {
      callers.get(caller)?.delete(session?.id ?? "");
      throw new Refusal("session_ended", "This client's session has ended, or isn't this caller's.");
    }
    touch(caller, session.id, session, nowUnixMs);
    return session;
  };
  const ofHolder = (caller: string, holder: string, nowUnixMs: number): ClientSession => {
    const place = `of ${holder}`;
    const known = callers.get(caller)?.get(place);
    const session = known === undefined || isOver(known, known, nowUnixMs) ? fresh(nowUnixMs) : known;
    touch(caller, place, session, nowUnixMs);
    return session;
  };
  return {
    mint: (caller, nowUnixMs) => sealClientSession(key, holderOf(caller), fresh(nowUnixMs)),
    use: (caller, { token, part }, nowUnixMs) => {
      if (part !== undefined && !sessionPartPattern.test(part)) {
        throw new Refusal("bad_message", "Expected 1 to 128 visible ASCII characters for a session's part.");
      }
      const holder = holderOf(caller);
      const { id, mintedUnixMs } =
        token === undefined
          ? ofHolder(caller.id, holder, nowUnixMs)
          : ofToken(caller.id, holder, token, nowUnixMs);
      const beganUnixMs = mintedUnixMs - (mintedUnixMs % 1000);
      return { id: part === undefined ? id : partOfSession(key, id, part), beganUnixMs };
    },
  };
}

function fresh(nowUnixMs: number): ClientSession {
  return { id: randomBytes(16).toString("base64url"), mintedUnixMs: nowUnixMs };
}

function dropFirst(map: Map<string, unknown>, max: number): void {
  if (map.size <= max) return;
  const [first] = map.keys();
  if (first !== undefined) map.delete(first);
}
