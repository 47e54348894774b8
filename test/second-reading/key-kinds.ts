/**
 * The kinds of keys: signed-note "Signature types" (0x01), tlog-cosignature "Format" and "ML-DSA-44 signed message"
 * (0x06), and those behind 0xff of docs/formats/log.md "Head", over the note's text with an empty context.
 */
import { ed25519 } from "@noble/curves/ed25519.js";
import { ml_dsa44, ml_dsa65, ml_dsa87 } from "@noble/post-quantum/ml-dsa.js";
import { slh_dsa_sha2_128s } from "@noble/post-quantum/slh-dsa.js";

import { demand, join, toUtf8, uint64 } from "./bytes.ts";

/** What a signature may be over: the note's text, and what a cosignature takes out of it. */
interface Signed {
  readonly text: string;
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
}

export interface KeyKind {
  readonly name: string;
  /** What stands before the public key in a key id and in a verifier key. */
  readonly type: Uint8Array;
  readonly keyBytes: number;
  readonly signatureBytes: number;
  /** Whether a head counts without it, if the generation has such a key. */
  readonly required: boolean;
  readonly holds: (
    signature: Uint8Array,
    signed: Signed,
    key: { name: string; publicKey: Uint8Array },
  ) => boolean;
}

type Verify = (signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array) => boolean;

const keyKinds: readonly KeyKind[] = [
  {
    name: "ed25519",
    type: Uint8Array.of(0x01),
    keyBytes: 32,
    signatureBytes: 64,
    required: true,
    // RFC 8032 §5.1.7, without the leniency of ZIP 215.
    holds: overText((signature, message, key) => ed25519.verify(signature, message, key, { zip215: false })),
  },
  {
    name: "ml-dsa-44",
    type: Uint8Array.of(0x06),
    keyBytes: 1312,
    signatureBytes: 8 + 2420,
    required: false,
    holds: (signature, signed, key) =>
      ml_dsa44.verify(signature.subarray(8), cosignedMessage(signature, signed, key.name), key.publicKey),
  },
  {
    name: "ml-dsa-65",
    type: ours("ml-dsa-65"),
    keyBytes: 1952,
    signatureBytes: 3309,
    required: true,
    holds: overText((signature, message, key) => ml_dsa65.verify(signature, message, key)),
  },
  {
    name: "ml-dsa-87",
    type: ours("ml-dsa-87"),
    keyBytes: 2592,
    signatureBytes: 4627,
    required: true,
    holds: overText((signature, message, key) => ml_dsa87.verify(signature, message, key)),
  },
  {
    name: "slh-dsa-sha2-128s",
    type: ours("slh-dsa-sha2-128s"),
    keyBytes: 32,
    signatureBytes: 7856,
    required: false,
    holds: overText((signature, message, key) => slh_dsa_sha2_128s.verify(signature, message, key)),
  },
];

export function kindOf(typed: Uint8Array): KeyKind | undefined {
  return keyKinds.find(
    ({ type, keyBytes }) =>
      typed.length === type.length + keyBytes && type.every((byte, at) => byte === typed[at]),
  );
}

/** When an ML-DSA-44 cosignature says it was made; POSIX seconds, at most 2^63 − 1. */
function cosignatureTime(signature: Uint8Array): bigint {
  const time = new DataView(signature.buffer, signature.byteOffset, 8).getBigUint64(0);
  demand(time < 2n ** 63n, "a cosignature of a time beyond 2^63 − 1");
  return time;
}

/** tlog-cosignature "ML-DSA-44 signed message": a checkpoint is the subtree from 0 to its size. */
function cosignedMessage(
  signature: Uint8Array,
  { origin, size, root }: Signed,
  cosigner: string,
): Uint8Array {
  return join(
    toUtf8("subtree/v1\n\0"),
    opaque8(toUtf8(cosigner), "cosigner name"),
    uint64(cosignatureTime(signature)),
    opaque8(toUtf8(origin), "origin"),
    uint64(0),
    uint64(size),
    root,
  );
}

/** `opaque x<1..2^8-1>` (RFC 8446 §3.4). */
function opaque8(bytes: Uint8Array, what: string): Uint8Array {
  demand(bytes.length >= 1 && bytes.length <= 255, `a ${what} of ${bytes.length} bytes can't be cosigned`);
  return join(Uint8Array.of(bytes.length), bytes);
}

function overText(verify: Verify): KeyKind["holds"] {
  return (signature, signed, key) => verify(signature, toUtf8(signed.text), key.publicKey);
}

function ours(name: string): Uint8Array {
  return join(Uint8Array.of(0xff), toUtf8(`dev.latticegate/${name}`));
}
