import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, verify } from "node:crypto";
import { test } from "node:test";

import { newSigningKey, signingKeyOf } from "../../test/support/keys.ts";
import { toBase64, utf8 } from "../kernel/bytes.ts";
import { type CheckpointBody, type NoteKeyKind, noteSigner, noteVerifier } from "./note-keys.ts";

const kinds: readonly NoteKeyKind[] = ["ed25519", "ml-dsa-44", "ml-dsa-65", "slh-dsa-sha2-128s"];

function pairOf(kind: NoteKeyKind): { privateKey: KeyObject; publicKey: KeyObject } {
  return generateKeyPairSync(kind as "ed25519");
}

function body(change: Partial<CheckpointBody> = {}): CheckpointBody {
  const checkpoint = { origin: "log.example/a", size: 7, root: new Uint8Array(32).fill(3), ...change };
  const text = `${checkpoint.origin}\n${checkpoint.size}\n${toBase64(checkpoint.root)}\n`;
  return { text, ...checkpoint };
}

for (const kind of kinds) {
  test(`a ${kind} signature holds for its checkpoint and for no other`, async () => {
    const signer = noteSigner(kind, "log.example/a", newSigningKey(kind));
    const verifier = noteVerifier(signer.vkey);
    const signature = await signer.sign({ ...body(), atUnixS: 1_700_000_000 });
    assert.deepEqual(verifier.keyId, signer.keyId);
    assert.equal(verifier.kind, kind);
    assert.ok(verifier.verify(body(), signature));
    assert.ok(!verifier.verify(body({ size: 8 }), signature));
    assert.ok(!verifier.verify(body({ root: new Uint8Array(32) }), signature));
    assert.ok(!verifier.verify(body({ origin: "log.example/b" }), signature));
    for (const at of [0, 7, 8, signature.length - 1]) {
      const bent = Uint8Array.from(signature);
      bent[at]! ^= 1;
      assert.ok(!verifier.verify(body(), bent), `byte ${at}`);
    }
    assert.ok(!verifier.verify(body(), signature.subarray(1)));
    assert.ok(!verifier.verify(body(), new Uint8Array(0)));
  });
}

test("only the ML-DSA-44 cosignature says when it was made", async () => {
  for (const kind of ["ed25519", "ml-dsa-44"] as const) {
    const signer = noteSigner(kind, "log.example/a", newSigningKey(kind));
    const signature = await signer.sign({ ...body(), atUnixS: 1_700_000_000 });
    const expected = kind === "ml-dsa-44" ? 1_700_000_000 : undefined;
    assert.equal(noteVerifier(signer.vkey).timeOf(signature), expected);
  }
});

test("the ML-DSA-44 cosignature is over tlog-cosignature's cosigned_message", async () => {
  const { privateKey, publicKey } = pairOf("ml-dsa-44");
  const signer = noteSigner("ml-dsa-44", "log.example/a", signingKeyOf(privateKey));
  const signature = await signer.sign({ ...body(), atUnixS: 0x0102 });
  const message = Buffer.concat([
    Buffer.from("subtree/v1\n\0"),
    Buffer.from("\x0dlog.example/a"),
    Buffer.from("0000000000000102", "hex"),
    Buffer.from("\x0dlog.example/a"),
    Buffer.from("0000000000000000", "hex"),
    Buffer.from("0000000000000007", "hex"),
    Buffer.alloc(32, 3),
  ]);
  assert.equal(signature.length, 8 + 2420);
  assert.equal(Buffer.from(signature.subarray(0, 8)).toString("hex"), "0000000000000102");
  assert.ok(verify(null, message, publicKey, signature.subarray(8)));
});

test("a verifier key and a signature that the Go project published hold", () => {
  const verifier = noteVerifier("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
  const text =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
  const line = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";
  const bytes = Buffer.from(line, "base64");
  assert.deepEqual(Buffer.from(verifier.keyId), bytes.subarray(0, 4));
  assert.ok(verifier.verify(body({ text }), bytes.subarray(4)));
});

test("what is no verifier key is refused", () => {
  const { vkey } = noteSigner("ed25519", "log.example/a", newSigningKey("ed25519"));
  const [name, id, key] = vkey.split(/\+(.{8})\+/) as [string, string, string];
  const unknownType = toBase64(Uint8Array.of(0x04, ...Buffer.from(key, "base64").subarray(1)));
  for (const bad of [
    "",
    "x",
    `${name}+${id}`,
    `${name}+00000000+${key}`,
    `a b+${id}+${key}`,
    `${name}+${id}+${key.slice(0, -4)}`,
    `${name}+${id}+${unknownType}`,
    `${name}+${id}+${key}=`,
  ]) {
    assert.throws(() => noteVerifier(bad), { code: "bad_config" }, bad);
  }
});

test("a key of another kind, or a name that can't stand in a note, makes no signer", () => {
  const key = newSigningKey("ed25519");
  assert.throws(() => noteSigner("ml-dsa-65", "log.example/a", key), { code: "bad_config" });
  for (const name of ["", "a b", "a+b", "a\u00A0b", "a\nb", "é".repeat(128)]) {
    assert.throws(() => noteSigner("ed25519", name, key), { code: "bad_config" });
  }
  assert.ok(utf8(noteSigner("ed25519", "é".repeat(127), key).name).length <= 255);
});
