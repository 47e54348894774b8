/** What is signed about one message: the payload of its JWS (docs/formats/message-signature.md). */
import { sha256Base64url } from "../crypto/hash.ts";
import type { MessageChange } from "../model/message-proof.ts";
import {
  countIn,
  digestIn,
  encodedObject,
  type Fields,
  listIn,
  objectIn,
  textIn,
  tokenIn,
  whole,
} from "./fields.ts";

/** A call, or its answer. */
export type Direction = "req" | "res";

export interface Claims {
  readonly direction: Direction;
  /** SPIFFE ID of the end that signs. */
  readonly issuer: string;
  /** Of a call, whom it is for; of an answer, who signed the call. */
  readonly audience: string;
  readonly issuedAtUnixS: number;
  readonly expiresAtUnixS: number;
  /** 16 random bytes, base64url. */
  readonly nonce: string;
  readonly method: string;
  /** `sha-256:` digest of the message. */
  readonly body: string;
  /** Of an answer: `sha-256:` digest of the call's payload. */
  readonly request?: string;
  /** The caller on whose behalf a gateway signs. */
  readonly subject?: string;
  readonly changed?: MessageChange;
}

/** What a verifier takes at most, and what we sign for: longer than any clock is wrong, shorter than any memory lasts. */
export const maxLifetimeS = 300;
const lifetimeS = 120;

/** A payload with all its bounds used up is shorter. */
export const maxPayloadLength = 48 * 1024;
/** SPIFFE IDs have 2,048 bytes at most; the server's name comes behind a gateway's. */
const maxNameLength = 2304;
export const maxMethodLength = 256;
const maxPaths = 64;
const maxPathLength = 256;

/** For a message that is signed now. @param nonce 16 random bytes */
export function claimsNow(
  about: Omit<Claims, "issuedAtUnixS" | "expiresAtUnixS" | "nonce">,
  nonce: Uint8Array,
  nowUnixMs: number,
): Claims {
  return { ...about, ...validity(nowUnixMs), nonce: encoded(nonce) };
}

/** By way of Buffer, which is quicker than `toBase64url`. */
function encoded(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64url");
}

/**
 * For the same message signed anew: it has the nonce and the end of the first, so that of the two one is taken.
 * @returns undefined when that end has come
 */
export function claimsAgain(before: Claims, audience: string, nowUnixMs: number): Claims | undefined {
  const issuedAtUnixS = Math.floor(nowUnixMs / 1000);
  return issuedAtUnixS < before.expiresAtUnixS ? { ...before, audience, issuedAtUnixS } : undefined;
}

/** The times of what is signed now. */
export function validity(nowUnixMs: number): Pick<Claims, "issuedAtUnixS" | "expiresAtUnixS"> {
  const issuedAtUnixS = Math.floor(nowUnixMs / 1000);
  return { issuedAtUnixS, expiresAtUnixS: issuedAtUnixS + lifetimeS };
}

/** The payload: JSON in base64url. */
export function writeClaims(claims: Claims): string {
  const { direction, issuer, audience, issuedAtUnixS, expiresAtUnixS, nonce, method, body } = claims;
  const { request, subject, changed } = claims;
  // Piece by piece: each message has one, and `JSON.stringify` takes longer over all of it than over the names.
  let text = `{"v":1,"dir":"${direction}","iss":${quoted(issuer)},"aud":${quoted(audience)}`;
  text += `,"iat":${issuedAtUnixS},"exp":${expiresAtUnixS},"nonce":${quoted(nonce)}`;
  text += `,"method":${quoted(method)},"body":${quoted(body)}`;
  if (request !== undefined) text += `,"req":${quoted(request)}`;
  if (subject !== undefined) text += `,"sub":${quoted(subject)}`;
  if (changed !== undefined) {
    const { paths, original: orig, issuer: iss } = changed;
    text += `,"changed":${JSON.stringify({ paths, orig, iss })}`;
  }
  return Buffer.from(`${text}}`).toString("base64url");
}

/** What needs no escape is most of what there is to write. */
function quoted(name: string): string {
  return /^[\w:/?=.-]*$/.test(name) ? `"${name}"` : JSON.stringify(name);
}

/** Of one message they are asked for several times in a row. */
let latest: { readonly payload: string; readonly claims: Claims | undefined } | undefined;

/** @returns undefined for what isn't the payload of a message's signature, in version 1 */
export function readClaims(payload: string): Claims | undefined {
  if (latest?.payload !== payload) latest = { payload, claims: claimsIn(payload) };
  return latest.claims;
}

function claimsIn(payload: string): Claims | undefined {
  const fields = payload.length <= maxPayloadLength ? encodedObject(payload) : undefined;
  if (fields?.["v"] !== 1) return undefined;
  const { req, sub, changed } = fields;
  const claims = whole({
    direction: directionIn(fields["dir"]),
    issuer: nameIn(fields["iss"]),
    audience: nameIn(fields["aud"]),
    nonce: tokenIn(fields["nonce"]),
    method: textIn(fields["method"], maxMethodLength),
    body: digestIn(fields["body"]),
    ...(req !== undefined && { request: digestIn(req) }),
    ...(sub !== undefined && { subject: nameIn(sub) }),
    ...(changed !== undefined && { changed: changeIn(changed) }),
  });
  const times = readValidity(fields);
  if (claims === undefined || times === undefined) return undefined;
  // An answer names its call, and only an answer does.
  if ((claims.direction === "res") !== (claims.request !== undefined)) return undefined;
  return { ...claims, ...times };
}

export function directionIn(value: unknown): Direction | undefined {
  return value === "req" || value === "res" ? value : undefined;
}

/** `iat` and `exp`, at most 300 seconds apart. */
export function readValidity(fields: Fields): Pick<Claims, "issuedAtUnixS" | "expiresAtUnixS"> | undefined {
  const times = whole({ issuedAtUnixS: countIn(fields["iat"]), expiresAtUnixS: countIn(fields["exp"]) });
  const lifetime = times === undefined ? 0 : times.expiresAtUnixS - times.issuedAtUnixS;
  return lifetime > 0 && lifetime <= maxLifetimeS ? times : undefined;
}

export function nameIn(value: unknown): string | undefined {
  return textIn(value, maxNameLength);
}

/** How an answer names the call whose payload this is. */
export function requestDigest(payload: string): string {
  return `sha-256:${sha256Base64url(payload)}`;
}

function changeIn(value: unknown): MessageChange | undefined {
  const fields = objectIn(value);
  return (
    fields &&
    whole({
      paths: listIn(fields["paths"], maxPaths, (path) => textIn(path, maxPathLength)),
      original: digestIn(fields["orig"]),
      issuer: nameIn(fields["iss"]),
    })
  );
}
