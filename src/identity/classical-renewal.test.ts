/** Who gets a new classical certificate: the holder of the last one, and nobody by an ML-DSA key alone. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { certificateFacts, issueLeaf, parseCertificate } from "../crypto/certificate.ts";
import { generateKeyPair, type SigningKey, signingKey } from "../crypto/keys.ts";
import { signatureSuite } from "../crypto/suites/signatures.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Purpose } from "./authority.ts";
import { type ClassicalAuthority, createClassicalRoot } from "./classical-authority.ts";
import { approveClassicalRenewal } from "./classical-renewal.ts";

const now = Date.UTC(2026, 10, 21);
const day = 24 * 3_600_000;
const newKey = (): SigningKey => signingKey(generateKeyPair(signatureSuite("Ed25519")));
const rootOf = async (purpose: Purpose): Promise<ClassicalAuthority["roots"][Purpose]> => {
  const key = newKey();
  return { key, certificate: await createClassicalRoot("acme.test", purpose, key, now - 365 * day) };
};
const authority: ClassicalAuthority = {
  trustDomain: "acme.test",
  roots: { server: await rootOf("server"), client: await rootOf("client") },
};
const spiffeId = "spiffe://acme.test/agent/a";
const holder = newKey();

function old(part: Partial<Parameters<typeof issueLeaf>[0]> = {}): Promise<string> {
  return issueLeaf({
    commonName: "a",
    publicKey: holder.publicKey,
    issuer: { commonName: "acme.test client root classical", key: authority.roots.client.key },
    spiffeId,
    purpose: "client",
    notBeforeUnixMs: now - 3_600_000,
    notAfterUnixMs: now + 1000,
    ...part,
  });
}

function approve(
  certificate: string | undefined,
  options: {
    readonly key?: SigningKey;
    readonly hadOne?: boolean;
    readonly revoked?: readonly string[];
  } = {},
): void {
  const { key = holder, hadOne = true, revoked = [] } = options;
  const trust = {
    domain: "acme.test",
    identityAlgorithms: ["ML-DSA-65"],
    groups: ["X25519MLKEM768"],
    revokedSerials: new Set(revoked),
    issuers: new Set(["root"]),
  };
  const asked = { spiffeId, purpose: "client", key: key.publicKey, old: certificate } as const;
  approveClassicalRenewal(asked, { authority, trust, hadOne }, now);
}

test("the holder of a classical certificate gets the next one, for 30 days after its end", async () => {
  approve(await old());
  approve(await old({ notBeforeUnixMs: now - 31 * day, notAfterUnixMs: now - 30 * day + 1000 }));
});

test("the first one of an identity takes its ML-DSA key, and only the first one", () => {
  approve(undefined, { hadOne: false });
  assert.throws(() => approve(undefined), /had one, which must be shown/);
});

const ours = { commonName: "acme.test client root classical", key: newKey() };
const server = { commonName: "acme.test server root classical", key: authority.roots.server.key };
const refused: readonly (readonly [string, string, RegExp])[] = [
  ["of another authority", await old({ issuer: ours }), /didn't issue it/],
  ["of the other direction", await old({ issuer: server, purpose: "server" }), /didn't issue it/],
  ["of the other purpose", await old({ purpose: "server" }), /didn't issue it/],
  ["of another identity", await old({ spiffeId: "spiffe://acme.test/agent/b" }), /another identity's/],
  ["of another key", await old({ publicKey: newKey().publicKey }), /for another key/],
  ["that isn't valid yet", await old({ notBeforeUnixMs: now + 1 + 999 }), /isn't valid yet/],
  [
    "that ended too long ago",
    await old({ notBeforeUnixMs: now - 31 * day, notAfterUnixMs: now - 30 * day }),
    /ended too long ago/,
  ],
  ["that can't be read", "PEM", /can't be read/],
];
for (const [what, certificate, reason] of refused) {
  test(`a classical certificate ${what} renews nothing, even where there was none before`, () => {
    for (const hadOne of [true, false]) {
      assert.throws(
        () => approve(certificate, { hadOne }),
        (error: unknown) =>
          error instanceof Refusal && error.code === "bad_certificate" && reason.test(error.message),
      );
    }
  });
}

test("a revoked classical certificate isn't renewed", async () => {
  const certificate = await old();
  const { serial } = certificateFacts(parseCertificate(certificate) ?? assert.fail("no certificate"));
  assert.throws(() => approve(certificate, { revoked: [serial] }), /is revoked/);
});
