/** What is measured is what it says: sizes are those of the standards, and everything works. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { issueLeaf, issueRoot, isIssuedBy, parseCertificate } from "./certificate.ts";
import { keyExchange } from "./compared-exchange.ts";
import { comparedKey, handshakeSignature } from "./compared-signature.ts";
import { toHex } from "../kernel/bytes.ts";
import {
  comparedExchanges,
  comparedHandshakes,
  comparedSignatures,
  handshakeName,
  profilesWith,
  referenceExchange,
  referenceHandshake,
} from "./suites/compared.ts";
import { groupNamed } from "./suites/key-exchange.ts";

/** FIPS 203 table 3, RFC 7748, SEC 1 §2.3.3, RFC 8017 A.1.1; hybrids are one after the other (RFC 10024). */
const exchangeBytes: readonly (readonly [string, publicKey: number, message: number])[] = [
  ["RSA-3072", 398, 384],
  ["RSA-3072, key made for it", 398, 384],
  ["X25519", 32, 32],
  ["P-256", 65, 65],
  ["ML-KEM-768", 1184, 1088],
  ["ML-KEM-1024", 1568, 1568],
  ["X25519MLKEM768", 1216, 1120],
  ["SecP256r1MLKEM768", 1249, 1153],
  ["SecP384r1MLKEM1024", 1665, 1665],
];

test("all key exchanges are those whose sizes are known", () =>
  assert.deepEqual(
    comparedExchanges.map(({ id }) => id),
    exchangeBytes.map(([id]) => id),
  ));

for (const [id, publicKeyBytes, messageBytes] of exchangeBytes) {
  test(`${id} sends a key of ${publicKeyBytes} bytes, answers with ${messageBytes}, and its ends agree`, () => {
    const row = comparedExchanges.find((each) => each.id === id);
    assert.ok(row !== undefined);
    assert.deepEqual(keyExchange(row)(), { publicKeyBytes, messageBytes });
    const group = groupNamed(id);
    if (group !== undefined) assert.deepEqual(group.shareBytes, [publicKeyBytes, messageBytes]);
  });
}

/** RFC 8017, RFC 8032, FIPS 204 table 2, FIPS 205 table 2; ECDSA's point is SEC 1's, its signature DER. */
const signatureBytes: readonly (readonly [string, publicKey: number, signature: number])[] = [
  ["RSA-3072", 398, 384],
  ["ECDSA P-256", 65, 72],
  ["Ed25519", 32, 64],
  ["ML-DSA-44", 1312, 2420],
  ["ML-DSA-65", 1952, 3309],
  ["ML-DSA-87", 2592, 4627],
  ["SLH-DSA-SHA2-128s", 32, 7856],
];

test("all signatures are those whose sizes are known", () =>
  assert.deepEqual(
    comparedSignatures.map(({ id, publicKeyBytes, signatureBytes }) => [id, publicKeyBytes, signatureBytes]),
    signatureBytes,
  ));

for (const suite of comparedSignatures) {
  test(`${suite.id} signs with its row's sizes, and a changed message doesn't verify`, () => {
    const key = comparedKey(suite);
    const raw =
      suite.keyType === "rsa"
        ? key.publicKey.export({ format: "der", type: "pkcs1" })
        : key.publicKey.export({ format: "raw-public" });
    assert.equal(raw.length, suite.publicKeyBytes);
    const { sign, verify } = handshakeSignature(key);
    const message = new Uint8Array(64);
    const signature = sign(message);
    // DER of two integers is as long as they happen to be.
    if (suite.keyType === "ec") assert.ok(signature.length <= suite.signatureBytes);
    else assert.equal(signature.length, suite.signatureBytes);
    assert.ok(verify(message, signature));
    assert.equal(verify(new Uint8Array(65), signature), false);
  });
}

for (const suite of comparedSignatures.filter(({ tlsName }) => tlsName !== null)) {
  test(`a leaf of a ${suite.id} root is one that OpenSSL takes for issued by it`, async () => {
    const [rootKey, key] = [comparedKey(suite), comparedKey(suite)];
    const times = { notBeforeUnixMs: 1_800_000_000_000, notAfterUnixMs: 1_800_003_600_000 };
    const named = { commonName: "root", trustDomain: "bench.invalid" };
    const root = await issueRoot({ ...named, key: rootKey, ...times });
    const leaf = await issueLeaf({
      commonName: "leaf",
      publicKey: key.publicKey,
      issuer: { key: rootKey, certificate: root },
      spiffeId: "spiffe://bench.invalid/agent/bench",
      purpose: "client",
      ...times,
    });
    const [parsedRoot, parsedLeaf] = [parseCertificate(root), parseCertificate(leaf)];
    assert.ok(parsedRoot !== undefined && parsedLeaf !== undefined);
    assert.ok(isIssuedBy(parsedLeaf, parsedRoot));
    // RFC 4055 §5: NULL behind the OID, for RSA alone; RFC 5758 §3.2, RFC 8410 §3, RFC 9881 §2: nothing.
    const oidAndNull = /06092a864886f70d01010b0500/g;
    assert.equal((toHex(parsedLeaf.raw).match(oidAndNull) ?? []).length, suite.keyType === "rsa" ? 2 : 0);
  });
}

test("what the others are compared with is there, once", () => {
  assert.equal(comparedExchanges.filter(({ id }) => id === referenceExchange).length, 1);
  assert.equal(comparedHandshakes.filter((row) => handshakeName(row) === referenceHandshake).length, 1);
});

const marks: readonly (readonly [Parameters<typeof profilesWith>[0], readonly string[]])[] = [
  [{ group: "X25519MLKEM768", identity: "ML-DSA-65" }, ["hybrid"]],
  [{ group: "SecP384r1MLKEM1024", identity: "ML-DSA-65" }, ["hybrid"]],
  [{ group: "SecP384r1MLKEM1024", identity: "ML-DSA-87" }, ["cnsa-2.0"]],
  [{ group: "SecP384r1MLKEM1024" }, ["hybrid", "cnsa-2.0"]],
  [{ group: "X25519MLKEM768", identity: "ML-DSA-87" }, []],
  [{ group: "X25519", identity: "ML-DSA-65" }, []],
  [{ identity: "ECDSA P-256" }, []],
  [{ group: "ML-KEM-768" }, []],
];
for (const [part, expected] of marks) {
  test(`${JSON.stringify(part)} is a link of [${expected.join(", ")}]`, () =>
    assert.deepEqual(profilesWith(part), expected));
}
