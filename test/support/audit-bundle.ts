/** Audit bundles made of a log in memory, and what somebody may do to them. */
import { auditBundlePieces, type AuditBundle } from "../../src/audit/audit-bundle.ts";
import { crossingBytes } from "../../src/audit/crossing.ts";
import { sealEntry } from "../../src/audit/entry.ts";
import { signHead } from "../../src/audit/head.ts";
import { rotationDraft } from "../../src/audit/rotation.ts";
import { sha256 } from "../../src/crypto/hash.ts";
import { formatLogKey, keysHash, type LogGeneration } from "../../src/crypto/log-key.ts";
import { type NoteSigner, noteVerifier } from "../../src/crypto/note-keys.ts";
import { growTree } from "../../src/merkle/growing-tree.ts";
import { leafHash, rootOf } from "../../src/merkle/hashing.ts";
import { rangeProof } from "../../src/merkle/range.ts";
import { subtreeFromLeaves } from "../../src/merkle/tiles.ts";
import type { EntryDraft } from "../../src/model/entry.ts";
import { cause, draft, newGeneration, origin } from "./log-fixture.ts";

export const signedAtUnixS = Date.UTC(2026, 10, 21, 12) / 1000;

/** A log that is only there to be exported. */
export interface ExportedLog {
  readonly entries: readonly string[];
  readonly generations: readonly LogGeneration[];
  /** By generation. */
  readonly signers: ReadonlyMap<number, readonly NoteSigner[]>;
  readonly crossings: ReadonlyMap<number, string>;
  readonly fingerprint: (generation: number) => string;
  /** The head of the first `size` entries, by the generation that is due there or by others. */
  readonly head: (size: number, by?: readonly NoteSigner[]) => Promise<string>;
  readonly bundle: (first: number, end: number, size?: number) => Promise<AuditBundle>;
}

/**
 * @param count of its entries, those of rotations among them
 * @param rotations at which indexes its keys rotate
 */
export async function exportedLog(
  count: number,
  rotations: readonly number[] = [],
  draftOf: (i: number) => EntryDraft = draft,
): Promise<ExportedLog> {
  const made = [1, ...rotations.map((_, i) => i + 2)].map((number) => newGeneration(number));
  const signers = new Map(made.map((each) => [each.number, each.signers]));
  const generations = made.map(({ number, signers: by }) => ({
    number,
    keys: by.map(({ vkey }) => noteVerifier(vkey)),
  }));
  const [entries, leaves, crossings, tree] = [[], [], new Map<number, string>(), growTree(sha256)] as [
    string[],
    Uint8Array[],
    Map<number, string>,
    ReturnType<typeof growTree>,
  ];
  const headOf = async (size: number, by: readonly NoteSigner[]): Promise<Uint8Array> => {
    const root = rootOf(sha256, leaves.slice(0, size));
    return await signHead({ origin, size, root }, by, signedAtUnixS);
  };
  let previous: string | null = null;
  for (let index = 0; index < count; index++) {
    const after = generations[rotations.indexOf(index) + 1];
    const before = generations[rotations.indexOf(index)];
    const isRotation = rotations.includes(index) && before !== undefined && after !== undefined;
    const { bytes, eventHash } = sealEntry(
      isRotation ? rotationDraft(before, after, cause()) : draftOf(index),
      previous,
    );
    previous = eventHash;
    entries.push(Buffer.from(bytes).toString());
    const proof = tree.pathOfNext();
    leaves.push(leafHash(sha256, bytes));
    tree.append(leafHash(sha256, bytes));
    if (!isRotation) continue;
    const both = [before, after].flatMap(({ number }) => signers.get(number) ?? []);
    const checkpoint = await headOf(index + 1, both);
    const crossing = crossingBytes({ from: before, to: after, entry: bytes, index, proof, checkpoint });
    crossings.set(after.number, Buffer.from(crossing).toString());
  }
  const generationAt = (size: number): number => rotations.filter((index) => index < size).length + 1;
  const head = async (size: number, by = signers.get(generationAt(size)) ?? []): Promise<string> =>
    Buffer.from(await headOf(size, by)).toString();
  return {
    entries,
    generations,
    signers,
    crossings,
    fingerprint: (generation) => keysHash(generations[generation - 1]?.keys ?? []),
    head,
    bundle: async (first, end, size = count) => {
      const until = generationAt(size);
      return {
        keys: formatLogKey(generations.slice(0, until)),
        checkpoint: await head(size),
        crossings: new Map([...crossings].filter(([number]) => number <= until)),
        first,
        entries: entries.slice(first, end),
        path: rangeProof({ first, end, size }, subtreeFromLeaves(sha256, leaves.slice(0, size))),
      };
    },
  };
}

export function bundleBytes(bundle: AuditBundle): Uint8Array {
  return Buffer.from([...auditBundlePieces(bundle)].join(""));
}

/** An entry with other content and a hash that fits it again. */
export function rewritten(text: string, change: Readonly<Record<string, unknown>>): string {
  const record = JSON.parse(text) as Record<string, unknown>;
  delete record["event_hash"];
  const preimage = JSON.stringify(
    Object.fromEntries(Object.entries({ ...record, ...change }).sort(([a], [b]) => (a < b ? -1 : 1))),
  );
  const eventHash = Buffer.from(sha256(Buffer.from(preimage))).toString("hex");
  return `{"event_hash":"${eventHash}",${preimage.slice(1)}`;
}

/** All entries from `at` on chained anew, the first of them with another content. */
export function rewrittenFrom(entries: readonly string[], at: number, principal: string): readonly string[] {
  const anew: string[] = [];
  for (const [i, entry] of entries.entries()) {
    const before = anew.at(-1);
    const change = {
      ...(i === at && { principal_id: principal }),
      ...(i > at && before !== undefined && { previous_hash: eventHashOf(before) }),
    };
    anew.push(i < at ? entry : rewritten(entry, change));
  }
  return anew;
}

function eventHashOf(entry: string): string {
  return (JSON.parse(entry) as { readonly event_hash: string }).event_hash;
}
