/** What a hello says of signatures: the numbers are those OpenSSL sends, and the reason names what was offered. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { helloOf } from "../../../test/support/hello.ts";
import { peekClientHello } from "../../wire/client-hello.ts";
import { signatureSuite } from "./signatures.ts";
import { whyNoSignature } from "./tls-signatures.ts";

const mlDsa65 = signatureSuite("ML-DSA-65");
const mlDsa87 = signatureSuite("ML-DSA-87");

for (const id of ["ML-DSA-44", "ML-DSA-65", "ML-DSA-87", "Ed25519", "ECDSA-P384"] as const) {
  const suite = signatureSuite(id);
  test(`${id} is known by the number OpenSSL sends for it`, async () => {
    const sigalgs = suite.tlsName ?? "none";
    const hello = await helloOf({ sigalgs, minVersion: "TLSv1.3" });
    const peek = peekClientHello(hello, hello.length);
    assert.equal(peek.kind, "hello");
    const offered = peek.kind === "hello" ? peek.hello.signatureSchemes : [];
    assert.equal(offered.length, 1);
    assert.equal(whyNoSignature(offered, [suite]), undefined);
    const other = id === "ML-DSA-87" ? mlDsa65 : mlDsa87;
    assert.equal(whyNoSignature(offered, [other]), `offers no ${other.id} signature (${sigalgs})`);
  });
}

test("one that counts is enough, wherever it stands among the others", () => {
  assert.equal(whyNoSignature([0x0403, 0x0804, 0x0905, 0x0401], [mlDsa65, mlDsa87]), undefined);
  assert.equal(whyNoSignature([0x0906], [mlDsa65, mlDsa87]), undefined);
});

test("the reason names the first few, in the client's order, and says how many more there are", () => {
  assert.equal(
    whyNoSignature([0x0403, 0x0503, 0x0804, 0xfe0b, 0x0805, 0x0806], [mlDsa65, mlDsa87]),
    "offers no ML-DSA-65 or ML-DSA-87 signature (ecdsa_secp256r1_sha256, ecdsa_secp384r1_sha384, rsa_pss_rsae_sha256, 0xfe0b, and 2 more)",
  );
  assert.equal(whyNoSignature([], [mlDsa65]), "offers no ML-DSA-65 signature (none at all)");
});
