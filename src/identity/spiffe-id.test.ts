/**
 * SPIFFE IDs: what SPIFFE-ID §2 allows is taken as it stands, and nothing else is
 * read as one; the gateway's is like no other.
 */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { Refusal } from "../kernel/refusal.ts";
import { gatewayIdOf, isGatewayId, isTrustDomain, spiffeId, trustDomainOf } from "./spiffe-id.ts";

const isBadConfig = (error: unknown): boolean => error instanceof Refusal && error.code === "bad_config";

const domains = fc.stringMatching(/^[a-z0-9._-]{1,255}$/);
const segments = fc.stringMatching(/^[A-Za-z0-9._-]{1,20}$/).filter((text) => text !== "." && text !== "..");
const paths = fc.array(segments, { minLength: 1, maxLength: 8 }).map((parts) => parts.join("/"));

test("an ID is its domain and its path, and its domain is read back from it", () => {
  fc.assert(
    fc.property(domains, paths, (domain, path) => {
      const id = spiffeId(domain, path);
      assert.equal(id, `spiffe://${domain}/${path}`);
      assert.equal(trustDomainOf(id), domain);
    }),
  );
});

const trustDomains: readonly (readonly [string, boolean])[] = [
  ["acme.test", true],
  ["a", true],
  ["127.0.0.1", true],
  ["under_score-and-dash", true],
  ["a".repeat(255), true],
  ["a".repeat(256), false],
  ["", false],
  ["ACME.test", false],
  ["acme.test:8443", false],
  ["user@acme.test", false],
  ["acme.test/", false],
  ["acme test", false],
  ["acme.test\n", false],
  ["\nacme.test", false],
  ["%61cme.test", false],
  ["äcme.test", false],
  ["*", false],
  ["[::1]", false],
];
for (const [text, expected] of trustDomains) {
  const shown = text.length > 40 ? `${text.length} letters` : JSON.stringify(text);
  test(`${shown} ${expected ? "is" : "isn't"} a trust domain`, () =>
    assert.equal(isTrustDomain(text), expected));
}

const ids: readonly (readonly [string, string | undefined])[] = [
  ["spiffe://acme.test/agent/a", "acme.test"],
  ["spiffe://acme.test/a", "acme.test"],
  ["spiffe://acme.test/...", "acme.test"],
  ["spiffe://acme.test/.hidden", "acme.test"],
  ["spiffe://acme.test/a..b", "acme.test"],
  ["spiffe://acme.test", undefined],
  ["spiffe://acme.test/", undefined],
  ["spiffe://acme.test/a/", undefined],
  ["spiffe://acme.test//a", undefined],
  ["spiffe:///a", undefined],
  ["spiffe://", undefined],
  ["", undefined],
  ["SPIFFE://acme.test/a", undefined],
  ["spiffe:/acme.test/a", undefined],
  [" spiffe://acme.test/a", undefined],
  ["https://acme.test/a", undefined],
  ["spiffe://ACME.test/a", undefined],
  ["spiffe://acme.test:8443/a", undefined],
  ["spiffe://user@acme.test/a", undefined],
  ["spiffe://acme.test/./a", undefined],
  ["spiffe://acme.test/agent/../gateway", undefined],
  ["spiffe://acme.test/a/..", undefined],
  ["spiffe://acme.test/%2e%2e/gateway", undefined],
  ["spiffe://acme.test/agent/%61", undefined],
  ["spiffe://acme.test/a?b", undefined],
  ["spiffe://acme.test/a#b", undefined],
  ["spiffe://acme.test/a b", undefined],
  ["spiffe://acme.test/a\\b", undefined],
  ["spiffe://acme.test/*", undefined],
  ["spiffe://acme.test/a\n", undefined],
  ["spiffe://acme.test/a\0", undefined],
  ["spiffe://acme.test/ä", undefined],
];
for (const [id, expected] of ids) {
  test(`${JSON.stringify(id)} is of ${expected ?? "no trust domain"}`, () =>
    assert.equal(trustDomainOf(id), expected));
}

test("an ID of 2048 bytes is one, and a byte more is none", () => {
  const longest = "a".repeat(2048 - "spiffe://acme.test/".length);
  assert.equal(trustDomainOf(spiffeId("acme.test", longest)), "acme.test");
  assert.equal(trustDomainOf(`spiffe://acme.test/${longest}a`), undefined);
  assert.throws(() => spiffeId("acme.test", `${longest}a`), isBadConfig);
});

for (const path of [
  "",
  "/",
  "/agent",
  "agent/",
  "agent//a",
  ".",
  "..",
  "agent/../gateway",
  "a b",
  "a%62",
  "*",
]) {
  test(`the path ${JSON.stringify(path)} makes no ID, and the refusal shows it and what was expected`, () => {
    assert.throws(
      () => spiffeId("acme.test", path),
      (error: unknown) => {
        assert.ok(error instanceof Refusal && error.code === "bad_config");
        assert.ok(error.message.includes(`"${path}"`));
        assert.match(error.message, /expected segments of letters.*e\.g\. "agent\/support"/);
        return true;
      },
    );
  });
}

for (const domain of ["", "ACME", "acme.test/agent", "acme.test:1", "user@acme.test"]) {
  test(`the domain ${JSON.stringify(domain)} makes no ID`, () => {
    assert.throws(() => spiffeId(domain, "agent/a"), isBadConfig);
  });
}

test("whatever the text, reading an ID never throws, and making one only refuses", () => {
  const part = fc.oneof(fc.string(), fc.stringMatching(/^[aA./%:@ \n\0]{0,12}$/));
  fc.assert(
    fc.property(part, part, (domain, path) => {
      const text = `spiffe://${domain}/${path}`;
      const read = trustDomainOf(text);
      trustDomainOf(domain);
      let made: string | undefined;
      try {
        made = spiffeId(domain, path);
      } catch (error) {
        assert.ok(isBadConfig(error));
      }
      if (made !== undefined) assert.equal(read, domain);
      if (read !== undefined) assert.equal(spiffeId(read, text.slice(`spiffe://${read}/`.length)), text);
    }),
    { numRuns: 1000 },
  );
});

test("only the gateway itself has the gateway's id; a server of that name hasn't", () => {
  assert.equal(isGatewayId("spiffe://acme.test/gateway"), true);
  assert.equal(gatewayIdOf("acme.test"), "spiffe://acme.test/gateway");
  for (const id of ["server/gateway", "agent/gateway", "gateway/x", "gateway/", "gateways", "Gateway", ""])
    assert.equal(isGatewayId(`spiffe://acme.test/${id}`), false, id);
  assert.equal(isGatewayId("https://acme.test/gateway"), false);
});
