/**
 * C2SP signed-note: "Format" (text, empty line, signature lines), "Signatures" (key id, unknown keys are ignored) and
 * "Verifier keys" (`name+hex(key id)+base64(type ‖ key)`, lowercase).
 */
import { demand, fromBase64, hash, hex, toUtf8, utf8 } from "./bytes.ts";
import { type KeyKind, kindOf } from "./key-kinds.ts";

/** docs/formats/log.md "Head"; signed-note asks verifiers to take 16 signatures at least. */
const mostSignatures = 16;
export const mostNoteBytes = 64 * 1024;

interface Signature {
  readonly name: string;
  /** Key id, 8 hexadecimal digits. */
  readonly id: string;
  readonly bytes: Uint8Array;
}

export interface Note {
  /** With its last newline: what is signed. */
  readonly text: string;
  readonly signatures: readonly Signature[];
}

export interface Key {
  readonly name: string;
  readonly id: string;
  readonly kind: KeyKind;
  readonly publicKey: Uint8Array;
  /** As it stands in a key file, without newline. */
  readonly line: string;
}

export function readNote(bytes: Uint8Array): Note {
  demand(bytes.length <= mostNoteBytes, `a note of more than ${mostNoteBytes} bytes`);
  const whole = utf8(bytes);
  // oxlint-disable-next-line no-control-regex
  demand(!/[\u0000-\u0009\u000b-\u001f]/.test(whole), "a note with a control character");
  const split = whole.lastIndexOf("\n\n");
  demand(split >= 0, "a note without an empty line");
  demand(whole.endsWith("\n"), "a note that doesn't end in a newline");
  const lines = whole.slice(split + 2).split("\n");
  demand(lines.pop() === "" && lines.length > 0, "a note without signatures");
  demand(lines.length <= mostSignatures, `a note with more than ${mostSignatures} signatures`);
  return { text: whole.slice(0, split + 1), signatures: lines.map(readSignature) };
}

function readSignature(line: string): Signature {
  const match = /^— ([^ ]+) ([^ ]+)$/u.exec(line);
  demand(match !== null, "a signature line that isn't one");
  const [, name = "", encoded = ""] = match;
  demandName(name);
  const bytes = fromBase64(encoded);
  demand(bytes.length > 4, "a signature without anything behind the key id");
  return { name, id: hex(bytes.subarray(0, 4)), bytes: bytes.subarray(4) };
}

function demandName(name: string): void {
  demand(
    name !== "" && !/[\p{White_Space}+]/u.test(name),
    "a key name that is empty or has a space or a plus",
  );
}

export function readKey(line: string): Key {
  const [name = "", id = "", ...rest] = line.split("+");
  demandName(name);
  demand(/^[0-9a-f]{8}$/.test(id), "a verifier key without an id of 8 hexadecimal digits");
  // Base64 has plus signs of its own.
  const typed = fromBase64(rest.join("+"));
  const kind = kindOf(typed);
  demand(kind !== undefined, "a verifier key of a type that isn't known here");
  const publicKey = typed.subarray(kind.type.length);
  demand(publicKey.length === kind.keyBytes, `a key of ${publicKey.length} bytes for ${kind.name}`);
  // signed-note "Signatures": key ID = SHA-256(key name || 0x0A || signature type || public key)[:4]
  const computed = hex(hash(toUtf8(`${name}\n`), typed).subarray(0, 4));
  demand(computed === id, `a verifier key that says its id is ${id}, but it is ${computed}`);
  return { name, id, kind, publicKey, line };
}

/** One key may have been read from several files. */
export function isAmong(key: Key, keys: readonly Key[]): boolean {
  return keys.some(({ line }) => line === key.line);
}
