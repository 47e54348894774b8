/**
 * What a server answers to a ClientHello in the clear: of TLS 1.3 the ServerHello or HelloRetryRequest (RFC 8446 §4.1.3), of
 * older versions everything up to ServerHelloDone (RFC 5246 §7.4). Hostile bytes never throw.
 */
import { concat } from "../kernel/bytes.ts";
import { Cursor } from "./tls-cursor.ts";
import { cipherName } from "./tls-names.ts";

export interface ServerFlight {
  /** The version it chose. */
  readonly version: number;
  readonly cipher: number;
  /** It asks for a share of this group, or took one of it. */
  readonly group?: number;
  readonly isRetry: boolean;
  /** DER, leaf first; of TLS 1.2 and older. */
  readonly certificates: readonly Uint8Array[];
  /** Of TLS 1.2 and older; absent where the secret is encrypted to the certificate's key. */
  readonly exchange?: { readonly curve: number } | { readonly primeBits: number };
  readonly asksForCertificate: boolean;
}

export type FlightPeek =
  | { readonly kind: "flight"; readonly flight: ServerFlight }
  | { readonly kind: "alert"; readonly alert: number }
  | { readonly kind: "need-more" }
  | { readonly kind: "not-tls" };

/** RFC 8446 §4.1.3: the random of a HelloRetryRequest. */
const retryRandom = "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c";
/** A chain of the largest certificates there are. */
export const maxFlightBytes = 256 * 1024;
const maxCertificates = 16;

export function peekFlight(bytes: Uint8Array): FlightPeek {
  const messages: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const record = recordAt(bytes, at);
    if (record === "not-tls") return messages.length === 0 ? { kind: "not-tls" } : read(concat(messages));
    if (record === undefined) break;
    if (record.type === 21)
      return messages.length === 0 ? { kind: "alert", alert: record.body[1] ?? 0 } : read(concat(messages));
    messages.push(record.body);
    at += 5 + record.body.length;
  }
  return messages.length === 0 ? { kind: "need-more" } : read(concat(messages));
}

/** @returns undefined if it isn't whole yet */
function recordAt(
  bytes: Uint8Array,
  at: number,
): { readonly type: number; readonly body: Uint8Array } | "not-tls" | undefined {
  const [type = 0, major, , high = 0, low = 0] = bytes.subarray(at, at + 5);
  if ((type !== 22 && type !== 21) || (major !== undefined && major !== 3)) return "not-tls";
  const end = at + 5 + high * 256 + low;
  return bytes.length < Math.max(end, at + 5) ? undefined : { type, body: bytes.subarray(at + 5, end) };
}

function read(bytes: Uint8Array): FlightPeek {
  const cursor = new Cursor(bytes, 0, bytes.length);
  let flight: ServerFlight | undefined;
  while (!cursor.atEnd && !cursor.broken) {
    const type = cursor.uint8();
    const body = cursor.vector(3);
    if (cursor.broken) break;
    if (flight === undefined) {
      if (type !== 2) return { kind: "not-tls" };
      flight = serverHello(body);
      if (flight === undefined) return { kind: "not-tls" };
      if (flight.version >= 0x0304) return { kind: "flight", flight };
    } else flight = widened(flight, type, body);
    if (type === 14) return { kind: "flight", flight };
  }
  return { kind: "need-more" };
}

function serverHello(body: Cursor): ServerFlight | undefined {
  const legacy = body.uint16();
  const random = body.take(32);
  body.vector(1);
  const cipher = body.uint16();
  body.uint8();
  if (body.broken) return undefined;
  let version = legacy;
  let group: number | undefined;
  const extensions = body.atEnd ? body : body.vector(2);
  while (!extensions.atEnd && !extensions.broken) {
    const type = extensions.uint16();
    const data = extensions.vector(2);
    if (type === 43) version = data.uint16();
    if (type === 51) group = data.uint16();
  }
  return {
    version,
    cipher,
    ...(group !== undefined && { group }),
    isRetry: random.toHex() === retryRandom,
    certificates: [],
    asksForCertificate: false,
  };
}

function widened(flight: ServerFlight, type: number, body: Cursor): ServerFlight {
  if (type === 11) return { ...flight, certificates: certificatesIn(body) };
  if (type === 12)
    return { ...flight, exchange: exchangeIn(body, cipherName(flight.cipher).startsWith("TLS_DHE")) };
  return type === 13 ? { ...flight, asksForCertificate: true } : flight;
}

function certificatesIn(body: Cursor): readonly Uint8Array[] {
  const list = body.vector(3);
  const found: Uint8Array[] = [];
  while (!list.atEnd && !list.broken && found.length < maxCertificates) found.push(list.vector(3).rest());
  return found;
}

/** RFC 8422 §5.4: a named curve; otherwise the parameters of RFC 5246 §7.4.3, a prime first. */
function exchangeIn(body: Cursor, hasPrime: boolean): NonNullable<ServerFlight["exchange"]> {
  if (!hasPrime) return body.uint8() === 3 ? { curve: body.uint16() } : { curve: 0 };
  const prime = body.vector(2).rest();
  const first = prime.findIndex((byte) => byte !== 0);
  return { primeBits: first === -1 ? 0 : (prime.length - first) * 8 - Math.clz32((prime[first] ?? 0) << 24) };
}
