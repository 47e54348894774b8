/**
 * A signed head of the log: a checkpoint that one generation of its log key vouches for. Each required key of a
 * generation must have signed (Ed25519 and ML-DSA-65, or ML-DSA-87), so breaking one of two forges nothing. A further
 * signature by a key of the log that doesn't hold spoils the head; one by a key that isn't known says nothing
 * (signed-note). Which generation may sign at which size is judged elsewhere (generations.ts).
 */
import { type LogGeneration, type LogKey, weaknessOfKeys } from "../crypto/log-key.ts";
import type { CheckpointBody, NoteSigner, NoteVerifier } from "../crypto/note-keys.ts";
import { equalInConstantTime } from "../kernel/bytes.ts";
import { checkpointBody, type NoteSignature, noteBytes, readCheckpointBody, readNote } from "./checkpoint.ts";

export interface Head extends CheckpointBody {
  /** Which generations vouch for it, oldest first: two where one follows the other, else one. */
  readonly generations: readonly number[];
  /** What signed it, of the newest of them, in the order of the lines: `ed25519`, `ml-dsa-65`, … */
  readonly signedBy: readonly string[];
  /** When it was signed, by the ML-DSA-44 cosignature's time; undefined without one. */
  readonly atUnixS: number | undefined;
}

export type HeadReading =
  | { readonly kind: "signed"; readonly head: Head }
  /** `body` is what it claims, for telling what else is wrong; nobody vouches for it. */
  | { readonly kind: "unsigned"; readonly body: CheckpointBody; readonly why: string }
  | { readonly kind: "unreadable"; readonly why: string };

/** @param logKey the generations of this one log that may have signed it */
export function readHead(bytes: Uint8Array, logKey: LogKey): HeadReading {
  const note = readNote(bytes);
  const body = note === undefined ? undefined : readCheckpointBody(note.text);
  if (note === undefined || body === undefined) {
    return { kind: "unreadable", why: "it is no signed checkpoint" };
  }
  const unsigned = (why: string): HeadReading => ({ kind: "unsigned", body, why });
  const generations = logKey.map(({ number, keys }) => ({
    number,
    keys: keys.filter(({ name }) => name === body.origin),
  }));
  if (generations.every(({ keys }) => keys.length === 0)) {
    const names = [...new Set(logKey.flatMap(({ keys }) => keys.map(({ name }) => name)))].join(", ");
    return unsigned(`it is of the log ${body.origin}; the log key is of ${names}`);
  }
  const found = findSignatures(body, note.signatures, generations);
  if (typeof found === "string") return unsigned(found);
  const whole = generations.filter((generation) => missingFrom(generation, found) === undefined);
  const newest = whole.at(-1);
  if (newest === undefined) return unsigned(whyNone(generations, found));
  const by = found.filter(({ key }) => newest.keys.includes(key));
  const atUnixS = by.map(({ key, signature }) => key.timeOf(signature)).find((time) => time !== undefined);
  const signedBy = [...new Set(by.map(({ key }) => key.kind))];
  return {
    kind: "signed",
    head: { ...body, generations: whole.map(({ number }) => number), signedBy, atUnixS },
  };
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

interface Found {
  readonly key: NoteVerifier;
  readonly signature: Uint8Array;
}

/** What keys of the log have signed; or what is wrong with one of the signatures. */
function findSignatures(
  body: CheckpointBody,
  lines: readonly NoteSignature[],
  generations: LogKey,
): readonly Found[] | string {
  const keys = generations.flatMap((generation) => generation.keys);
  const found: Found[] = [];
  for (const line of lines) {
    // Ids have four bytes only: keys of two generations may share one.
    const named = keys.filter((key) => isBy(key, line));
    const [first] = named;
    if (first === undefined) continue;
    const key = named.find((key) => key.verify(body, line.signature));
    if (key === undefined) return `its ${first.kind} signature is wrong`;
    found.push({ key, signature: line.signature });
  }
  return found;
}

/** Why a generation doesn't vouch for the head; undefined if it does. */
function missingFrom({ keys }: LogGeneration, found: readonly Found[]): string | undefined {
  const weakness = weaknessOfKeys(keys);
  if (weakness !== undefined) return weakness;
  const signed = new Set(found.map(({ key }) => key));
  const missing = keys.filter((key) => key.role === "required" && !signed.has(key));
  return missing.length === 0 ? undefined : missing.map(({ kind }) => kind).join(", ");
}

function whyNone(generations: LogKey, found: readonly Found[]): string {
  const newest = generations.at(-1);
  const missing = newest === undefined ? "" : (missingFrom(newest, found) ?? "");
  const of = generations.length > 1 ? ` of any generation; of generation ${newest?.number}` : "";
  return `it has no signature of the log key${of} (${missing})`;
}

function isBy(key: NoteVerifier, line: NoteSignature): boolean {
  return key.name === line.name && equalInConstantTime(key.keyId, line.keyId);
}
