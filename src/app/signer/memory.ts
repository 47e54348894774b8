/** What a signer has to remember of what it signed, on disk before it signs on: `memory.json` of its state folder. */
import { z } from "zod";

import type { HeadSeen } from "../../audit/head-rules.ts";
import { readJsonIfThere, writePrivateFile } from "../../host/store/files.ts";
import { fromBase64, toBase64 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";

/** Of a root key: the certificate made for it, and whether it has signed others. */
export interface RootSeen {
  readonly subject: Uint8Array;
  readonly notAfterUnixMs: number;
  readonly isUsed: boolean;
}

export interface Remembered {
  /** The newest head of the log. */
  readonly head: HeadSeen | undefined;
  /** By name of the key. */
  readonly roots: ReadonlyMap<string, RootSeen>;
}

const bytes = z.string().transform((text, context) => {
  const decoded = fromBase64(text);
  if (decoded !== undefined) return decoded;
  context.addIssue({ code: "custom", message: "expected base64" });
  return z.NEVER;
});
const tree = { size: z.int().min(0), root: bytes };
const schema = z.strictObject({
  // Generation and crossing stand within, so that who takes the head out begins a new log.
  head: z
    .strictObject({
      origin: z.string(),
      ...tree,
      generation: z.int().min(1).default(1),
      crossing: z.strictObject(tree).optional(),
    })
    .optional(),
  roots: z.record(
    z.string(),
    z.strictObject({ subject: bytes, not_after: z.iso.datetime(), is_used: z.boolean() }),
  ),
});

/** @throws Refusal `bad_state` if the file isn't what was written there: what was signed isn't guessed */
export async function readMemory(file: string): Promise<Remembered> {
  const stored = await readJsonIfThere(file);
  if (stored === undefined) return { head: undefined, roots: new Map() };
  const result = schema.safeParse(stored);
  if (!result.success) {
    throw new Refusal("bad_state", `${file} isn't what was written there; restore it from a backup.`, {
      cause: result.error,
    });
  }
  const { head, roots } = result.data;
  return {
    head: head && { ...head, crossing: head.crossing },
    roots: new Map(
      Object.entries(roots).map(([name, { subject, not_after, is_used: isUsed }]) => [
        name,
        { subject, notAfterUnixMs: Date.parse(not_after), isUsed },
      ]),
    ),
  };
}

export async function writeMemory(file: string, { head, roots }: Remembered): Promise<void> {
  const stored = {
    ...(head && {
      head: {
        ...head,
        root: toBase64(head.root),
        crossing: head.crossing && { ...head.crossing, root: toBase64(head.crossing.root) },
      },
    }),
    roots: Object.fromEntries(
      [...roots].map(([name, { subject, notAfterUnixMs, isUsed }]) => [
        name,
        {
          subject: toBase64(subject),
          not_after: new Date(notAfterUnixMs).toISOString(),
          is_used: isUsed,
        },
      ]),
    ),
  };
  await writePrivateFile(file, JSON.stringify(stored));
}
