/** Small words for byte strings. */

const encoder = new TextEncoder();

export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of well-formed UTF-8, a byte order mark kept as it is; undefined for other bytes. */
export function fromUtf8(bytes: Uint8Array): string | undefined {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return undefined;
  }
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Compares without telling, by its duration, where two strings of the same length differ. */
export function equalInConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}

/** Big-endian, eight bytes. */
export function uint64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

/** Strict base64 (RFC 4648 §4): padded, no white space; undefined if it is anything else. */
export function fromBase64(text: string): Uint8Array | undefined {
  return decode(text, "base64");
}

/** Strict base64url (RFC 4648 §5): no padding, no white space; undefined if it is anything else. */
export function fromBase64url(text: string): Uint8Array | undefined {
  return decode(text, "base64url");
}

export function toBase64(bytes: Uint8Array): string {
  return bytes.toBase64();
}

export function toBase64url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

export function toHex(bytes: Uint8Array): string {
  return bytes.toHex();
}

/** Also in a browser, so without Buffer. */
function decode(text: string, alphabet: "base64" | "base64url"): Uint8Array | undefined {
  try {
    const bytes = Uint8Array.fromBase64(text, { alphabet, lastChunkHandling: "loose" });
    // White space, padding that shouldn't be there, and bits that nobody reads are found by writing it again.
    return (alphabet === "base64" ? toBase64(bytes) : toBase64url(bytes)) === text ? bytes : undefined;
  } catch {
    return undefined;
  }
}
