/** What is asked with the header that tells a peer to renew. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { formatRenewalWish, readRenewalWish } from "./renewal-wish.ts";

test("what is written is read, with its moment taken to the next whole second", () => {
  const text = formatRenewalWish({ beforeUnixMs: 1_795_282_000_001, keyAlgorithm: "ML-DSA-87" });
  assert.equal(text, "before=1795282001, key=ML-DSA-87");
  assert.deepEqual(readRenewalWish(text), { beforeUnixMs: 1_795_282_001_000, keyAlgorithm: "ML-DSA-87" });
  assert.deepEqual(readRenewalWish("before=0"), { beforeUnixMs: 0, keyAlgorithm: undefined });
});

for (const text of ["", "1", "before=", "before=-1", "before=1e9", "before=123456789012", "key=ML-DSA-87"]) {
  test(`"${text}" asks for nothing`, () => assert.equal(readRenewalWish(text), undefined));
}
