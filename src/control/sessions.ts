/** Sessions of people's browsers: short, each bound to the program and the address it began from, and in memory alone. */
import { sha256Base64url } from "../crypto/hash.ts";
import type { From, Login } from "./login.ts";

export interface SessionTerms {
  /** How long it lasts without a request. */
  readonly idleMs: number;
  /** How long it lasts at most. */
  readonly lifetimeMs: number;
}

export interface Session {
  /** Names it among others, and opens nothing. */
  readonly id: string;
  readonly login: Login;
  /** What a change has to say beside the cookie, which a page of another site can't know. */
  readonly csrf: string;
  readonly from: From;
  readonly beganUnixMs: number;
  readonly expiresAtUnixMs: number;
}

export interface Sessions {
  /** @returns the secret for its cookie */
  readonly begin: (login: Login, from: From, nowUnixMs: number) => string;
  /** @returns undefined if there is none with that secret, it is over, or somebody else shows it */
  readonly of: (secret: string | undefined, from: From, nowUnixMs: number) => Session | undefined;
  readonly end: (id: string) => boolean;
  /** All for which that holds. */
  readonly endAll: (isOver: (session: Pick<Session, "id" | "login">) => boolean) => void;
  /** Newest first. */
  readonly list: (nowUnixMs: number) => readonly Session[];
}

const maxSessions = 512;
const maxSessionsEach = 16;

interface Kept {
  readonly session: Omit<Session, "expiresAtUnixMs">;
  seenUnixMs: number;
}

/** @param random 32 bytes of it */
export function sessions({ idleMs, lifetimeMs }: SessionTerms, random: () => Uint8Array): Sessions {
  /** By the digest of their secrets: memory that leaks, or is compared, tells no secret. */
  const kept = new Map<string, Kept>();
  const endOf = ({ session, seenUnixMs }: Kept): number =>
    Math.min(session.beganUnixMs + lifetimeMs, seenUnixMs + idleMs);
  const sweep = (nowUnixMs: number): void => {
    for (const [key, each] of kept) if (nowUnixMs >= endOf(each)) kept.delete(key);
  };
  const drop = (keys: readonly string[], most: number): void => {
    for (const key of keys.slice(0, Math.max(0, keys.length - most))) kept.delete(key);
  };
  return {
    begin: (login, from, nowUnixMs) => {
      sweep(nowUnixMs);
      const secret = Buffer.from(random()).toString("base64url");
      const key = sha256Base64url(secret);
      const csrf = sha256Base64url(`csrf ${secret}`);
      const session = {
        id: sha256Base64url(`id ${key}`).slice(0, 16),
        login,
        csrf,
        from,
        beganUnixMs: nowUnixMs,
      };
      kept.set(key, { session, seenUnixMs: nowUnixMs });
      // The oldest goes: nobody is shut out by sessions that were forgotten somewhere.
      const own = [...kept]
        .filter(([, each]) => each.session.login.name === login.name)
        .map(([name]) => name);
      drop(own, maxSessionsEach);
      drop([...kept.keys()], maxSessions);
      return secret;
    },
    of: (secret, from, nowUnixMs) => {
      const found = secret === undefined ? undefined : kept.get(sha256Base64url(secret));
      if (found === undefined) return undefined;
      const { session } = found;
      const isOver = nowUnixMs >= endOf(found);
      if (isOver || session.from.agent !== from.agent || session.from.address !== from.address)
        return undefined;
      found.seenUnixMs = nowUnixMs;
      return { ...session, expiresAtUnixMs: endOf(found) };
    },
    end: (id) => {
      const found = [...kept].find(([, { session }]) => session.id === id);
      return found !== undefined && kept.delete(found[0]);
    },
    endAll: (isOver) => {
      for (const [key, { session }] of kept) if (isOver(session)) kept.delete(key);
    },
    list: (nowUnixMs) => {
      sweep(nowUnixMs);
      return [...kept.values()]
        .map((each) => ({ ...each.session, expiresAtUnixMs: endOf(each) }))
        .toReversed();
    },
  };
}

export interface OneTimeCodes {
  /** @param whom it lets in; null: the operator of this machine */
  readonly issue: (
    whom: string | null,
    nowUnixMs: number,
  ) => { readonly code: string; readonly expiresAtUnixMs: number };
  /** Whom it lets in; it doesn't, any more, after that. Undefined: nobody. */
  readonly take: (code: string, nowUnixMs: number) => string | null | undefined;
}

const codeLifetimeMs = 10 * 60_000;
const maxCodes = 16;

/** What opens one session once. @param random 32 bytes of it */
export function oneTimeCodes(random: () => Uint8Array): OneTimeCodes {
  /** By their digests. */
  const codes = new Map<string, { readonly whom: string | null; readonly expiresAtUnixMs: number }>();
  return {
    issue: (whom, nowUnixMs) => {
      const code = Buffer.from(random()).toString("base64url");
      const expiresAtUnixMs = nowUnixMs + codeLifetimeMs;
      codes.set(sha256Base64url(code), { whom, expiresAtUnixMs });
      const [oldest] = codes.keys();
      if (codes.size > maxCodes && oldest !== undefined) codes.delete(oldest);
      return { code, expiresAtUnixMs };
    },
    take: (code, nowUnixMs) => {
      // Of a digest that is looked up, time tells nothing of the code.
      const digest = sha256Base64url(code);
      const found = codes.get(digest);
      codes.delete(digest);
      return found === undefined || nowUnixMs >= found.expiresAtUnixMs ? undefined : found.whom;
    },
  };
}
