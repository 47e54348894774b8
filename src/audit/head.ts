/**
 * A signed head of the log: a checkpoint that its log key vouches for. The log key signs with Ed25519 and with
 * ML-DSA-65, and both must hold, so breaking either one forges nothing. A further signature by a key of the
 * log that doesn't hold spoils the head; one by a key that isn't known says nothing (signed-note).
 */
import type { CheckpointBody, NoteSigner, NoteVerifier } from "../crypto/note-keys.ts";
import { equalInConstantTime } from "../kernel/bytes.ts";
import { checkpointBody, type NoteSignature, noteBytes, readCheckpointBody, readNote } from "./checkpoint.ts";

export interface Head extends CheckpointBody {
  /** What signed it, in the order of the lines: `ed25519`, `ml-dsa-65`, … */
  readonly signedBy: readonly string[];
  /** When it was signed, by the ML-DSA-44 cosignature's time; undefined without one. */
  readonly atUnixS: number | undefined;
}

export type HeadReading =
  | { readonly kind: "signed"; readonly head: Head }
  /** `body` is what it claims, for telling what else is wrong; nobody vouches for it. */
  | { readonly kind: "unsigned"; readonly body: CheckpointBody; readonly why: string }
  | { readonly kind: "unreadable"; readonly why: string };

const required = ["ed25519", "ml-dsa-65"] as const;

/** @param logKey the keys of this one log, of all its generations */
export function readHead(bytes: Uint8Array, logKey: readonly NoteVerifier[]): HeadReading {
  const note = readNote(bytes);
  const body = note === undefined ? undefined : readCheckpointBody(note.text);
  if (note === undefined || body === undefined) {
    return { kind: "unreadable", why: "it is no signed checkpoint" };
  }
  const ofThisLog = logKey.filter((key) => key.name === body.origin);
  if (ofThisLog.length === 0) {
    const names = [...new Set(logKey.map((key) => key.name))].join(", ");
    return { kind: "unsigned", body, why: `it is of the log ${body.origin}; the log key is of ${names}` };
  }
  const signedBy = new Set<string>();
  let atUnixS: number | undefined;
  for (const line of note.signatures) {
    const key = ofThisLog.find((key) => isBy(key, line));
    if (key === undefined) continue;
    if (!key.verify(body, line.signature)) {
      return { kind: "unsigned", body, why: `its ${key.kind} signature is wrong` };
    }
    signedBy.add(key.kind);
    atUnixS = key.timeOf(line.signature) ?? atUnixS;
  }
  const missing = required.filter((kind) => !signedBy.has(kind));
  if (missing.length > 0) {
    return { kind: "unsigned", body, why: `it has no signature of the log key (${missing.join(", ")})` };
  }
  return { kind: "signed", head: { ...body, signedBy: [...signedBy], atUnixS } };
}

/** Signs a head with all of `signers`, side by side; the bytes of the note. */
export async function signHead(
  tree: { readonly origin: string; readonly size: number; readonly root: Uint8Array },
  signers: readonly NoteSigner[],
  atUnixS: number,
): Promise<Uint8Array> {
  const body = checkpointBody(tree.origin, tree.size, tree.root);
  const signatures = await Promise.all(
    signers.map(async ({ name, keyId, sign }) => ({
      name,
      keyId,
      signature: await sign({ ...body, atUnixS }),
    })),
  );
  return noteBytes({ text: body.text, signatures });
}

function isBy(key: NoteVerifier, line: NoteSignature): boolean {
  return key.name === line.name && equalInConstantTime(key.keyId, line.keyId);
}
