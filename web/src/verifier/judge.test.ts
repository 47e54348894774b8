import assert from "node:assert/strict";
import { test } from "node:test";

import { judge } from "./judge.ts";
import { readBundleVectors } from "../../../test/support/bundle-vectors.ts";

const vectors = await readBundleVectors();

function vector(file: string) {
  const found = vectors.find((each) => each.file === file);
  assert.ok(found);
  return found;
}

test("a good bundle is told as one, with the log, the entries, the time and the algorithms", () => {
  const { bytes, fingerprint } = vector("good.bundle");
  const { isIntact, says, facts, findings, rows, count } = judge({ files: [bytes], fingerprint });
  assert.equal(isIntact, true);
  assert.match(says, /^Entries 2 to 6 are exactly what the log log\.example\/gateway-1 was signed over/);
  assert.equal(Object.fromEntries(facts)["Signed with"], "Ed25519, ML-DSA-65, ML-DSA-44");
  assert.equal(Object.fromEntries(facts)["Signed at"], "2026-11-21T12:00:00.000Z");
  assert.deepEqual([findings, rows.length, count], [[], 5, 5]);
  assert.ok(rows.every(({ isBroken }) => !isBroken));
});

test("a bad one is told as one, with nothing that it claims but its entries, the broken one marked", () => {
  const { bytes, fingerprint } = vector("changed.bundle");
  const { isIntact, facts, findings, rows } = judge({ files: [bytes], fingerprint });
  assert.deepEqual([isIntact, facts], [false, []]);
  assert.match(findings[0] ?? "", /^entry 4 was changed/);
  assert.deepEqual(
    rows.filter(({ isBroken }) => isBroken).map(({ index }) => index),
    [4],
  );
});

test("no files, two bundles, two receipts and a receipt without keys are told, and nothing is thrown", () => {
  const { bytes, fingerprint } = vector("good.bundle");
  const receipt = new TextEncoder().encode("c2sp.org/tlog-proof@v1\nindex 0\n\n");
  for (const files of [
    [],
    [bytes, bytes],
    [receipt, receipt],
    [receipt],
    [receipt, bytes],
    [new Uint8Array(3)],
  ]) {
    const { isIntact, findings } = judge({ files, fingerprint });
    assert.equal(isIntact, false);
    assert.ok(findings.length > 0);
  }
});

test("verifying needs no Buffer, which browsers don't have", () => {
  const { Buffer } = globalThis;
  Reflect.deleteProperty(globalThis, "Buffer");
  try {
    for (const { bytes, fingerprint, seen, verdict } of vectors)
      if (seen === undefined)
        assert.equal(judge({ files: [bytes], fingerprint }).isIntact, verdict === "intact");
  } finally {
    globalThis.Buffer = Buffer;
  }
});
