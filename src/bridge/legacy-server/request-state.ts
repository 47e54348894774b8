/**
 * The `requestState` of a parked call: opaque to clients, sealed (AES-256-GCM) and bound to its caller, its server, what
 * it asked, and a time. INVARIANT: of a state that opens, all of it was written by this gateway for this very call.
 */
import { sha256 } from "../../crypto/hash.ts";
import { openBytes, sealBytes } from "../../crypto/sealed.ts";
import { concat, fromBase64url, fromUtf8, toBase64url, utf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { canonicalJson } from "../../wire/canonical-json.ts";
import type { RequestFrame } from "../../wire/frame.ts";

/** Whose call it is. */
export interface StateOwner {
  /** As `holderOf` names the caller. */
  readonly holder: string;
  readonly server: string;
  /** `askedIn` of the call. */
  readonly asked: string;
}

export interface RequestState {
  /** Name of the parked call; absent where the call is to be made anew. */
  readonly parked?: string;
  readonly expiresUnixMs: number;
}

const nonceBytes = 12;
const tagBytes = 16;
/** Longer ones aren't ours. */
const maxLength = 1024;

/** @param key 32 bytes */
export function sealState(key: Uint8Array, owner: StateOwner, state: RequestState): string {
  const text = JSON.stringify([state.expiresUnixMs, ...(state.parked === undefined ? [] : [state.parked])]);
  const { nonce, sealed } = sealBytes(key, bound(owner), utf8(text));
  return toBase64url(concat([nonce, sealed]));
}

/** @throws Refusal `request_state` for one that isn't whole, isn't that call's, or has expired */
export function openState(key: Uint8Array, owner: StateOwner, text: string, nowUnixMs: number): RequestState {
  const bytes = text.length > maxLength ? undefined : fromBase64url(text);
  const opened = bytes && opening(key, owner, bytes);
  if (opened === undefined)
    throw stateRefused("The requestState isn't one that was given out for this very call to this caller.");
  if (opened.expiresUnixMs <= nowUnixMs)
    throw stateRefused("The requestState has expired, and its call was ended; make the call again.");
  return opened;
}

export function stateRefused(message: string): Refusal {
  return new Refusal("request_state", message);
}

function opening(key: Uint8Array, owner: StateOwner, bytes: Uint8Array): RequestState | undefined {
  if (bytes.length < nonceBytes + tagBytes) return undefined;
  const sealed = { nonce: bytes.subarray(0, nonceBytes), sealed: bytes.subarray(nonceBytes) };
  let text: string | undefined;
  try {
    text = fromUtf8(openBytes(key, bound(owner), sealed));
  } catch {
    return undefined;
  }
  const [expiresUnixMs, parked] = JSON.parse(text ?? "[0]") as readonly [number, string?];
  return { expiresUnixMs, ...(parked !== undefined && { parked }) };
}

function bound({ holder, server, asked }: StateOwner): Uint8Array {
  return utf8(JSON.stringify(["dev.latticegate/request-state", holder, server, asked]));
}

/** Digest of what a request asks, the same in each of its rounds: method and params without what changes from round to round. */
export function askedIn({ bytes }: RequestFrame): string {
  const form = canonicalJson(bytes, {
    id: true,
    params: { _meta: true, inputResponses: true, requestState: true },
  });
  return toBase64url(sha256(form === undefined ? bytes : utf8(form)));
}
