/** The vectors of test/vectors/bundle/. */
import { readFile } from "node:fs/promises";

export interface BundleVector {
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly fingerprint: string;
  /** A checkpoint kept from earlier. */
  readonly seen?: string;
  readonly verdict: "intact" | "broken";
  /** Of the first finding. */
  readonly what?: string;
  readonly index?: number;
}

const folder = new URL("../vectors/bundle/", import.meta.url);

export async function readBundleVectors(): Promise<readonly BundleVector[]> {
  const { vectors } = JSON.parse(await readFile(new URL("vectors.json", folder), "utf8")) as {
    readonly vectors: readonly Omit<BundleVector, "bytes">[];
  };
  return await Promise.all(
    vectors.map(async (vector) => ({ ...vector, bytes: await readFile(new URL(vector.file, folder)) })),
  );
}
