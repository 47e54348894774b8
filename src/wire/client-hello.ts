/**
 * The first message of a TLS client (RFC 8446 §4.1.2), read before anything is answered. Every outcome
 * is a value: hostile bytes never throw.
 */
import { concat } from "../kernel/bytes.ts";
import { Cursor, uint16 } from "./tls-cursor.ts";

export interface ClientHello {
  readonly legacyVersion: number;
  readonly versions: readonly number[];
  readonly groups: readonly number[];
  /** Groups a key share was sent for. */
  readonly keyShares: readonly number[];
  readonly signatureSchemes: readonly number[];
  readonly cipherSuites: readonly number[];
  readonly extensions: readonly number[];
  readonly alpn: readonly string[];
  readonly serverName?: string;
  readonly bytes: number;
}

export type Peek =
  | { readonly kind: "hello"; readonly hello: ClientHello }
  | { readonly kind: "need-more"; readonly atLeastBytes: number }
  | { readonly kind: "not-tls"; readonly reason: string }
  | { readonly kind: "too-big"; readonly reason: string }
  | { readonly kind: "malformed"; readonly reason: string };

const recordHeader = 5;
const handshakeHeader = 4;
/** RFC 8446 §5.1: a plaintext record carries at most 2^14 bytes. */
const maxRecordBytes = 16_384;
/** A hello may be spread over records; one of a few bytes each is a way to keep us busy. */
const maxRecords = 4096;

export function peekClientHello(bytes: Uint8Array, maxBytes: number): Peek {
  const parts: Uint8Array[] = [];
  let have = 0;
  let at = 0;
  for (let records = 0; records < maxRecords; records++) {
    if (at > maxBytes) return { kind: "too-big", reason: `no complete ClientHello within ${maxBytes} bytes` };
    if (bytes.length > at && bytes[at] !== 22) return { kind: "not-tls", reason: "no handshake record" };
    if (bytes.length > at + 1 && bytes[at + 1] !== 3)
      return { kind: "not-tls", reason: "no TLS record version" };
    if (bytes.length < at + recordHeader) return { kind: "need-more", atLeastBytes: at + recordHeader };
    const length = uint16(bytes, at + 3);
    if (length === 0 || length > maxRecordBytes) return malformed(`a record of ${length} bytes`);
    const body = bytes.subarray(at + recordHeader, at + recordHeader + length);
    parts.push(body);
    have += body.length;
    const verdict = assembled(parts, have, maxBytes);
    if (verdict !== undefined) return verdict;
    if (body.length < length) return { kind: "need-more", atLeastBytes: at + recordHeader + length };
    at += recordHeader + length;
  }
  return malformed("too many records");
}

/** A verdict on the handshake message collected so far, if there can be one. */
function assembled(parts: readonly Uint8Array[], have: number, maxBytes: number): Peek | undefined {
  if (have < handshakeHeader)
    return parts[0]?.[0] === undefined || parts[0][0] === 1 ? undefined : notHello();
  const message = parts.length === 1 && parts[0] !== undefined ? parts[0] : concat(parts);
  if (message[0] !== 1) return notHello();
  const need = handshakeHeader + (message[1] ?? 0) * 65_536 + uint16(message, 2);
  if (need > maxBytes)
    return { kind: "too-big", reason: `a ClientHello of ${need} bytes, at most ${maxBytes}` };
  if (have < need) return undefined;
  const hello = parseHello(message.subarray(0, need));
  return typeof hello === "string" ? malformed(hello) : { kind: "hello", hello };
}

function parseHello(message: Uint8Array): ClientHello | string {
  const read = new Cursor(message, handshakeHeader, message.length);
  const legacyVersion = read.uint16();
  read.skip(32); // random
  read.vector(1); // legacy_session_id
  const cipherSuites = read.vector(2).uint16s();
  read.vector(1); // legacy_compression_methods
  const found: Extensions = { versions: [], groups: [], keyShares: [], signatureSchemes: [], alpn: [] };
  const extensions: number[] = [];
  const list = read.atEnd ? read : read.vector(2);
  while (!list.atEnd && !list.broken) {
    const type = list.uint16();
    const data = list.vector(2);
    if (extensions.includes(type)) return `extension ${type} twice`;
    extensions.push(type);
    readExtension(type, data, found);
    if (data.broken) return `extension ${type} is cut short`;
  }
  if (read.broken || list.broken || !read.atEnd) return "its lengths don't add up";
  return { legacyVersion, cipherSuites, extensions, ...found, bytes: message.length };
}

/** What the extensions we read say; filled in as they come. */
interface Extensions {
  versions: readonly number[];
  groups: readonly number[];
  keyShares: readonly number[];
  signatureSchemes: readonly number[];
  alpn: readonly string[];
  serverName?: string;
}

function readExtension(type: number, data: Cursor, into: Extensions): void {
  if (type === 0) {
    const serverName = readServerName(data);
    if (serverName !== undefined) into.serverName = serverName;
  } else if (type === 10) into.groups = data.vector(2).uint16s();
  else if (type === 13) into.signatureSchemes = data.vector(2).uint16s();
  else if (type === 16) into.alpn = readProtocols(data.vector(2));
  else if (type === 43) into.versions = data.vector(1).uint16s();
  else if (type === 51) into.keyShares = readKeyShares(data.vector(2));
}

function readServerName(data: Cursor): string | undefined {
  const list = data.vector(2);
  list.skip(1);
  const name = list.vector(2).text();
  return list.broken ? undefined : name;
}

function readProtocols(list: Cursor): string[] {
  const names: string[] = [];
  while (!list.atEnd && !list.broken) names.push(list.vector(1).text());
  return names;
}

function readKeyShares(list: Cursor): number[] {
  const groups: number[] = [];
  while (!list.atEnd && !list.broken) {
    groups.push(list.uint16());
    list.vector(2);
  }
  return groups;
}

function notHello(): Peek {
  return { kind: "not-tls", reason: "no ClientHello" };
}

function malformed(reason: string): Peek {
  return { kind: "malformed", reason: `a malformed ClientHello: ${reason}` };
}
