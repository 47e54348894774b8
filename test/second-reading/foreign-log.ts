/**
 * A log that somebody else might have written: from the C2SP texts and docs/formats/, with keys of its own, and with
 * nothing but what those texts demand (no `open/`, no `checkpoints/`). So the product's reading can be tried too.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";

import { ed25519 } from "@noble/curves/ed25519.js";
import { ml_dsa44, ml_dsa65, ml_dsa87 } from "@noble/post-quantum/ml-dsa.js";

import { hash, hex, join, toBase64, toUtf8, uint64 } from "./bytes.ts";
import { hashBytes, leafHash, treeHash } from "./merkle.ts";
import { bundleOf, shapeOf, tilePath, tileWidth } from "./tiles.ts";

const origin = "example.org/log/foreign";
const signedAt = 1_795_000_000;

export interface ForeignKey {
  readonly id: Uint8Array;
  /** Its line in a key file. */
  readonly line: string;
  readonly sign: (head: {
    readonly text: string;
    readonly size: number;
    readonly root: Uint8Array;
  }) => Uint8Array;
}

export function ed25519Key(seed: number): ForeignKey {
  const secret = new Uint8Array(32).fill(seed);
  return keyOf(Uint8Array.of(1), ed25519.getPublicKey(secret), ({ text }) =>
    ed25519.sign(toUtf8(text), secret),
  );
}

export function mlDsaKey(bits: 65 | 87, seed: number): ForeignKey {
  const scheme = bits === 65 ? ml_dsa65 : ml_dsa87;
  const { publicKey, secretKey } = scheme.keygen(new Uint8Array(32).fill(seed));
  const type = join(Uint8Array.of(0xff), toUtf8(`dev.latticegate/ml-dsa-${bits}`));
  return keyOf(type, publicKey, ({ text }) => scheme.sign(toUtf8(text), secretKey));
}

/** tlog-cosignature "ML-DSA-44 signed message"; the log is its own cosigner. */
export function cosignerKey(seed: number): ForeignKey {
  const { publicKey, secretKey } = ml_dsa44.keygen(new Uint8Array(32).fill(seed));
  const name = join(Uint8Array.of(origin.length), toUtf8(origin));
  return keyOf(Uint8Array.of(6), publicKey, ({ size, root }) => {
    const time = uint64(signedAt);
    const message = join(toUtf8("subtree/v1\n\0"), name, time, name, uint64(0), uint64(size), root);
    return join(time, ml_dsa44.sign(message, secretKey));
  });
}

function keyOf(type: Uint8Array, publicKey: Uint8Array, sign: ForeignKey["sign"]): ForeignKey {
  const typed = join(type, publicKey);
  const id = hash(toUtf8(`${origin}\n`), typed).subarray(0, 4);
  return { id, line: `${origin}+${hex(id)}+${toBase64(typed)}\n`, sign };
}

/** A chain of entries as SEP-3004 makes it. */
export function foreignEntries(count: number, word = "漢字"): readonly Uint8Array[] {
  let previous: string | null = null;
  return Array.from({ length: count }, (_, at) => {
    const hashed = [
      `"event_id":"call ${at}/call.decision","event_type":"call.decision"`,
      `"extensions":{"dev.latticegate/entry":{"number":"${at}","text":"\\"é\\" — ${word} 🔑"}}`,
      `"occurred_at":"2026-11-21T09:30:00.007Z","outcome":"denied"`,
      `"previous_hash":${previous === null ? "null" : `"${previous}"`}`,
      `"principal_id":"spiffe://example.org/agent/a","tool_name":null}`,
    ].join(",");
    previous = hex(hash(toUtf8(`{${hashed}`)));
    return toUtf8(`{"event_hash":"${previous}",${hashed}`);
  });
}

/**
 * Writes `checkpoint` and `tile/`.
 * @param furtherLines signature lines of others
 */
export function writeForeignLog(
  folder: string,
  keys: readonly ForeignKey[],
  entries: readonly Uint8Array[],
  furtherLines = "",
): void {
  writeTiles(folder, entries);
  const head = { size: entries.length, root: treeHash(entries.map(leafHash)) };
  const text = `${origin}\n${head.size}\n${toBase64(head.root)}\n`;
  const lines = keys.map((key) => `— ${origin} ${toBase64(join(key.id, key.sign({ text, ...head })))}\n`);
  write(folder, "checkpoint", toUtf8(`${text}\n${lines.join("")}${furtherLines}`));
}

/** By the formula of tlog-tiles "Merkle Tree": hash i of tile n at level l is MTH(D[(n·256+i)·256^l : …]). */
function writeTiles(folder: string, entries: readonly Uint8Array[]): void {
  const leaves = entries.map(leafHash);
  for (let level = 0; entries.length >= tileWidth ** level; level += 1) {
    const { full, partial } = shapeOf(entries.length, level);
    for (let index = 0; index <= full; index += 1) {
      const width = index < full ? tileWidth : partial;
      if (width === 0) continue;
      const span = tileWidth ** level;
      const first = index * tileWidth * span;
      const hashes = Array.from({ length: width }, (_, at) =>
        treeHash(leaves.slice(first + at * span, first + (at + 1) * span)),
      );
      write(folder, tilePath(level, index, width), join(...hashes));
      const bundle = bundleOf(entries.slice(first, first + width));
      if (level === 0) write(folder, tilePath("entries", index, width), bundle);
    }
  }
}

/** A cosignature by somebody whom nobody here knows. */
export function strangersLine(name: string, signatureBytes: number): string {
  return `— ${name} ${toBase64(join(hash(toUtf8(name)).subarray(0, 4), new Uint8Array(signatureBytes).fill(hashBytes)))}\n`;
}

function write(folder: string, name: string, content: Uint8Array): void {
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, content);
}
