/** Paths of outside authorities: what is accepted, and each way in which one can be wrong. */
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  authority,
  ecKey,
  issuedAtUnixMs,
  type OutsideCertificate,
  outsideRoot,
  rsaKey,
  serverAuth,
} from "../../test/support/outside-authority.ts";
import { Refusal } from "../kernel/refusal.ts";
import { parseBundle, verifyOutsidePath } from "./outside-path.ts";

const id = "spiffe://prod.acme.test/ns/agents/sa/builder";
const root = outsideRoot();
const shared = rsaKey(2048);
const hour = 3_600_000;
const nonRepudiation = 2;

function verify(chain: readonly OutsideCertificate[], anchors = [root], nowUnixMs = issuedAtUnixMs) {
  const bundle = parseBundle(anchors.map(({ pem }) => pem).join("\n"));
  assert.ok(bundle !== undefined);
  return verifyOutsidePath(
    chain.map(({ der }) => der),
    bundle,
    nowUnixMs,
  );
}

/** Leaf first, `depth` authorities between it and the root. */
function chainOf(depth: number): readonly OutsideCertificate[] {
  const above = [root];
  for (let i = 0; i < depth; i++) {
    const issuer = above[0] ?? root;
    above.unshift(issuer.issue({ ...authority, key: ecKey(), name: `authority ${i}` }));
  }
  return [(above[0] ?? root).issue({}), ...above.slice(0, depth)];
}

const accepted: readonly (readonly [
  string,
  () => readonly [readonly OutsideCertificate[], OutsideCertificate[]],
])[] = [
  ["directly below a root of the bundle", () => [[root.issue({})], [root]]],
  ["with an authority between", () => [chainOf(1), [root]]],
  ["with as many between as are taken", () => [chainOf(3), [root]]],
  ["with the root sent along", () => [[...chainOf(1), root], [root]]],
  ["with a host name beside its URI, as SPIRE can add", () => [[root.issue({ dnsNames: ["x"] })], [root]]],
  ["below a root that is followed by others in the bundle", () => [[root.issue({})], [outsideRoot(), root]]],
  ["with an RSA key of 2048 bits", () => [[root.issue({ key: shared })], [root]]],
  ["with a P-384 key", () => [[root.issue({ key: ecKey("P-384"), digest: "sha384" })], [root]]],
  [
    "below an authority that may vouch for its name",
    () => {
      const limited = outsideRoot({ permittedHosts: ["prod.acme.test"] });
      return [[limited.issue({})], [limited]];
    },
  ],
  [
    "below an RSA root",
    () => {
      const rsa = outsideRoot({ key: shared });
      return [[rsa.issue({})], [rsa]];
    },
  ],
];
for (const [what, make] of accepted) {
  test(`an SVID ${what} is accepted`, () => {
    const [chain, anchors] = make();
    assert.deepEqual(verify(chain, anchors).uris, [id]);
  });
}

const below = (shape: Parameters<OutsideCertificate["issue"]>[0]) => (): readonly OutsideCertificate[] => [
  root.issue(shape),
];
const under = (shape: Parameters<OutsideCertificate["issue"]>[0]): (() => readonly OutsideCertificate[]) => {
  return () => {
    const between = root.issue({ ...authority, name: "between", ...shape });
    return [between.issue({}), between];
  };
};
const strange = (shape: Parameters<typeof outsideRoot>[0]) => {
  const other = outsideRoot(shape);
  return [[other.issue({})], [other]] as const;
};

const refused: readonly (readonly [string, () => readonly OutsideCertificate[], RegExp])[] = [
  ["a chain that is too long", () => chainOf(4), /more than 4/],
  ["a leaf that signs itself", () => [outsideRoot({ ...leafShape, name: "self" })], /bundle/],
  ["a leaf of another root", () => [outsideRoot().issue({})], /bundle/],
  ["a leaf of another root with our root's name and its own root sent along", impostor, /bundle/],
  ["a chain with a gap", () => [chainOf(2)[0], chainOf(2)[2]].flatMap((each) => each ?? []), /bundle/],
  ["an RSA key of 1024 bits", below({ key: rsaKey(1024) }), /too weak/],
  ["a key on another curve", below({ key: ecKey("secp256k1") }), /unknown kind/],
  ["an RSA key of 1024 bits above it", under({ key: rsaKey(1024) }), /too weak/],
  ["a signature with SHA-1", below({ digest: "sha1" }), /algorithm/],
  ["a signature with SHA-1 above it", under({ digest: "sha1" }), /algorithm/],
  ["an end in the past", below({ notAfterUnixMs: issuedAtUnixMs - 1000 }), /expired/],
  ["a beginning in the future", below({ notBeforeUnixMs: issuedAtUnixMs + 2 * 60_000 }), /isn't valid yet/],
  ["an authority above it that has ended", under({ notAfterUnixMs: issuedAtUnixMs - 1000 }), /expired/],
  ["a purpose that is for servers alone", below({ purposes: [serverAuth] }), /clientAuth/],
  ["no purpose at all", below({ purposes: [] }), /clientAuth/],
  ["a key that isn't for signatures", below({ usage: nonRepudiation }), /isn't for signatures/],
  ["the rights of an authority", below({ isAuthority: true }), /authority's/],
  ["a key for certificates", below({ usage: 1 | 32 }), /for certificates/],
  ["a workload above it", under({ isAuthority: false }), /no authority.s/],
  ["an authority above it whose key isn't for certificates", under({ usage: 1 }), /bundle/],
  ["an authority above it that allows none between", pathTooLong, /longer than an authority/],
  ["an authority above it for other names", under({ permittedHosts: ["test.acme.test"] }), /vouch/],
  ["an authority above it for host names", under({ permittedDnsNames: ["acme.test"] }), /aren't of URIs/],
  ["a critical extension nobody knows", below({ unknownCritical: true }), /isn't known/],
];
for (const [what, make, reason] of refused) {
  test(`an SVID with ${what} is refused`, () => assert.throws(() => verify(make()), because(reason)));
}

test("a root that is too weak, or signs with SHA-1, vouches for nobody", () => {
  for (const shape of [{ key: rsaKey(1024) }, { digest: "sha1" as const }]) {
    const [chain, anchors] = strange(shape);
    assert.throws(() => verify(chain, [...anchors]), because(/too weak|algorithm/));
  }
});

test("a root of the bundle that has ended vouches for nobody", () => {
  const ended = outsideRoot({ notAfterUnixMs: issuedAtUnixMs + hour });
  const chain = [ended.issue({ notAfterUnixMs: issuedAtUnixMs + 3 * hour })];
  assert.deepEqual(verify(chain, [ended]).uris, [id]);
  assert.throws(() => verify(chain, [ended], issuedAtUnixMs + 2 * hour), because(/expired/));
});

test("a root that was renewed with its key counts, also behind the one that has ended", () => {
  const renewed = outsideRoot({ key: root.key, name: root.name });
  const ended = outsideRoot({ key: root.key, name: root.name, notAfterUnixMs: issuedAtUnixMs - 1000 });
  for (const anchors of [
    [ended, renewed],
    [renewed, ended],
  ]) {
    assert.deepEqual(verify([root.issue({})], anchors).uris, [id]);
  }
  assert.throws(() => verify([root.issue({})], [ended]), because(/expired/));
});

test("a leaf in the bundle vouches for nobody, itself included", () => {
  const leaf = root.issue({});
  assert.throws(() => verify([leaf], [leaf]), because(/bundle/));
  const signing = root.issue({ isAuthority: false, usage: 1 | 4, name: "workload that signs" });
  assert.throws(() => verify([signing.issue({})], [signing]), because(/no authority's|bundle/));
});

test("what is no certificate, or too long a one, is refused with a reason", () => {
  const bundle = parseBundle(root.pem) ?? [];
  const long = root.issue({ dnsNames: Array.from({ length: 600 }, (_, i) => `name-${i}.acme.test`) });
  for (const der of [new Uint8Array(), Buffer.from("x"), root.der.subarray(0, 100), long.der]) {
    assert.throws(() => verifyOutsidePath([der], bundle, issuedAtUnixMs), because(/can't be read/));
  }
  assert.throws(() => verifyOutsidePath([], bundle, issuedAtUnixMs), because(/no certificate/));
});

test("a bundle is certificates, and not too many", () => {
  assert.equal(parseBundle(""), undefined);
  assert.equal(parseBundle("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"), undefined);
  assert.equal(parseBundle(Array.from({ length: 65 }, () => root.pem).join("")), undefined);
  assert.equal(parseBundle(`SPIRE\n${root.pem}\n${root.pem}`)?.length, 2);
});

const leafShape = { isAuthority: false, usage: 1, purposes: undefined, uris: undefined } as object;

function impostor(): readonly OutsideCertificate[] {
  const other = outsideRoot();
  return [other.issue({}), other];
}

function pathTooLong(): readonly OutsideCertificate[] {
  const upper = root.issue({ ...authority, name: "upper", pathLength: 0 });
  const lower = upper.issue({ ...authority, name: "lower" });
  return [lower.issue({}), lower, upper];
}

function because(reason: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof Refusal);
    assert.equal(error.code, "bad_certificate");
    assert.match(String(error.facts["reason"]), reason);
    return true;
  };
}
