import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import type { LogKey } from "../crypto/log-key.ts";
import { type NoteKeyKind, type NoteSigner, noteSigner, noteVerifier } from "../crypto/note-keys.ts";
import { newSigningKey } from "../../test/support/keys.ts";
import { toBase64, utf8 } from "../kernel/bytes.ts";
import { checkpointBody, formatNote, maxNoteBytes, readCheckpointBody, readNote } from "./checkpoint.ts";
import { readHead, signHead } from "./head.ts";

const origin = "log.example/a";
const root = new Uint8Array(32).fill(5);
const line = `— ${origin} ${toBase64(new Uint8Array(70))}\n`;

function signer(kind: NoteKeyKind, name = origin) {
  return noteSigner(kind, name, newSigningKey(kind));
}

const [ed25519, mlDsa65, mlDsa44] = [signer("ed25519"), signer("ml-dsa-65"), signer("ml-dsa-44")];
const tree = { origin, size: 300, root };

test("the example of tlog-checkpoint is read as it says", () => {
  const text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
  const example = `${text}\n— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n`;
  const note = readNote(utf8(example))!;
  const body = readCheckpointBody(note.text)!;
  assert.equal(body.size, 20_852_163);
  assert.equal(note.signatures[1]!.name, "witness.example.com/w1");
  assert.equal(formatNote(note), example);
});

test("a checkpoint's text is origin, size and root", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 2 ** 52 }),
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      (size, root) => {
        const body = checkpointBody(origin, size, root);
        const read = readCheckpointBody(body.text)!;
        assert.deepEqual({ ...read, root: Uint8Array.from(read.root) }, body);
      },
    ),
  );
});

const good = checkpointBody(origin, 1, root).text;
for (const [what, text] of [
  ["a leading zero", good.replace("\n1\n", "\n01\n")],
  ["a sign", good.replace("\n1\n", "\n-1\n")],
  ["a size beyond 2^53", good.replace("\n1\n", "\n9999999999999999\n")],
  ["no origin", good.replace(origin, "")],
  ["a short root", good.replace(/.{4}\n$/, "\n")],
  ["an extension line", `${good}more\n`],
  ["no final newline", good.slice(0, -1)],
  ["base64 with loose bits", good.replace("=\n", "=\n").replace(/.=\n$/, "V=\n")],
] as const) {
  test(`a checkpoint with ${what} is not read`, () => {
    assert.equal(readCheckpointBody(text), undefined);
  });
}

for (const [what, note] of [
  ["no signature", `${good}\n`],
  ["no empty line", good + line],
  ["a line that is no signature", `${good}\n${line}x\n`],
  ["a signature of four bytes", `${good}\n— a ${toBase64(new Uint8Array(4))}\n`],
  ["a name with a plus", `${good}\n${line.replace(origin, "a+b")}`],
  ["a control character", `${good.replace("log", "l\tog")}\n${line}`],
  ["seventeen signatures", `${good}\n${line.repeat(17)}`],
  ["no final newline", `${good}\n${line.slice(0, -1)}`],
  ["too many bytes", `${"x".repeat(maxNoteBytes)}\n\n${line}`],
] as const) {
  test(`a note with ${what} is not read`, () => {
    assert.equal(readNote(utf8(note)), undefined);
  });
}

test("bytes that aren't UTF-8 are no note, and arbitrary ones never throw", () => {
  assert.equal(readNote(Buffer.from(`${good}\n${line}`.replace("log", "l\u00FFg"), "latin1")), undefined);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void readNote(bytes)));
});

test("sixteen signatures are read", () => {
  assert.equal(readNote(utf8(`${good}\n${line.repeat(16)}`))?.signatures.length, 16);
});

function logKeyOf(keys: readonly NoteSigner[]): LogKey {
  return [{ number: 1, keys: keys.map(({ vkey }) => noteVerifier(vkey)) }];
}

test("a head holds with Ed25519 and ML-DSA-65, and tells when it was signed if ML-DSA-44 is there", async () => {
  const logKey = logKeyOf([ed25519, mlDsa65, mlDsa44]);
  const two = readHead(await signHead(tree, [ed25519, mlDsa65], 1_700_000_000), logKey);
  assert.equal(two.kind === "signed" ? two.head.atUnixS : "unsigned", undefined);
  const three = readHead(await signHead(tree, [ed25519, mlDsa65, mlDsa44], 1_700_000_000), logKey);
  assert.equal(three.kind === "signed" ? three.head.atUnixS : "unsigned", 1_700_000_000);
});

test("a head with only one of the two required signatures isn't signed", async () => {
  const logKey = logKeyOf([ed25519, mlDsa65, mlDsa44]);
  for (const signers of [[ed25519], [mlDsa65], [ed25519, mlDsa44], [mlDsa44]]) {
    assert.equal(readHead(await signHead(tree, signers, 0), logKey).kind, "unsigned");
  }
});

test("a wrong signature by any key of the log spoils the head, whichever kind it is", async () => {
  const all = [ed25519, mlDsa65, mlDsa44];
  const logKey = logKeyOf(all);
  const note = readNote(await signHead(tree, all, 0))!;
  for (const [bent, { signature, name, keyId }] of note.signatures.entries()) {
    const wrong = Uint8Array.from(signature);
    wrong[wrong.length - 1]! ^= 1;
    const signatures = note.signatures.with(bent, { name, keyId, signature: wrong });
    const reading = readHead(utf8(formatNote({ text: note.text, signatures })), logKey);
    assert.equal(reading.kind, "unsigned");
  }
});

test("signatures by unknown keys say nothing: a witness neither helps nor hurts", async () => {
  const logKey = logKeyOf([ed25519, mlDsa65]);
  const witness = signer("ml-dsa-44", "witness.example/w");
  assert.equal(readHead(await signHead(tree, [ed25519, mlDsa65, witness], 0), logKey).kind, "signed");
  const others = [signer("ed25519"), signer("ml-dsa-65")];
  assert.equal(readHead(await signHead(tree, others, 0), logKey).kind, "unsigned");
});

test("keys of one log don't vouch for a head of another origin", async () => {
  const logKey = logKeyOf([ed25519, mlDsa65]);
  const other = await signHead({ ...tree, origin: "log.example/b" }, [ed25519, mlDsa65], 0);
  assert.equal(readHead(other, logKey).kind, "unsigned");
});
