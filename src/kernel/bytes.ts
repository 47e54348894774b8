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
  return view(bytes).toString("base64");
}

export function toBase64url(bytes: Uint8Array): string {
  return view(bytes).toString("base64url");
}

export function toHex(bytes: Uint8Array): string {
  return view(bytes).toString("hex");
}

function decode(text: string, encoding: "base64" | "base64url"): Uint8Array | undefined {
  const bytes = Buffer.from(text, encoding);
  return bytes.toString(encoding) === text ? bytes : undefined;
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
