/**
 * A witness's cosignature of a log's head (C2SP tlog-cosignature, ML-DSA-44), with the key it holds by: the key's
 * line, then the head as a note that the witness alone signed. Whether the key is to be trusted is the reader's.
 */
import {
  type CheckpointBody,
  type NoteSigner,
  type NoteVerifier,
  noteVerifier,
} from "../crypto/note-keys.ts";
import { concat, equalInConstantTime, fromUtf8, utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { noteBytes, readCheckpointBody, readNote } from "./checkpoint.ts";

export interface Cosignature {
  readonly key: NoteVerifier;
  readonly body: CheckpointBody;
  /** The note with this one signature. */
  readonly note: Uint8Array;
  readonly atUnixS: number;
}

/** A key's line has 1,800 bytes, its signature 3,300. */
export const maxCosignatureBytes = 8 * 1024;

/** The name of a witness's key. @param keyFingerprint of its public key, base64url */
export function witnessName(trustDomain: string, keyFingerprint: string): string {
  return `${trustDomain}/witness/${keyFingerprint.slice(0, 8)}`;
}

export async function cosignatureBytes(
  body: CheckpointBody,
  signer: NoteSigner,
  atUnixS: number,
): Promise<Uint8Array> {
  const { name, keyId } = signer;
  const signature = await signer.sign({ ...body, atUnixS });
  return concat([
    utf8(`${signer.vkey}\n`),
    noteBytes({ text: body.text, signatures: [{ name, keyId, signature }] }),
  ]);
}

/** @throws Refusal `bad_message` if it doesn't hold, or isn't by a witness of that trust domain */
export function readCosignature(bytes: Uint8Array, trustDomain: string): Cosignature {
  const text = bytes.length > maxCosignatureBytes ? "" : (fromUtf8(bytes) ?? "");
  const end = text.indexOf("\n");
  const key = keyIn(text.slice(0, Math.max(0, end)));
  const prefix = witnessName(trustDomain, "");
  if (!key.name.startsWith(prefix) || !/^[A-Za-z0-9_-]{8}$/.test(key.name.slice(prefix.length))) {
    throw refused(`expected a key named ${prefix} and eight characters`);
  }
  return { key, ...cosigned(utf8(text.slice(end + 1)), key) };
}

function cosigned(note: Uint8Array, key: NoteVerifier): Omit<Cosignature, "key"> {
  const read = readNote(note);
  const body = read === undefined ? undefined : readCheckpointBody(read.text);
  const [line, ...more] = read?.signatures ?? [];
  if (body === undefined || line === undefined || more.length > 0) {
    throw refused("expected a head with one signature behind the key");
  }
  const isBy = line.name === key.name && equalInConstantTime(line.keyId, key.keyId);
  const atUnixS = key.timeOf(line.signature);
  if (isBy && atUnixS !== undefined && key.verify(body, line.signature)) return { body, note, atUnixS };
  throw refused("its signature doesn't hold");
}

function keyIn(line: string): NoteVerifier {
  try {
    const key = noteVerifier(line);
    if (key.kind === "ml-dsa-44") return key;
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause;
  }
  throw refused("expected an ML-DSA-44 key on its first line");
}

function refused(why: string): Refusal {
  return new Refusal("bad_message", `This is no cosignature: ${why} (docs/formats/witness.md).`);
}
