/**
 * The TLS group a finished handshake really used, read from the session's DER: OpenSSL writes it as
 * `kex_group [19] EXPLICIT INTEGER` into SSL_SESSION. Node tells a server nothing else about it.
 */

/** IANA group id, or undefined if it isn't there; whoever needs it then refuses. */
export function sessionGroupId(session: Uint8Array | undefined): number | undefined {
  if (session === undefined || session[0] !== 0x30) return undefined;
  const outer = readLength(session, 1);
  let at = outer.next;
  const end = Math.min(session.length, at + outer.length);
  while (at < end) {
    const tag = session[at];
    const { length, next } = readLength(session, at + 1);
    if (tag === 0xb3) return readInteger(session, next, next + length);
    at = next + length;
  }
  return undefined;
}

function readLength(bytes: Uint8Array, at: number): { readonly length: number; readonly next: number } {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return { length: first, next: at + 1 };
  const octets = first & 0x7f;
  let length = 0;
  for (let i = 0; i < octets && i < 4; i++) length = length * 256 + (bytes[at + 1 + i] ?? 0);
  return { length, next: at + 1 + octets };
}

function readInteger(bytes: Uint8Array, at: number, end: number): number | undefined {
  const { length, next } = readLength(bytes, at + 1);
  if (bytes[at] !== 0x02 || length === 0 || length > 4) return undefined;
  if (next + length > end || next + length > bytes.length) return undefined;
  let value = 0;
  for (let i = 0; i < length; i++) value = value * 256 + (bytes[next + i] ?? 0);
  return value;
}
