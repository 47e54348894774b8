/** C2SP tlog-checkpoint "Note text", and which signatures make it count: docs/formats/log.md "Head". */
import { decimal, demand, fromBase64, hash, same } from "./bytes.ts";
import { isAmong, type Key, type Note, readNote } from "./note.ts";

export interface Head {
  readonly note: Note;
  readonly text: string;
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
}

export function readHead(bytes: Uint8Array): Head {
  const note = readNote(bytes);
  const lines = note.text.split("\n");
  demand(lines.pop() === "" && lines.length >= 3, "a checkpoint of fewer than three lines");
  demand(!lines.includes(""), "a checkpoint with an empty line");
  // The texts allow extension lines; docs/formats/log.md says that there are none.
  demand(lines.length === 3, "a checkpoint with extension lines");
  const [origin = "", size = "", root = ""] = lines;
  const head = { note, text: note.text, origin, size: decimal(size, "the size"), root: fromBase64(root) };
  demand(head.root.length === 32, "a root that isn't 32 bytes");
  demand(head.size > 0 || same(head.root, hash()), "a root of an empty log that isn't SHA-256 of nothing");
  return head;
}

/**
 * Those of the given keys that signed the head.
 * @throws {Wrong} if a signature by one of them doesn't hold: that spoils the head
 */
export function signersOf(head: Head, keys: readonly Key[]): readonly Key[] {
  const signed = new Set<Key>();
  for (const signature of head.note.signatures) {
    const key = keys.find(({ name, id }) => name === signature.name && id === signature.id);
    if (key === undefined) continue;
    const { kind } = key;
    demand(
      signature.bytes.length === kind.signatureBytes && kind.holds(signature.bytes, head, key),
      `the signature by ${kind.name} key ${key.id} doesn't hold`,
    );
    signed.add(key);
  }
  return [...signed];
}

/** @throws {Wrong} unless every required key of a generation is among those that signed */
export function demandAllRequired(keys: readonly Key[], signed: readonly Key[]): void {
  const absent = keys.filter((key) => key.kind.required && !isAmong(key, signed));
  demand(
    absent.length === 0,
    `isn't signed by ${absent.map((key) => `${key.kind.name} key ${key.id}`).join(", ")}`,
  );
}
