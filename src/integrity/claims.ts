/** What is signed about one message: the payload of its JWS (docs/formats/message-signature.md). */
import { sha256Base64url } from "../crypto/hash.ts";
import { toBase64url } from "../kernel/bytes.ts";
import type { MessageChange } from "../model/message-proof.ts";
import {
  countIn,
  digestIn,
  encodedObject,
  type Fields,
  listIn,
  objectIn,
  optional,
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
  return { ...about, ...validity(nowUnixMs), nonce: toBase64url(nonce) };
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
  const { direction, issuer, audience, method, body, request, subject, changed } = claims;
  const payload = {
    v: 1,
    dir: direction,
    iss: issuer,
    aud: audience,
    iat: claims.issuedAtUnixS,
    exp: claims.expiresAtUnixS,
    nonce: claims.nonce,
    method,
    body,
    req: request,
    sub: subject,
    changed: changed && { paths: changed.paths, orig: changed.original, iss: changed.issuer },
  };
  return Buffer.from(JSON.stringify(payload)).toString("base64url");
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
  const claims = whole({
    direction: directionIn(fields["dir"]),
    issuer: nameIn(fields["iss"]),
    audience: nameIn(fields["aud"]),
    nonce: tokenIn(fields["nonce"]),
    method: textIn(fields["method"], maxMethodLength),
    body: digestIn(fields["body"]),
  });
  const times = readValidity(fields);
  const more = readOptional(fields);
  if (claims === undefined || times === undefined || more === undefined) return undefined;
  // An answer names its call, and only an answer does.
  if ((claims.direction === "res") !== (more.request !== undefined)) return undefined;
  return { ...claims, ...times, ...more };
}

function readOptional(fields: Fields): Pick<Claims, "request" | "subject" | "changed"> | undefined {
  const found = whole({
    request: optional(fields, "req", digestIn),
    subject: optional(fields, "sub", nameIn),
    changed: optional(fields, "changed", changeIn),
  });
  if (found === undefined) return undefined;
  const { req: request } = found.request;
  const { sub: subject } = found.subject;
  return {
    ...(request !== undefined && { request }),
    ...(subject !== undefined && { subject }),
    ...found.changed,
  };
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
