/** Which names a signer's keys may have, and of which algorithm each is. */
import assert from "node:assert/strict";
import { test } from "node:test";

import type { SignatureSuiteId } from "../../crypto/suites/signatures.ts";
import { keyPurpose, maySignWith } from "./purposes.ts";

const names: readonly (readonly [string, readonly SignatureSuiteId[]])[] = [
  ["server-root", ["ML-DSA-65", "ML-DSA-87"]],
  ["client-root.2", ["ML-DSA-65", "ML-DSA-87"]],
  ["server-root-classical", ["Ed25519", "ECDSA-P384"]],
  ["client-root-classical.3", ["Ed25519", "ECDSA-P384"]],
];
const suites = ["ML-DSA-65", "ML-DSA-87", "Ed25519", "ECDSA-P384"] as const;
for (const [name, allowed] of names) {
  test(`${name} is of ${allowed.join(" or ")}, and of nothing else`, () => {
    const purpose = keyPurpose(name) ?? assert.fail("no purpose");
    assert.deepEqual(
      suites.filter((suite) => maySignWith(purpose, suite)),
      allowed,
    );
  });
}

for (const name of [
  "root",
  "server-root-",
  "server-root-classic",
  "server-root-classical.0",
  "identity-classical",
]) {
  test(`${name} is no key of a signer`, () => assert.equal(keyPurpose(name), undefined));
}
