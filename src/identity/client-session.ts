/**
 * Tokens of client sessions (docs/formats/session.md): `<id>.<minted, unix seconds>.<mac>`. The MAC binds them to whom
 * they were given, so the gateway remembers of a session only when it was used.
 */
import { hmacSha256 } from "../crypto/hash.ts";
import { equalInConstantTime, toBase64url, utf8 } from "../kernel/bytes.ts";

const macBytes = 16;
/** 128 random bits. */
const token = /^([A-Za-z0-9_-]{22})\.(\d{1,11})\.([A-Za-z0-9_-]{22})$/;

export interface ClientSession {
  /** Names the session in the log. Without the MAC it is worth nothing. */
  readonly id: string;
  readonly mintedUnixMs: number;
}

/** @param holder as `holderOf` names it */
export function sealClientSession(key: Uint8Array, holder: string, session: ClientSession): string {
  const seconds = Math.floor(session.mintedUnixMs / 1000);
  return `${session.id}.${seconds}.${mac(key, ["session", holder, session.id, seconds])}`;
}

/** The session, or undefined if this holder was never given that token. */
export function openClientSession(key: Uint8Array, holder: string, text: string): ClientSession | undefined {
  const [, id, minted, found] = token.exec(text) ?? [];
  if (id === undefined || found === undefined) return undefined;
  const seconds = Number(minted);
  const expected = mac(key, ["session", holder, id, seconds]);
  return equalInConstantTime(utf8(found), utf8(expected)) ? { id, mintedUnixMs: seconds * 1000 } : undefined;
}

/** The id of the part of a session that its client gave that name. The log can't be asked for names. */
export function partOfSession(key: Uint8Array, id: string, name: string): string {
  return `${id}.${mac(key, ["part", id, name]).slice(0, 11)}`;
}

/** The id of the session that a part is of; a session's own id is its own. */
export function baseOfSession(id: string): string {
  return id.split(".", 1)[0] ?? id;
}

function mac(key: Uint8Array, bound: readonly (string | number)[]): string {
  return toBase64url(hmacSha256(key, utf8(JSON.stringify(bound))).subarray(0, macBytes));
}
