/** One tlog-proof by itself: its head is signed by one whole generation of the given keys, and its entry is under it. */
import { demand, readBounded, reasonOf, toBase64 } from "./bytes.ts";
import { demandAllRequired, type Head, signersOf } from "./checkpoint.ts";
import { readEntry } from "./entry.ts";
import type { Generation } from "./key-file.ts";
import type { Verdict } from "./log.ts";
import { demandInclusion } from "./merkle.ts";
import { isAmong, type Key } from "./note.ts";
import { entryIn, mostProofBytes, type Proof, readProof } from "./proof.ts";

const mostEntryFileBytes = 8192;

export function verifyProof(file: string, generations: readonly Generation[], entryFile?: string): Verdict {
  const findings: string[] = [];
  const attempt = <T>(act: () => T): T | undefined => {
    try {
      return act();
    } catch (error) {
      findings.push(`${file}: ${reasonOf(error)}`);
      return undefined;
    }
  };
  const proof = attempt(() => readProof(readBounded(file, mostProofBytes)));
  const signed = proof === undefined ? [] : (attempt(() => signersOfOne(proof.head, generations)) ?? []);
  if (proof !== undefined) attempt(() => demandEntry(proof, entryFile));
  return {
    ok: findings.length === 0,
    origin: proof?.head.origin ?? null,
    size: proof?.head.size ?? null,
    root: proof === undefined ? null : toBase64(proof.head.root),
    signedBy: signed.map(({ kind }) => kind.name),
    findings,
    notes: [],
  };
}

function signersOfOne(head: Head, generations: readonly Generation[]): readonly Key[] {
  const keys = generations.flatMap((generation) => generation.keys);
  demand(head.origin === keys[0]?.name, `is of ${head.origin}, the keys of another log`);
  const signed = signersOf(head, keys);
  const whole = generations.findLast((generation) =>
    generation.keys.every((key) => !key.kind.required || isAmong(key, signed)),
  );
  demandAllRequired((whole ?? generations.at(-1))?.keys ?? [], signed);
  return (whole?.keys ?? []).filter((key) => isAmong(key, signed));
}

function demandEntry({ extra, index, head, hashes }: Proof, entryFile: string | undefined): void {
  const bytes =
    entryFile === undefined
      ? extra === undefined
        ? undefined
        : entryIn(extra)?.bytes
      : readBounded(entryFile, mostEntryFileBytes);
  demand(bytes !== undefined, "brings no entry along, and none was given");
  readEntry(bytes);
  demandInclusion(bytes, index, head, hashes);
}
