/** What an ML-DSA-44 cosignature covers (C2SP tlog-cosignature, `cosigned_message`): written, and read again. */
import { concat, equalInConstantTime, fromUtf8, uint64, utf8 } from "../kernel/bytes.ts";

export interface CosignedTree {
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
}

interface CosignedMessage extends CosignedTree {
  /** Of the key that signs. */
  readonly name: string;
  readonly atUnixS: number;
}

const label = utf8("subtree/v1\n\0");
const hashBytes = 32;

/** The whole tree, so `start` is 0. */
export function cosignedMessage(name: string, tree: CosignedTree, atUnixS: number): Uint8Array {
  return concat([
    label,
    opaque(name),
    uint64(atUnixS),
    opaque(tree.origin),
    uint64(0),
    uint64(tree.size),
    tree.root,
  ]);
}

/** Undefined if `bytes` isn't exactly what `cosignedMessage` writes. */
export function readCosignedMessage(bytes: Uint8Array): CosignedMessage | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const nameBytes = bytes[label.length] ?? 0;
  const timeAt = label.length + 1 + nameBytes;
  const originAt = timeAt + 8;
  const originBytes = bytes[originAt] ?? 0;
  const sizeAt = originAt + 1 + originBytes + 8;
  if (bytes.length !== sizeAt + 8 + hashBytes) return undefined;
  const name = fromUtf8(bytes.subarray(label.length + 1, timeAt));
  const origin = fromUtf8(bytes.subarray(originAt + 1, originAt + 1 + originBytes));
  const [atUnixS, size] = [Number(view.getBigUint64(timeAt)), Number(view.getBigUint64(sizeAt))];
  if (name === undefined || origin === undefined) return undefined;
  if (!Number.isSafeInteger(atUnixS) || !Number.isSafeInteger(size)) return undefined;
  const message = { name, origin, size, root: bytes.slice(sizeAt + 8), atUnixS };
  return equalInConstantTime(cosignedMessage(name, message, atUnixS), bytes) ? message : undefined;
}

function opaque(text: string): Uint8Array {
  const bytes = utf8(text);
  return concat([Uint8Array.of(bytes.length), bytes]);
}
