import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { fromUtf8, toBase64, utf8 } from "../kernel/bytes.ts";
import { readTlogProof, tlogProofBytes } from "./tlog-proof.ts";

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
const checkpoint = utf8("log.example/a\n3\nhash\n\n— log.example/a AAAA\n");
const good = { extra: utf8("an entry"), index: 7, proof: [new Uint8Array(32).fill(1)], checkpoint };
const text = fromUtf8(tlogProofBytes(good)) ?? "";

test("a tlog-proof is the lines that C2SP names", () => {
  assert.equal(
    text,
    `c2sp.org/tlog-proof@v1\nextra YW4gZW50cnk=\nindex 7\n${toBase64(new Uint8Array(32).fill(1))}\n\n${fromUtf8(checkpoint)}`,
  );
});

test("what is written is what is read, with and without extra data and path", () => {
  fc.assert(
    fc.property(
      fc.option(fc.uint8Array({ minLength: 1 }), { nil: undefined }),
      fc.maxSafeNat(),
      fc.array(hash, { maxLength: 53 }),
      (extra, index, proof) => {
        const read = readTlogProof(tlogProofBytes({ extra, index, proof, checkpoint }));
        assert.ok(read);
        assert.deepEqual(read.extra && Uint8Array.from(read.extra), extra);
        assert.equal(read.index, index);
        assert.deepEqual(
          read.proof.map((each) => Uint8Array.from(each)),
          proof,
        );
        assert.deepEqual(read.checkpoint, checkpoint);
      },
    ),
  );
});

for (const [what, changed] of [
  ["another format", text.replace("@v1", "@v2")],
  ["an index with a leading zero", text.replace("index 7", "index 07")],
  ["a negative index", text.replace("index 7", "index -7")],
  ["an index beyond 2^53", text.replace("index 7", "index 9999999999999999")],
  ["no index", text.replace("index 7\n", "")],
  ["extra data behind the index", text.replace(/(extra .*)\n(index .*)\n/, "$2\n$1\n")],
  ["extra data twice", text.replace(/(extra .*\n)/, "$1$1")],
  ["extra data that isn't strict base64", text.replace("W50cnk=", "W50cnk")],
  ["white space at a line's end", text.replace("index 7", "index 7 ")],
  ["carriage returns", text.replaceAll("\n", "\r\n")],
  ["a hash of 31 bytes", text.replace(/\nAQ.*=\n/, `\n${toBase64(new Uint8Array(31))}\n`)],
  ["54 hashes", text.replace(/\n(AQ.*=\n)/, (_, line: string) => `\n${line.repeat(54)}`)],
  ["no empty line", text.replaceAll("\n\n", "\n")],
  ["more bytes than the bound", text + "x".repeat(320 * 1024)],
] as const) {
  test(`a tlog-proof with ${what} is not read`, () => {
    assert.notEqual(changed, text);
    assert.equal(readTlogProof(utf8(changed)), undefined);
  });
}

test("bytes that aren't UTF-8 are no tlog-proof, and arbitrary ones never throw", () => {
  assert.equal(readTlogProof(Uint8Array.from([...utf8(text), 0xff])), undefined);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void readTlogProof(bytes)));
});
