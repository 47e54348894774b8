/** What stands in for node:crypto in a browser says of every signature what node:crypto says. */
import assert from "node:assert/strict";
import * as node from "node:crypto";
import { test } from "node:test";

import { createHmac, createPublicKey, hash, hkdfSync, verify } from "./node-crypto.ts";

const kinds = ["ed25519", "ml-dsa-44", "ml-dsa-65", "ml-dsa-87", "slh-dsa-sha2-128s"] as const;
const message = Buffer.from("example.org/log/4fQx1sJm\n700\nsqMM42q62BaaEe3ymj8X4AXeUbSuuh9KHAiTIAj67/4=\n");

for (const kind of kinds) {
  test(`${kind}: a good signature holds, one with a changed bit, message, key or length doesn't, as in node:crypto`, () => {
    const pair = node.generateKeyPairSync(kind as "ed25519");
    const raw = pair.publicKey.export({ format: "raw-public" });
    const signature = node.sign(null, message, pair.privateKey);
    const other = node.generateKeyPairSync(kind as "ed25519").publicKey.export({ format: "raw-public" });
    const ends = [0, signature.length >> 1, signature.length - 1];
    const flipped = ends.map((at) => signature.map((byte, i) => (i === at ? byte ^ 1 : byte)));
    const cases = [
      { key: raw, of: message, signature, holds: true },
      ...flipped.map((bad) => ({ key: raw, of: message, signature: bad, holds: false })),
      { key: raw, of: Buffer.concat([message, Buffer.from("x")]), signature, holds: false },
      { key: raw, of: Buffer.alloc(0), signature, holds: false },
      { key: other, of: message, signature, holds: false },
      { key: raw, of: message, signature: signature.subarray(1), holds: false },
      { key: raw, of: message, signature: Buffer.concat([signature, Buffer.alloc(1)]), holds: false },
      { key: raw, of: message, signature: Buffer.alloc(0), holds: false },
      { key: raw, of: message, signature: Buffer.alloc(signature.length), holds: false },
    ];
    for (const { key, of, signature: bytes, holds } of cases) {
      const from = { key, format: "raw-public", asymmetricKeyType: kind } as const;
      const nodeSays = node.verify(null, of, node.createPublicKey(from), bytes);
      assert.equal(nodeSays, holds);
      assert.equal(verify(null, of, createPublicKey(from), bytes), holds);
    }
  });

  // Ed25519 has no contexts.
  if (kind === "ed25519") continue;
  test(`${kind}: a signature in another context than the empty one doesn't hold`, () => {
    const pair = node.generateKeyPairSync(kind as "ed25519");
    const key = pair.publicKey.export({ format: "raw-public" });
    const signature = node.sign(null, message, { key: pair.privateKey, context: Buffer.from("other") });
    const from = { key, format: "raw-public", asymmetricKeyType: kind };
    assert.equal(verify(null, message, createPublicKey(from), signature), false);
  });
}

test("keys of other kinds, forms and lengths are none", () => {
  for (const [asymmetricKeyType, format, bytes] of [
    ["rsa", "raw-public", 32],
    ["toString", "raw-public", 32],
    ["ed25519", "der", 32],
    ["ed25519", "raw-public", 31],
    ["ml-dsa-65", "raw-public", 1951],
  ] as const)
    assert.throws(() => createPublicKey({ key: new Uint8Array(bytes), format, asymmetricKeyType }));
});

test("hashes, HMAC and HKDF are node:crypto's", () => {
  for (const name of ["sha256", "sha384", "sha512", "sha3-256", "sha3-512"]) {
    for (const length of [0, 1, 63, 64, 65, 135, 136, 1000, 8192]) {
      const bytes = Buffer.alloc(length, length & 0xff);
      assert.equal(hash(name, bytes, "hex"), node.hash(name, bytes, "hex"));
      assert.equal(hash(name, bytes, "latin1"), node.hash(name, bytes, "latin1"));
      assert.equal(hash(name, bytes, "base64url"), node.hash(name, bytes, "base64url"));
      const key = Buffer.alloc(40, 7);
      assert.deepEqual(
        Buffer.from(createHmac(name, key).update(bytes).digest()),
        node.createHmac(name, key).update(bytes).digest(),
      );
      const derived = [message, key, bytes.subarray(0, 100), 100] as const;
      assert.deepEqual(Buffer.from(hkdfSync(name, ...derived)), Buffer.from(node.hkdfSync(name, ...derived)));
    }
  }
  assert.throws(() => hash("md5", message, "hex"));
});
