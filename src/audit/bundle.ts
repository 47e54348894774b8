/** Entry bundles (C2SP tlog-tiles, "Log entries"): entries one after the other, each behind its length in two bytes. */

export const lengthBytes = 2;

export interface Bundle {
  readonly entries: readonly Uint8Array[];
  /** Bytes at the end that are no whole entry. */
  readonly tornBytes: number;
}

export function framedBytes(entries: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const entry of entries) length += lengthBytes + entry.length;
  const framed = Buffer.allocUnsafe(length);
  let at = 0;
  for (const entry of entries) {
    framed.writeUInt16BE(entry.length, at);
    framed.set(entry, at + lengthBytes);
    at += lengthBytes + entry.length;
  }
  return framed;
}

/** No entry is empty, so zeros that a crash left behind count as torn. */
export function splitBundle(bytes: Uint8Array): Bundle {
  const entries: Uint8Array[] = [];
  let at = 0;
  while (at + lengthBytes <= bytes.length) {
    const length = (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
    const end = at + lengthBytes + length;
    if (length === 0 || end > bytes.length) break;
    entries.push(bytes.subarray(at + lengthBytes, end));
    at = end;
  }
  return { entries, tornBytes: bytes.length - at };
}
