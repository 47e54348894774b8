/** Bytes that differ from the right ones, for tests of what refuses them. */
import * as fc from "fast-check";

/** Those bytes with one bit changed. */
export function bitOf(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  return fc.nat(8 * bytes.length - 1).map((bit) => withBit(bytes, bit));
}

/** Those bytes with that bit changed. */
export function withBit(bytes: Uint8Array, bit: number): Uint8Array {
  return bytes.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
}

/** None, too few, too many and far too many. */
export function otherLengths(right: number): readonly number[] {
  return [0, 1, right - 1, right + 1, 2 * right, 16_777_216];
}

/** Cut, or filled up with zeros. */
export function resized(bytes: Uint8Array, length: number): Uint8Array {
  const other = new Uint8Array(length);
  other.set(bytes.subarray(0, length));
  return other;
}
