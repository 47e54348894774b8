import assert from "node:assert/strict";
import { test } from "node:test";

import { newSigningKey } from "../../test/support/keys.ts";
import { formatLogKey, hasSameKeys, keysHash, readLogKey, weaknessOfKeys } from "./log-key.ts";
import { type NoteKeyKind, noteSigner, noteVerifier } from "./note-keys.ts";

function newKeys(...kinds: readonly NoteKeyKind[]) {
  return kinds.map((kind) => newKey(kind, "log.example/a"));
}

function newKey(kind: NoteKeyKind, name: string) {
  return noteVerifier(noteSigner(kind, name, newSigningKey(kind)).vkey);
}

const hybrid = newKeys("ed25519", "ml-dsa-65", "ml-dsa-44");
const cnsa = newKeys("ml-dsa-87", "ml-dsa-44");
const textOf = (keys: typeof hybrid): string => keys.map(({ vkey }) => `${vkey}\n`).join("");

test("a log key file of before generations is that of the first one, comments and empty lines aside", () => {
  const [only, ...more] = readLogKey(`# the log key\n\n${textOf(hybrid)}`);
  assert.deepEqual([only?.number, only && keysHash(only.keys), more], [1, keysHash(hybrid), []]);
});

test("a log key file keeps its generations apart and in order", () => {
  const written = formatLogKey([
    { number: 3, keys: hybrid },
    { number: 4, keys: cnsa },
  ]);
  assert.deepEqual(
    readLogKey(written).map(({ number, keys }) => [number, keysHash(keys)]),
    [
      [3, keysHash(hybrid)],
      [4, keysHash(cnsa)],
    ],
  );
});

for (const [what, text] of [
  ["nothing", "# nothing\n"],
  ["too many keys", textOf(hybrid.slice(0, 1)).repeat(65)],
  ["a generation without keys", `# generation 2\n# generation 3\n${textOf(cnsa)}`],
  ["a last generation without keys", `# generation 2\n${textOf(cnsa)}# generation 3\n`],
  ["a generation left out", `# generation 2\n${textOf(hybrid)}# generation 4\n${textOf(cnsa)}`],
  ["generations in another order", `# generation 2\n${textOf(hybrid)}# generation 1\n${textOf(cnsa)}`],
] as const) {
  test(`a log key file with ${what} is refused`, () => {
    assert.throws(() => readLogKey(text), { code: "bad_config" });
  });
}

test("a log key file with keys of two names is refused, in one generation and in two", () => {
  const other = newKey("ml-dsa-44", "log.example/b");
  for (const text of [textOf([...hybrid, other]), `${textOf(hybrid)}# generation 2\n${textOf([other])}`]) {
    assert.throws(() => readLogKey(text), {
      code: "bad_config",
      message: /the keys of one log; this one has keys of log\.example\/a and of log\.example\/b/,
    });
  }
});

test("a key file holds as many of the newest generations as it may, and can be read", () => {
  const many = Array.from({ length: 40 }, (_, i) => ({ number: i + 1, keys: hybrid }));
  const read = readLogKey(formatLogKey(many));
  assert.deepEqual([read.length, read[0]?.number, read.at(-1)?.number], [21, 20, 40]);
});

test("a generation needs Ed25519 with ML-DSA-65, or ML-DSA-87", () => {
  assert.equal(weaknessOfKeys(hybrid), undefined);
  assert.equal(weaknessOfKeys(cnsa), undefined);
  const [ed25519, mlDsa65, mlDsa44] = hybrid;
  assert.ok(ed25519 && mlDsa65 && mlDsa44);
  for (const keys of [[], [ed25519], [mlDsa65], [ed25519, mlDsa44], [mlDsa65, mlDsa44]]) {
    assert.match(weaknessOfKeys(keys) ?? "", /Ed25519 and ML-DSA-65, or of ML-DSA-87/);
  }
});

test("keys are the same for a verifier if the required ones are, in any order", () => {
  assert.ok(hasSameKeys(hybrid, hybrid.slice(0, 2).toReversed()));
  assert.ok(!hasSameKeys(hybrid, hybrid.slice(0, 1)));
  assert.ok(!hasSameKeys(hybrid, newKeys("ed25519", "ml-dsa-65")));
});
