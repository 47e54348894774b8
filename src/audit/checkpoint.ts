/** Checkpoints (C2SP tlog-checkpoint) in signed notes (C2SP signed-note): written and read as bytes, nothing verified. */
import type { CheckpointBody } from "../crypto/note-keys.ts";
import { concat, fromBase64, fromUtf8, toBase64, utf8 } from "../kernel/bytes.ts";

export interface NoteSignature {
  readonly name: string;
  /** Four bytes. */
  readonly keyId: Uint8Array;
  readonly signature: Uint8Array;
}

export interface Note {
  /** With its final newline, without the empty line behind it. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** signed-note: at least 16 signatures are read, of which ML-DSA-87's have 6.2 KB in base64; all of ours have 20 KiB. */
export const maxNoteBytes = 128 * 1024;
const maxSignatures = 16;

/** The body of a checkpoint, and its text. */
export function checkpointBody(origin: string, size: number, root: Uint8Array): CheckpointBody {
  return { origin, size, root, text: `${origin}\n${size}\n${toBase64(root)}\n` };
}

/** Undefined if `text` isn't origin, size and root; extension lines aren't, since ML-DSA-44 doesn't cover them. */
export function readCheckpointBody(text: string): CheckpointBody | undefined {
  const match = /^([^\n]+)\n(0|[1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\n$/.exec(text);
  const [, origin, digits, base64] = match ?? [];
  const root = fromBase64(base64 ?? "");
  const size = Number(digits);
  if (origin === undefined || root?.length !== 32 || !Number.isSafeInteger(size)) return undefined;
  return { origin, size, root, text };
}

export function formatNote(note: Note): string {
  const lines = note.signatures.map(
    ({ name, keyId, signature }) => `— ${name} ${toBase64(concat([keyId, signature]))}\n`,
  );
  return `${note.text}\n${lines.join("")}`;
}

/** Undefined if `bytes` isn't a signed note within the bounds. */
export function readNote(bytes: Uint8Array): Note | undefined {
  if (bytes.length > maxNoteBytes) return undefined;
  const whole = fromUtf8(bytes);
  // The last empty line parts text and signatures; nothing below U+0020 but newlines.
  const cut = whole?.lastIndexOf("\n\n") ?? -1;
  if (whole === undefined || cut < 0 || !whole.endsWith("\n") || hasControls(whole)) return undefined;
  const lines = whole.slice(cut + 2, -1).split("\n");
  if (lines.length > maxSignatures) return undefined;
  const signatures: NoteSignature[] = [];
  for (const line of lines) {
    const signature = readSignatureLine(line);
    if (signature === undefined) return undefined;
    signatures.push(signature);
  }
  return { text: whole.slice(0, cut + 1), signatures };
}

export function noteBytes(note: Note): Uint8Array {
  return utf8(formatNote(note));
}

function readSignatureLine(line: string): NoteSignature | undefined {
  const [, name, base64] = /^— ([^\s+]+) ([A-Za-z0-9+/=]+)$/u.exec(line) ?? [];
  const bytes = fromBase64(base64 ?? "");
  if (name === undefined || bytes === undefined || bytes.length < 5) return undefined;
  return { name, keyId: bytes.subarray(0, 4), signature: bytes.subarray(4) };
}

function hasControls(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 && unit !== 0x0a) return true;
  }
  return false;
}
