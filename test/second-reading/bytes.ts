/**
 * Bytes and text, strictly: RFC 4648 §4 base64 in its one canonical form, UTF-8 that is valid, decimals without leading
 * zeros, files of a bounded size. Nothing in this folder comes from `src/`: it is a second reading of the formats, made
 * from the C2SP texts and docs/formats/, so that a mistake in the first isn't shared.
 */
import { lstatSync, readFileSync } from "node:fs";

import { sha256 } from "@noble/hashes/sha2.js";

/** What was read isn't what the format demands; the message says what. */
export class Wrong extends Error {}

export function demand(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Wrong(otherwise);
}

/** Reads a regular file of at most so many bytes. */
export function readBounded(file: string, mostBytes: number): Uint8Array {
  const found = lstatSync(file, { throwIfNoEntry: false });
  demand(found !== undefined, "is missing");
  demand(found.isFile(), "isn't a regular file");
  demand(found.size <= mostBytes, `has ${found.size} bytes, more than ${mostBytes}`);
  const bytes = new Uint8Array(readFileSync(file));
  demand(bytes.length <= mostBytes, `has more than ${mostBytes} bytes`);
  return bytes;
}

export function exists(file: string): boolean {
  return lstatSync(file, { throwIfNoEntry: false }) !== undefined;
}

export function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new Wrong("isn't valid UTF-8", { cause });
  }
}

export function toUtf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function fromBase64(text: string): Uint8Array {
  const bytes = new Uint8Array(Buffer.from(text, "base64"));
  demand(toBase64(bytes) === text, "isn't canonical base64");
  return bytes;
}

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** ASCII decimal, no leading zeros, up to 2^53 − 1. */
export function decimal(text: string, what: string): number {
  demand(/^(0|[1-9][0-9]{0,15})$/.test(text), `${what} isn't a decimal number without leading zeros`);
  const value = Number(text);
  demand(Number.isSafeInteger(value), `${what} is too large to be read here`);
  return value;
}

export function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

export function hash(...parts: readonly Uint8Array[]): Uint8Array {
  return sha256(join(...parts));
}

/** Big-endian, eight bytes (RFC 8446 §3.3). */
export function uint64(value: number | bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

export function reasonOf(error: unknown): string {
  if (error instanceof Wrong) return error.message;
  throw error;
}
