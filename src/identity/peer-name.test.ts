/** Names of peers: what is one, what is misspelt, and how an id comes from a key. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { generateKeyPair } from "../crypto/keys.ts";
import { signatureSuite } from "../crypto/suites/signatures.ts";
import { toBase32 } from "../kernel/base32.ts";
import { Refusal } from "../kernel/refusal.ts";
import { isPeerName, peerIdOf, peerNameOf, readPeerName } from "./peer-name.ts";

const peerId = toBase32(new Uint8Array(32).fill(7));

test("a name is read as it is written, in either case", () => {
  const name = peerNameOf({ peerId, server: "files" });
  assert.deepEqual(readPeerName(name), { peerId, server: "files" });
  assert.deepEqual(readPeerName(name.replace(peerId, peerId.toUpperCase())), { peerId, server: "files" });
  assert.equal(readPeerName("https://localhost/mcp"), undefined);
  assert.equal(readPeerName("files"), undefined);
});

const misspelt = [
  "mcp-pqc://",
  `mcp-pqc://${peerId}`,
  `mcp-pqc://${peerId}/`,
  `mcp-pqc://${peerId}/Files`,
  `mcp-pqc://${peerId}/files/more`,
  `mcp-pqc://${peerId}:8443/files`,
  `mcp-pqc://${peerId.slice(1)}/files`,
  `mcp-pqc://${peerId.slice(0, -1)}b/files`,
  `mcp-pqc://user@${peerId}/files`,
];
for (const name of misspelt) {
  test(`no peer is named ${name.replace(peerId, "ID")}`, () => {
    assert.throws(() => readPeerName(name), Refusal);
    assert.equal(isPeerName(name), false);
  });
}

test("another key has another id, and so has the same bytes' key of another algorithm", () => {
  const ids = ["ML-DSA-65", "ML-DSA-65", "ML-DSA-44"] as const;
  const all = ids.map((id) => peerIdOf(generateKeyPair(signatureSuite(id)).publicKey));
  assert.equal(new Set(all).size, all.length);
  for (const id of all) assert.match(id, /^[a-z2-7]{52}$/);
});

test("base32 is that of RFC 4648 §10, in lower case and without padding", () => {
  const vectors = {
    "": "",
    f: "my",
    fo: "mzxq",
    foo: "mzxw6",
    foob: "mzxw6yq",
    fooba: "mzxw6ytb",
    foobar: "mzxw6ytboi",
  };
  for (const [text, encoded] of Object.entries(vectors)) assert.equal(toBase32(Buffer.from(text)), encoded);
});
