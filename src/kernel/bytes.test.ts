/** Words for byte strings: joined, compared and written as they are, and read strictly or not at all. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import {
  concat,
  equalInConstantTime,
  fromBase64,
  fromBase64url,
  fromUtf8,
  toBase64,
  toBase64url,
  toHex,
  uint64,
  utf8,
} from "./bytes.ts";

const bytes = fc.uint8Array({ maxLength: 100 });

test("text becomes UTF-8, and what is no text becomes the replacement character", () => {
  assert.equal(toHex(utf8("aé€😀")), "61c3a9e282acf09f9880");
  assert.equal(toHex(utf8("\ud800")), "efbfbd");
  assert.equal(utf8("").length, 0);
});

test("well-formed UTF-8 is read as it was written, a byte order mark kept", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => assert.equal(fromUtf8(utf8(text)), text)));
  assert.equal(fromUtf8(Buffer.from("efbbbf61", "hex")), "\ufeffa");
});

// RFC 3629 §3 and §4.
const notUtf8: readonly (readonly [string, string])[] = [
  ["a byte of no encoding", "ff"],
  ["a lone continuation", "80"],
  ["a character cut off", "e282"],
  ["an overlong slash", "c0af"],
  ["an overlong slash of three bytes", "e080af"],
  ["half a surrogate pair", "eda080"],
  ["a character beyond U+10FFFF", "f4908080"],
];
for (const [what, hex] of notUtf8) {
  test(`bytes with ${what} are no text`, () =>
    assert.equal(fromUtf8(Buffer.from(`61${hex}62`, "hex")), undefined));
}

test("bytes are read as text only where they are that text and no other", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 8 }), (given) => {
      const text = fromUtf8(given);
      if (text !== undefined) assert.deepEqual(Buffer.from(utf8(text)), Buffer.from(given));
    }),
    { numRuns: 1000 },
  );
});

test("parts are joined in order, and stay untouched when the whole is changed", () => {
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 6 }), (parts) => {
      const expected = Buffer.concat(parts);
      const whole = concat(parts);
      assert.deepEqual(Buffer.from(whole), expected);
      whole.fill(0);
      assert.deepEqual(Buffer.concat(parts), expected);
    }),
  );
});

test("only equal bytes are equal", () => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      assert.equal(equalInConstantTime(a, b), Buffer.compare(a, b) === 0);
      assert.ok(equalInConstantTime(a, Uint8Array.from(a)));
      assert.ok(!equalInConstantTime(a, concat([a, Uint8Array.of(0)])), "a zero more is another string");
    }),
  );
});

test("a difference in one bit is seen, whichever it is", () => {
  const a = new Uint8Array(32).fill(0xa5);
  for (let bit = 0; bit < 256; bit++) {
    const b = Uint8Array.from(a, (byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
    assert.ok(!equalInConstantTime(a, b), `bit ${bit}`);
  }
});

test("a comparison reads every byte, wherever the first difference is", () => {
  const expected = new Uint8Array(32).fill(7);
  const readsOf = (given: Uint8Array): number => {
    let reads = 0;
    const watched = new Proxy(given, {
      get: (target, key) => {
        if (typeof key === "string" && /^\d+$/.test(key)) reads++;
        return Reflect.get(target, key) as unknown;
      },
    });
    equalInConstantTime(watched, expected);
    return reads;
  };
  for (const at of [0, 1, 16, 31, 32]) {
    assert.equal(readsOf(Uint8Array.from(expected, (byte, i) => (i === at ? 0 : byte))), 32, `byte ${at}`);
  }
});

const integers: readonly (readonly [number, string])[] = [
  [0, "0000000000000000"],
  [1, "0000000000000001"],
  [0x0102, "0000000000000102"],
  [2 ** 32, "0000000100000000"],
  [Number.MAX_SAFE_INTEGER, "001fffffffffffff"],
];
for (const [value, expected] of integers) {
  test(`${value} in eight bytes, big-endian, is ${expected}`, () =>
    assert.equal(toHex(uint64(value)), expected));
}

test("numbers in eight bytes sort as numbers do", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (a, b) => {
      assert.equal(Math.sign(Buffer.compare(uint64(a), uint64(b))), Math.sign(a - b));
    }),
  );
});

// RFC 4648 §10, and the two characters in which §4 and §5 differ.
const written: readonly (readonly [string, string])[] = [
  ["", ""],
  ["66", "Zg=="],
  ["666f", "Zm8="],
  ["666f6f", "Zm9v"],
  ["666f6f62", "Zm9vYg=="],
  ["666f6f6261", "Zm9vYmE="],
  ["666f6f626172", "Zm9vYmFy"],
  ["fbff", "+/8="],
];
for (const [hex, text] of written) {
  const urlText = text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  test(`${hex === "" ? "nothing" : hex} is "${text}" in base64 and "${urlText}" in base64url, and back`, () => {
    assert.equal(toBase64(Buffer.from(hex, "hex")), text);
    assert.equal(toBase64url(Buffer.from(hex, "hex")), urlText);
    assert.deepEqual(fromBase64(text), Uint8Array.fromHex(hex));
    assert.deepEqual(fromBase64url(urlText), Uint8Array.fromHex(hex));
  });
}

const notBase64: readonly (readonly [string, string])[] = [
  ["no padding", "Zg"],
  ["half the padding", "Zg="],
  ["too much padding", "Zm9v="],
  ["padding alone", "===="],
  ["padding in the middle", "Zg==Zg=="],
  ["bits beyond the last byte", "Zh=="],
  ["a lone character", "Z"],
  ["the other alphabet", "-_8="],
  ["a space", "Zm 9v"],
  ["a space before", " Zm9v"],
  ["a line end", "Zm9v\n"],
  ["a zero character", "Zm9v\0"],
  ["a character of no alphabet", "Zm9%"],
  ["a letter beyond ASCII", "Zm9é"],
];
for (const [what, text] of notBase64) {
  test(`base64 with ${what} is none`, () => assert.equal(fromBase64(text), undefined));
}

const notBase64url: readonly (readonly [string, string])[] = [
  ["padding", "Zg=="],
  ["bits beyond the last byte", "Zh"],
  ["a lone character", "Z"],
  ["the other alphabet", "+/8"],
  ["a space", "Zm 9v"],
  ["a line end", "Zm9v\n"],
  ["a dot", "Zm9v."],
];
for (const [what, text] of notBase64url) {
  test(`base64url with ${what} is none`, () => assert.equal(fromBase64url(text), undefined));
}

test("bytes are read as they were written, also from the middle of a buffer", () => {
  fc.assert(
    fc.property(bytes, fc.nat(8), (given, offset) => {
      const inside = concat([new Uint8Array(offset).fill(1), given, Uint8Array.of(2)]);
      const part = inside.subarray(offset, offset + given.length);
      assert.deepEqual(fromBase64(toBase64(part)), Uint8Array.from(given));
      assert.deepEqual(fromBase64url(toBase64url(part)), Uint8Array.from(given));
      assert.equal(toHex(part), Buffer.from(given).toString("hex"));
    }),
  );
});

test("no two texts stand for the same bytes", () => {
  const alphabet = fc.stringMatching(/^[AQgwZ9+/_= \n-]{0,8}$/);
  fc.assert(
    fc.property(fc.oneof(alphabet, fc.string()), (text) => {
      const [plain, url] = [fromBase64(text), fromBase64url(text)];
      if (plain !== undefined) assert.equal(toBase64(plain), text);
      if (url !== undefined) assert.equal(toBase64url(url), text);
    }),
    { numRuns: 1000 },
  );
});
