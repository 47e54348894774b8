/** Logs with rotations as others may verify them: the vectors of docs/formats/log.md. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { readLogKey, verifyLog } from "../src/public/verify.ts";

interface Vector {
  readonly keys: Readonly<Record<string, string>>;
  readonly files: Readonly<Record<string, string>>;
  readonly heads: readonly string[];
  readonly generations: readonly unknown[];
  readonly bad: Readonly<
    Record<string, { readonly what: string; readonly files: Readonly<Record<string, string | null>> }>
  >;
}

const vector = JSON.parse(
  await readFile(new URL("vectors/log/two-rotations.json", import.meta.url), "utf8"),
) as Vector;

function filesOf(change: Readonly<Record<string, string | null>> = {}) {
  const files: Readonly<Record<string, string | null>> = { ...vector.files, ...change };
  return (path: string): Promise<Uint8Array | undefined> => {
    const base64 = files[path];
    return Promise.resolve(base64 == null ? undefined : Buffer.from(base64, "base64"));
  };
}

for (const [number, text] of Object.entries(vector.keys)) {
  test(`the log with two rotations is verified by who has the keys of generation ${number}, with any head kept`, async () => {
    for (const head of [undefined, ...vector.heads]) {
      const seen = head === undefined ? {} : { seen: Buffer.from(head, "base64") };
      const verdict = await verifyLog({ files: filesOf(), logKey: readLogKey(text), ...seen });
      assert.equal(verdict.kind, "intact", JSON.stringify(verdict));
      if (verdict.kind !== "intact") return;
      assert.deepEqual(
        verdict.generations.map(({ number: of, fromSize, toSize = null }) => ({
          number: of,
          fromSize,
          toSize,
        })),
        vector.generations,
      );
      assert.deepEqual(
        verdict.generations.filter(({ isGiven }) => isGiven).map(({ number: of }) => String(of)),
        [number],
      );
    }
  });
}

for (const [name, { what, files }] of Object.entries(vector.bad)) {
  test(`it is told that ${name}`, async () => {
    const [key = ""] = Object.values(vector.keys);
    const verdict = await verifyLog({ files: filesOf(files), logKey: readLogKey(key) });
    const told = verdict.kind === "broken" ? verdict.findings.map((finding) => finding.what) : [];
    assert.ok(
      told.some((each) => each === what),
      JSON.stringify(verdict),
    );
  });
}
