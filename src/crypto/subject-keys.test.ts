import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { callDigest, type CallSide, openDetail, pseudonymOf, sealDetail } from "./subject-keys.ts";

type Row<Names extends string> = Readonly<Record<Names | "key", string>>;

const vectors = JSON.parse(
  readFileSync(new URL("../../test/vectors/subjects/vectors.json", import.meta.url), "utf8"),
) as {
  readonly pseudonyms: readonly Row<"id" | "pseudonym">[];
  readonly digests: readonly (Row<"call_id" | "body" | "digest"> & { readonly side: CallSide })[];
  readonly details: readonly Row<"name" | "value" | "sealed">[];
};
const key = Buffer.from(vectors.details[0]?.key ?? "", "hex");

test("pseudonyms, digests and sealed details are those of the vectors", () => {
  assert.ok(vectors.pseudonyms.length * vectors.digests.length * vectors.details.length > 0);
  for (const row of vectors.pseudonyms) {
    assert.equal(pseudonymOf(Buffer.from(row.key, "hex"), row.id), row.pseudonym);
  }
  for (const row of vectors.digests) {
    const digest = callDigest(Buffer.from(row.key, "hex"), row.call_id, row.side);
    // In two pieces, as a stream comes.
    digest.update(Buffer.from(row.body).subarray(0, 7));
    digest.update(Buffer.from(row.body).subarray(7));
    assert.equal(digest.end(), row.digest);
  }
  for (const row of vectors.details) {
    assert.equal(sealDetail(Buffer.from(row.key, "hex"), row.name, row.value), row.sealed);
    assert.equal(openDetail(Buffer.from(row.key, "hex"), row.name, row.sealed), row.value);
  }
});

test("a sealed detail opens with its own key and under its own name alone", () => {
  const sealed = sealDetail(key, "remote", "192.0.2.7:51234");
  assert.equal(openDetail(Buffer.alloc(32, 9), "remote", sealed), undefined);
  assert.equal(openDetail(key, "serial", sealed), undefined);
  assert.equal(openDetail(key, "remote", `${sealed.slice(0, -2)}AA`), undefined);
  for (const text of ["192.0.2.7:51234", "sealed:", "sealed:AAAA", "sealed:*"]) {
    assert.equal(openDetail(key, "remote", text), undefined, text);
  }
});

test("a detail fits into a fact, however long and of whatever letters it is", () => {
  for (const value of ["x".repeat(5000), "€".repeat(5000), "𝄞".repeat(5000)]) {
    const sealed = sealDetail(key, "subject", value);
    assert.ok(sealed.length <= 1024, String(sealed.length));
    assert.match(openDetail(key, "subject", sealed) ?? "", /…\[cut\]$/);
  }
});
