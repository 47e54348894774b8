/**
 * Session ids bound to their caller: `<upstream's id>.<mac>`. Another caller that learns the id can't
 * use it, and the gateway need not remember which ids it gave to whom.
 */
import { hmacSha256 } from "../crypto/hash.ts";
import { equalInConstantTime, toBase64url, utf8 } from "../kernel/bytes.ts";
import { holderOf } from "../model/caller.ts";
import type { Identified } from "./call.ts";

const macBytes = 16;

/** Whose session it is, and on which server. */
interface Owner {
  /** As `holderOf` names it. */
  readonly holder: string;
  readonly server: string;
}

/** Of a forward server each origin is a server of its own. */
export function ownerOf({ caller, server, targetUrl }: Identified): Owner {
  const of = targetUrl === undefined ? server : `${server} ${targetUrl.origin}`;
  return { holder: holderOf(caller), server: of };
}

export function sealSessionId(key: Uint8Array, owner: Owner, upstreamId: string): string {
  return `${upstreamId}.${mac(key, owner, upstreamId)}`;
}

/** The upstream's id, or undefined if this caller was never given that session. */
export function openSessionId(key: Uint8Array, owner: Owner, sealed: string): string | undefined {
  const dot = sealed.lastIndexOf(".");
  if (dot === -1) return undefined;
  const upstreamId = sealed.slice(0, dot);
  const expected = mac(key, owner, upstreamId);
  return equalInConstantTime(utf8(sealed.slice(dot + 1)), utf8(expected)) ? upstreamId : undefined;
}

function mac(key: Uint8Array, owner: Owner, upstreamId: string): string {
  const bound = utf8(JSON.stringify([owner.holder, owner.server, upstreamId]));
  return toBase64url(hmacSha256(key, bound).subarray(0, macBytes));
}
