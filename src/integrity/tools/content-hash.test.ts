import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { utf8 } from "../../kernel/bytes.ts";
import { contentHash, isContentHash } from "./content-hash.ts";

const hash = (json: string) => contentHash(utf8(json));
const sha256 = (text: string) => `sha256-${createHash("sha256").update(text).digest("base64url")}`;

test("a declaration's hash is that of its canonical form without contentHash", () => {
  const form = '{"description":"é","inputSchema":{"a":1,"b":[true,null]},"name":"t","version":"3"}';
  const spellings = [
    form,
    '{ "version":"3", "name":"t", "inputSchema":{"b":[true , null],"a":1.0}, "description":"\\u00e9" }',
    `{"contentHash":"sha256-whatever",${form.slice(1)}`,
  ];
  for (const spelling of spellings) assert.equal(hash(spelling), sha256(form), spelling);
});

test("only the declaration's own contentHash is left out", () => {
  assert.notEqual(
    hash('{"name":"t","inputSchema":{"contentHash":1}}'),
    hash('{"name":"t","inputSchema":{}}'),
  );
});

test("what two readers read in two ways has no hash", () => {
  for (const json of ['{"name":"t","name":"u"}', '{"a":{"b":1,"b":1}}', "{", '{"name":"t"} x', '"\xff']) {
    assert.equal(contentHash(new Uint8Array(Buffer.from(json, "latin1"))), undefined, json);
  }
});

test("a text is a content hash by its form", () => {
  assert.equal(isContentHash(sha256("")), true);
  for (const text of ["", "sha256-", `${sha256("")}A`, sha256("").replace("sha256", "sha512")]) {
    assert.equal(isContentHash(text), false, text);
  }
});
