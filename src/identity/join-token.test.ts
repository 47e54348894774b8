/** Join tokens: read as they were written, worth one identity once, and silent about their secret. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { toBase64url } from "../kernel/bytes.ts";
import { profileNames } from "../crypto/suites/profiles.ts";
import { concat, utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type JoinGrant, readJoinToken, redeem, writeJoinToken } from "./join-token.ts";

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const isBad = (error: unknown): boolean => error instanceof Refusal && error.code === "bad_join_token";

test("a token is read as it was written", () => {
  fc.assert(
    fc.property(
      bytes32,
      bytes32,
      fc.constantFrom("127.0.0.1:8443", "[::1]:1", "gate.example:65535"),
      fc.constantFrom(...profileNames),
      (secret, hash, address, profile) => {
        const read = readJoinToken(writeJoinToken({ secret, serverRootHash: hash, address, profile }));
        assert.deepEqual(
          [Buffer.from(read.secret), Buffer.from(read.serverRootHash), read.address, read.profile],
          [Buffer.from(secret), Buffer.from(hash), address, profile],
        );
      },
    ),
  );
});

test("whatever is no token is refused with what to do, and never repeated", () => {
  fc.assert(fc.property(fc.string(), (text) => assert.throws(() => readJoinToken(text), isBad)));
  for (const text of [
    "lgjoin1.",
    "lgjoin1.canary",
    `lgjoin1.${toBase64url(new Uint8Array(64))}`,
    `lgjoin1.${"A".repeat(600)}`,
  ]) {
    assert.throws(
      () => readJoinToken(text),
      (error: unknown) =>
        isBad(error) &&
        error instanceof Error &&
        /latticegate ca token/.test(error.message) &&
        !error.message.includes("canary"),
    );
  }
});

const grant: JoinGrant = {
  secretHash: "h",
  spiffeId: "spiffe://a/agent/b",
  purpose: "client",
  expiresUnixMs: 1000,
  usedUnixMs: null,
};

test("a grant is redeemed once and in time; who fails isn't told why, the operator is", () => {
  assert.equal(redeem(grant, 999), grant);
  const rows = [
    [undefined, "unknown"],
    [{ ...grant, usedUnixMs: 5 }, "used"],
    [{ ...grant, expiresUnixMs: 999 }, "expired"],
  ] as const;
  const said = rows.map(([given, reason]) => {
    try {
      redeem(given, 999);
      return "redeemed";
    } catch (error) {
      assert.ok(error instanceof Refusal && error.code === "bad_join_token");
      assert.equal(error.facts["reason"], reason);
      return error.message;
    }
  });
  assert.equal(new Set(said).size, 1);
});

test("a token that was bent or cut is refused without a word of its secret", () => {
  fc.assert(
    fc.property(bytes32, fc.nat(80), (secret, cut) => {
      const token = writeJoinToken({ secret, serverRootHash: secret, address: "h:1", profile: "hybrid" });
      for (const bent of [token.slice(0, 8 + cut), `${token}=`, ` ${token}`, token.slice(1)]) {
        assert.throws(
          () => readJoinToken(bent),
          (error: unknown) => {
            assert.ok(error instanceof Refusal && isBad(error));
            const said = `${error.message} ${JSON.stringify(error.facts)} ${String(error.cause)}`;
            return !said.includes(toBase64url(secret).slice(0, 12));
          },
        );
      }
    }),
    { numRuns: 50 },
  );
});

for (const address of ["", "nonsense", "h:99999", "h:", ":1", "h\0:1", "h:1 ", "\uFFFD:1"]) {
  test(`a token that leads to ${JSON.stringify(address)} is none`, () => {
    const nothing = new Uint8Array(32);
    for (const profile of profileNames) {
      const token = writeJoinToken({ secret: nothing, serverRootHash: nothing, address, profile });
      assert.throws(() => readJoinToken(token), isBad);
    }
  });
}

test("a token that names no profile there is, or the one that goes without saying, is none", () => {
  const known = new Uint8Array(64);
  for (const name of ["", "hybrid", "cnsa-3.0", "__proto__", "\uFFFD"]) {
    const named = concat([known, Uint8Array.of(utf8(name).length), utf8(name), utf8("h:1")]);
    assert.throws(() => readJoinToken(`lgjoin2.${toBase64url(named)}`), isBad, name);
  }
});
