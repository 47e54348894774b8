/**
 * A signed head of the log: a checkpoint that one generation of its log key vouches for. Each required key of a
 * generation must have signed (Ed25519 and ML-DSA-65, or ML-DSA-87), so breaking one of two forges nothing. A further
 * signature by a key of the log that doesn't hold spoils the head; one by a key that isn't known says nothing
 * (signed-note). Which generation may sign at which size is judged elsewhere (generations.ts).
 */
import { type LogGeneration, type LogKey, weaknessOfKeys } from "../crypto/log-key.ts";
import type { CheckpointBody, NoteKeyRole, NoteSigner, NoteVerifier } from "../crypto/note-keys.ts";
import { everythingStands, type Standing } from "../crypto/suites/fallen.ts";
import { standingFloors } from "../crypto/suites/signatures.ts";
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

/**
 * @param logKey the generations of this one log that may have signed it
 * @param standing what counts; signatures by algorithms that fell are passed over
 * @param mustSign roles of keys without whose signatures it doesn't count, if the generation has such keys
 */
export function readHead(
  bytes: Uint8Array,
  logKey: LogKey,
  standing: Standing = everythingStands,
  mustSign: readonly NoteKeyRole[] = ["required"],
): HeadReading {
  const note = readNote(bytes);
  const body = note === undefined ? undefined : readCheckpointBody(note.text);
  if (note === undefined || body === undefined) {
    return { kind: "unreadable", why: "it is no signed checkpoint" };
  }
  const signed = whoSigned({ body, lines: note.signatures, mustSign }, logKey, standing);
  return typeof signed === "string"
    ? { kind: "unsigned", body, why: signed }
    : { kind: "signed", head: { ...body, ...signed } };
}

/** What somebody vouches for, as a note of the log. */
export interface SignedText {
  readonly body: CheckpointBody;
  readonly lines: readonly NoteSignature[];
  /** Each key of a generation in one of these roles must have signed it. */
  readonly mustSign: readonly NoteKeyRole[];
}

/** Which generations vouch for it and by what; or why none does. */
export function whoSigned(
  { body, lines, mustSign }: SignedText,
  logKey: LogKey,
  standing: Standing,
): Pick<Head, "generations" | "signedBy" | "atUnixS"> | string {
  const generations = logKey.map(({ number, keys }) => ({
    number,
    keys: keys.filter(({ name }) => name === body.origin),
  }));
  if (generations.every(({ keys }) => keys.length === 0)) {
    const names = [...new Set(logKey.flatMap(({ keys }) => keys.map(({ name }) => name)))].join(", ");
    return `it is of the log ${body.origin}; the log key is of ${names}`;
  }
  const found = findSignatures(body, lines, generations, standing);
  if (typeof found === "string") return found;
  const missing = (generation: LogGeneration): string | undefined =>
    missingFrom(generation, found, mustSign, standing);
  const whole = generations.filter((generation) => missing(generation) === undefined);
  const newest = whole.at(-1);
  if (newest === undefined) return whyNone(generations, missing);
  const by = found.filter(({ key }) => newest.keys.includes(key));
  const atUnixS = by.map(({ key, signature }) => key.timeOf(signature)).find((time) => time !== undefined);
  const signedBy = [...new Set(by.map(({ key }) => key.kind))];
  return { generations: whole.map(({ number }) => number), signedBy, atUnixS };
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
  standing: Standing,
): readonly Found[] | string {
  const keys = generations
    .flatMap((generation) => generation.keys)
    .filter(({ suiteId }) => standing.signature(suiteId));
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

/** Why a generation doesn't vouch for it; undefined if it does. */
function missingFrom(
  { keys }: LogGeneration,
  found: readonly Found[],
  mustSign: readonly NoteKeyRole[],
  standing: Standing,
): string | undefined {
  const weakness = weaknessOfKeys(keys);
  if (weakness !== undefined) return weakness;
  const signed = new Set(found.map(({ key }) => key));
  const missing = keys.filter(
    (key) => mustSign.includes(key.role) && standing.signature(key.suiteId) && !signed.has(key),
  );
  if (missing.length > 0) return missing.map(({ kind }) => kind).join(", ");
  const carries = keys.some((key) => signed.has(key) && standingFloors.includes(key.suiteId));
  return carries ? undefined : "nothing on it is post-quantum and still stands";
}

function whyNone(generations: LogKey, missing: (generation: LogGeneration) => string | undefined): string {
  const newest = generations.at(-1);
  const lacks = newest === undefined ? "" : (missing(newest) ?? "");
  const of = generations.length > 1 ? ` of any generation; of generation ${newest?.number}` : "";
  return `it has no signature of the log key${of} (${lacks})`;
}

function isBy(key: NoteVerifier, line: NoteSignature): boolean {
  return key.name === line.name && equalInConstantTime(key.keyId, line.keyId);
}
