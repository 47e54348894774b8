/** Audit bundles as others may verify them: the vectors of docs/formats/bundle.md. */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { test } from "node:test";

import { verifyBundle } from "../src/public/verify.ts";
import { readBundleVectors } from "./support/bundle-vectors.ts";

for (const { file, bytes, fingerprint, seen, verdict, what, index } of await readBundleVectors()) {
  const found = what === undefined ? "" : `: ${what}${index === undefined ? "" : ` at ${index}`}`;
  const kept = seen === undefined ? "" : ", with a head kept from earlier,";
  test(`${file} with ${fingerprint.slice(0, 8)}…${kept} is ${verdict}${found}`, () => {
    const judged = verifyBundle(bytes, {
      fingerprint,
      ...(seen !== undefined && { seen: Buffer.from(seen) }),
    });
    assert.equal(judged.kind, verdict, JSON.stringify(judged));
    if (judged.kind === "intact") return;
    assert.deepEqual(
      [judged.findings[0]?.what, judged.findings[0]?.index],
      [what, index],
      JSON.stringify(judged),
    );
  });
}

test("each file among the vectors is one of them", async () => {
  const named = new Set((await readBundleVectors()).map(({ file }) => file));
  const there = (await readdir(new URL("vectors/bundle/", import.meta.url))).filter((name) =>
    name.endsWith(".bundle"),
  );
  assert.deepEqual(there.toSorted(), [...named].toSorted());
});
