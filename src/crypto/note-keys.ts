/**
 * Keys that sign and verify checkpoints (C2SP signed-note, tlog-cosignature): one row per signature type.
 * Ed25519 and ML-DSA-44 are C2SP's own types; the others stand under 0xff and a long identifier,
 * as signed-note asks of types without a byte of their own (docs/formats/log.md).
 */
import { createPublicKey, type KeyObject, verify } from "node:crypto";

import { concat, equalInConstantTime, fromBase64, toBase64, toHex, uint64, utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { cosignedMessage } from "./cosigned-message.ts";
import { sha256 } from "./hash.ts";
import type { SigningKey } from "./keys.ts";
import { type SignatureSuite, signatureSuite, type SignatureSuiteId } from "./suites/signatures.ts";

/** What a checkpoint says. `text` is the note's text with its final newline. */
export interface CheckpointBody {
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
  readonly text: string;
}

export interface NoteSigner {
  readonly name: string;
  /** Four bytes. */
  readonly keyId: Uint8Array;
  /** The verifier key as text: `name+hexid+base64`. */
  readonly vkey: string;
  /** The signature without the key id. */
  readonly sign: (checkpoint: CheckpointBody & { readonly atUnixS: number }) => Promise<Uint8Array>;
}

export interface NoteVerifier {
  readonly kind: NoteKeyKind;
  readonly suiteId: SignatureSuiteId;
  readonly role: NoteKeyRole;
  readonly name: string;
  /** Four bytes. */
  readonly keyId: Uint8Array;
  readonly vkey: string;
  readonly verify: (checkpoint: CheckpointBody, signature: Uint8Array) => boolean;
  /** When it was signed, if this type of signature says so with a date. Meaningless unless `verify` holds. */
  readonly timeOf: (signature: Uint8Array) => number | undefined;
}

export type NoteKeyKind = (typeof rows)[number]["kind"];

/** A head counts only with the signature of each required key that its generation has; others are verified if there. */
export type NoteKeyRole = "required" | "cosignature" | "daily";

interface Row {
  readonly kind: string;
  readonly suite: SignatureSuite & { readonly id: SignatureSuiteId };
  /** What stands before the public key in a vkey, and in what the key id is hashed from. */
  readonly type: Uint8Array;
  /** A `timestamped_signature` over a `cosigned_message` (tlog-cosignature), or a signature over the text. */
  readonly timestamped: boolean;
  readonly role: NoteKeyRole;
  /** What names such a key among others of ours. */
  readonly label: string;
}

const rows = [
  {
    kind: "ed25519",
    suite: signatureSuite("Ed25519"),
    type: Uint8Array.of(0x01),
    timestamped: false,
    role: "required",
    label: "ed25519",
  },
  {
    kind: "ml-dsa-44",
    suite: signatureSuite("ML-DSA-44"),
    type: Uint8Array.of(0x06),
    timestamped: true,
    role: "cosignature",
    label: "ml-dsa-44",
  },
  {
    kind: "ml-dsa-65",
    suite: signatureSuite("ML-DSA-65"),
    type: concat([Uint8Array.of(0xff), utf8("dev.latticegate/ml-dsa-65")]),
    timestamped: false,
    role: "required",
    label: "ml-dsa-65",
  },
  {
    kind: "ml-dsa-87",
    suite: signatureSuite("ML-DSA-87"),
    type: concat([Uint8Array.of(0xff), utf8("dev.latticegate/ml-dsa-87")]),
    timestamped: false,
    role: "required",
    label: "ml-dsa-87",
  },
  {
    kind: "slh-dsa-sha2-128s",
    suite: signatureSuite("SLH-DSA-SHA2-128s"),
    type: concat([Uint8Array.of(0xff), utf8("dev.latticegate/slh-dsa-sha2-128s")]),
    timestamped: false,
    role: "daily",
    label: "slh-dsa",
  },
] as const satisfies readonly Row[];

/** tlog-cosignature: names and origins have a one-byte length. */
const maxNameBytes = 255;
const timestampBytes = 8;

/**
 * A signer that puts `name` on its lines.
 * @throws Refusal `bad_config` if the key is of another kind, or the name can't stand in a note.
 */
export function noteSigner(kind: NoteKeyKind, name: string, key: SigningKey): NoteSigner {
  const row = rowOf(kind);
  if (key.suite.keyType !== row.suite.keyType) {
    throw new Refusal("bad_config", `A ${kind} log key was expected; this one is ${key.suite.keyType}.`);
  }
  if (!isNoteName(name)) {
    throw new Refusal(
      "bad_config",
      `"${name}" can't name a log key: no spaces, no "+", 1 to ${maxNameBytes} bytes.`,
    );
  }
  const publicKey = key.publicKey.export({ format: "raw-public" });
  return {
    name,
    keyId: keyId(row, name, publicKey),
    vkey: formatVkey(row, name, publicKey),
    sign: async (checkpoint) => {
      if (!row.timestamped) return await key.sign(utf8(checkpoint.text));
      const message = cosignedMessage(name, checkpoint, checkpoint.atUnixS);
      return concat([uint64(checkpoint.atUnixS), await key.sign(message)]);
    },
  };
}

/** @throws Refusal `bad_config` if `vkey` is no verifier key of a known type. */
export function noteVerifier(vkey: string): NoteVerifier {
  const { row, name, id, publicKey } = parseVkey(vkey);
  const key = importPublicKey(row, publicKey);
  const { signatureBytes } = row.suite;
  return {
    kind: row.kind,
    suiteId: row.suite.id,
    role: row.role,
    name,
    keyId: id,
    vkey,
    verify: (checkpoint, signature) => {
      if (!row.timestamped) {
        return signature.length === signatureBytes && verify(null, utf8(checkpoint.text), key, signature);
      }
      const atUnixS = timestampOf(signature);
      if (atUnixS === undefined || signature.length !== timestampBytes + signatureBytes) return false;
      if (utf8(checkpoint.origin).length > maxNameBytes) return false;
      const message = cosignedMessage(name, checkpoint, atUnixS);
      return verify(null, message, key, signature.subarray(timestampBytes));
    },
    timeOf: (signature) => (row.timestamped ? dateOf(timestampOf(signature)) : undefined),
  };
}

/** What a log key is, by its kind or its suite. @throws Refusal `bad_config` if there is none */
export function noteKeyOf(name: string): {
  readonly kind: NoteKeyKind;
  readonly suiteId: SignatureSuiteId;
  readonly role: NoteKeyRole;
  readonly label: string;
} {
  const row = rows.find(({ kind, suite }) => kind === name || suite.id === name);
  if (row !== undefined) return { ...row, suiteId: row.suite.id };
  throw new Refusal("bad_config", `A log has no ${name.slice(0, 64)} keys.`);
}

/** Whether a log key of that suite signs a `cosigned_message`, or else the note's text; undefined if none may be. */
export function signsCosignedMessage(keyType: SignatureSuite["keyType"]): boolean | undefined {
  return rows.find((row) => row.suite.keyType === keyType)?.timestamped;
}

function rowOf(kind: NoteKeyKind): (typeof rows)[number] {
  const row = rows.find((row) => row.kind === kind);
  if (row === undefined) throw new Error(`no note key of kind ${kind}`);
  return row;
}

/** signed-note: non-empty, no Unicode spaces, no plus. */
function isNoteName(name: string): boolean {
  return name !== "" && !/[\s+\p{Cc}]/u.test(name) && utf8(name).length <= maxNameBytes;
}

function timestampOf(signature: Uint8Array): number | undefined {
  if (signature.length < timestampBytes) return undefined;
  const value = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0);
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : undefined;
}

/** A signer may write down any second; a date has fewer (ECMA-262 §21.4.1.1). */
function dateOf(atUnixS: number | undefined): number | undefined {
  return atUnixS !== undefined && atUnixS <= 8_640_000_000_000 ? atUnixS : undefined;
}

/** signed-note: SHA-256(name ‖ 0x0A ‖ type ‖ public key), first four bytes. */
function keyId(row: Row, name: string, publicKey: Uint8Array): Uint8Array {
  return sha256(concat([utf8(`${name}\n`), row.type, publicKey])).slice(0, 4);
}

function formatVkey(row: Row, name: string, publicKey: Uint8Array): string {
  return `${name}+${toHex(keyId(row, name, publicKey))}+${toBase64(concat([row.type, publicKey]))}`;
}

function parseVkey(vkey: string): {
  readonly row: (typeof rows)[number];
  readonly name: string;
  readonly id: Uint8Array;
  readonly publicKey: Uint8Array;
} {
  const match = /^([^+]{1,255})\+([0-9a-f]{8})\+([A-Za-z0-9+/=]{1,4096})$/.exec(vkey);
  const material = fromBase64(match?.[3] ?? "");
  const row = rows.find((row) => {
    const isType = material !== undefined && startsWith(material, row.type);
    return isType && material.length === row.type.length + row.suite.publicKeyBytes;
  });
  const name = match?.[1] ?? "";
  if (row === undefined || material === undefined || !isNoteName(name)) {
    throw new Refusal("bad_config", `"${vkey.slice(0, 60)}…" is no log key: name+id+key was expected.`);
  }
  const publicKey = material.subarray(row.type.length);
  const id = keyId(row, name, publicKey);
  if (toHex(id) !== match?.[2]) {
    throw new Refusal(
      "bad_config",
      `The log key of ${name} has the id ${match?.[2]}, but it must be ${toHex(id)}.`,
    );
  }
  return { row, name, id, publicKey };
}

function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  return bytes.length >= prefix.length && equalInConstantTime(bytes.subarray(0, prefix.length), prefix);
}

function importPublicKey(row: Row, publicKey: Uint8Array): KeyObject {
  try {
    return createPublicKey({
      key: Uint8Array.from(publicKey),
      format: "raw-public",
      asymmetricKeyType: row.suite.keyType,
    });
  } catch (cause) {
    throw new Refusal("bad_config", `The ${row.kind} log key isn't a public key of that kind.`, { cause });
  }
}
