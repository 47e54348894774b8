/** What whoever hands over a bundle may do to it, and what its reader is told. */
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  bundleBytes,
  type ExportedLog,
  exportedLog,
  rewritten,
  rewrittenFrom,
  signedAtUnixS,
} from "../../test/support/audit-bundle.ts";
import { withBit } from "../../test/support/changed-bytes.ts";
import { newGeneration, origin } from "../../test/support/log-fixture.ts";
import { type AuditBundle, auditBundlePieces, readAuditBundle } from "./audit-bundle.ts";
import { signHead } from "./head.ts";
import { verifyBundle } from "./verify-audit-bundle.ts";
import { sha256 } from "../crypto/hash.ts";
import { leafHash, rootOf } from "../merkle/hashing.ts";
import { rangeProof } from "../merkle/range.ts";
import { subtreeFromLeaves } from "../merkle/tiles.ts";

const plain = await exportedLog(40);
const rotated = await exportedLog(40, [12, 25]);
const good = await plain.bundle(7, 29);

type Change = Partial<AuditBundle>;

function told(change: Change, log: ExportedLog = plain, bundle: AuditBundle = good) {
  const verdict = verifyBundle(bundleBytes({ ...bundle, ...change }), { fingerprint: log.fingerprint(1) });
  return verdict.kind === "broken" ? verdict.findings : [];
}

test("every range of a log verifies with the fingerprint alone, and says what it is of", async () => {
  for (const [first, end, size] of [
    [0, 40, 40],
    [0, 1, 40],
    [39, 40, 40],
    [7, 29, 40],
    [3, 17, 33],
    [16, 32, 32],
  ] as const) {
    const verdict = verifyBundle(bundleBytes(await plain.bundle(first, end, size)), {
      fingerprint: plain.fingerprint(1),
    });
    assert.equal(verdict.kind, "intact", JSON.stringify(verdict));
    if (verdict.kind !== "intact") return;
    assert.deepEqual(
      [verdict.origin, verdict.first, verdict.count, verdict.size],
      [origin, first, end - first, size],
    );
    assert.equal(verdict.headAtUnixS, signedAtUnixS);
    assert.deepEqual(verdict.signedBy, ["ed25519", "ml-dsa-65", "ml-dsa-44"]);
  }
});

test("a fingerprint may be written with colons, spaces and capitals, as people hand it over", () => {
  const pairs = plain.fingerprint(1).toUpperCase().match(/../g) ?? [];
  for (const fingerprint of [pairs.join(":"), ` ${pairs.join(" ")}\n`])
    assert.equal(verifyBundle(bundleBytes(good), { fingerprint }).kind, "intact");
});

const others = plain.entries;
const at = (index: number): number => index - good.first;
const changed = (index: number, entry: string): Change => ({ entries: good.entries.with(at(index), entry) });
const tamperings: Readonly<Record<string, readonly [Change, string, number, RegExp]>> = {
  "an entry's content is changed": [
    changed(15, others[15]?.replace("agent/a", "agent/b") ?? ""),
    "changed",
    15,
    /entry 15 was changed: its event_hash isn't that of its content/,
  ],
  "an entry is changed and hashed anew": [
    changed(15, rewritten(others[15] ?? "", { principal_id: "spiffe://example.org/agent/b" })),
    "changed",
    15,
    /entry 15 was changed and hashed anew.*entry 16 follows on another/,
  ],
  "an entry is no entry": [changed(15, "{}"), "changed", 15, /entry 15 was changed/],
  "an entry is removed": [
    { entries: good.entries.toSpliced(at(15), 1) },
    "removed",
    15,
    /removed before entry 15/,
  ],
  "two entries change places": [
    { entries: good.entries.with(at(15), others[16] ?? "").with(at(16), others[15] ?? "") },
    "reordered",
    15,
    /another order, from entry 15 on/,
  ],
  "an entry is moved to the front": [
    { entries: [others[20] ?? "", ...good.entries.toSpliced(at(20), 1)] },
    "reordered",
    7,
    /another order, from entry 7 on/,
  ],
  "an entry is there twice": [
    { entries: good.entries.toSpliced(at(20), 0, others[15] ?? "") },
    "added",
    20,
    /entry 20 was put in: it is a copy of entry 15/,
  ],
  "an entry is put in": [
    { entries: good.entries.toSpliced(at(15), 0, rewritten(others[15] ?? "", { outcome: "denied" })) },
    "added",
    15,
    /entry 15 was put in: entry 16 follows on entry 14/,
  ],
};

for (const [what, [change, kind, index, text]] of Object.entries(tamperings)) {
  test(`when ${what}, that and the entry are told first`, () => {
    const [first, ...more] = told(change);
    assert.deepEqual([first?.what, first?.index], [kind, index], JSON.stringify([first, ...more]));
    assert.match(first?.text ?? "", text);
    assert.equal(more.at(-1)?.what, "root");
    assert.ok(
      more.slice(0, -1).every(({ what: other }) => other === kind),
      JSON.stringify(more),
    );
  });
}

test("a chain written anew from an entry on is told by the signed root, however well it is chained", () => {
  const entries = rewrittenFrom(good.entries, at(15), "spiffe://example.org/agent/b");
  const findings = told({ entries });
  assert.deepEqual(
    findings.map(({ what }) => what),
    ["root"],
  );
  assert.match(
    findings[0]?.text ?? "",
    /each follows on the one before it: they were written anew from entry 7 or a later/,
  );
});

test("where crossings prove entries, a chain written anew is told to begin behind the last of them", async () => {
  const bundle = await rotated.bundle(0, 40);
  const late = rewrittenFrom(bundle.entries, 30, "spiffe://example.org/agent/b");
  const [finding] = told({ entries: late }, rotated, bundle);
  assert.deepEqual([finding?.what, finding?.index], ["root", 26]);
  const early = rewrittenFrom(bundle.entries, 20, "spiffe://example.org/agent/b");
  const [proven] = told({ entries: early }, rotated, bundle);
  assert.deepEqual([proven?.what, proven?.index], ["changed", 25]);
});

test("entries taken from either end, another place in the log, and a path of another range are told", async () => {
  for (const change of [
    { entries: good.entries.slice(1) },
    { entries: good.entries.slice(0, -1) },
    { first: good.first + 1 },
    { first: 30 },
    { path: good.path.slice(1) },
    { path: good.path.with(0, good.path[1] ?? new Uint8Array(32)) },
    { path: (await plain.bundle(8, 29)).path },
  ]) {
    const findings = told(change);
    assert.ok(
      findings.some(({ what }) => what === "root"),
      JSON.stringify(findings),
    );
  }
});

test("another log's fingerprint, none at all, and one of keys that only the bundle names are refused", async () => {
  const strangers = await exportedLog(3);
  for (const fingerprint of [strangers.fingerprint(1), "", "0".repeat(64), "0".repeat(63)]) {
    const verdict = verifyBundle(bundleBytes(good), { fingerprint });
    assert.equal(verdict.kind === "broken" ? verdict.findings[0]?.what : "", "fingerprint");
    assert.ok(!JSON.stringify(verdict).includes(plain.fingerprint(1)), "the bundle's own isn't shown");
  }
  const more = (await strangers.bundle(0, 1)).keys.replace("generation 1", "generation 2");
  assert.equal(told({ keys: good.keys + more })[0]?.what, "keys");
  assert.equal(told({ keys: "none" })[0]?.what, "keys");
});

test("a head by other keys of the same name, and one signed by half of the keys, are refused", async () => {
  const forger = newGeneration(1).signers;
  const own = plain.signers.get(1) ?? [];
  const [ed25519, mlDsa65, mlDsa44] = own;
  assert.ok(ed25519 && mlDsa65 && mlDsa44);
  for (const [by, missing] of [
    [forger, /ed25519, ml-dsa-65/],
    [[ed25519], /ml-dsa-65/],
    [[mlDsa65], /ed25519/],
    [[mlDsa44], /ed25519, ml-dsa-65/],
    [[ed25519, mlDsa44], /ml-dsa-65/],
  ] as const) {
    const [finding] = told({ checkpoint: await plain.head(40, by) });
    assert.equal(finding?.what, "signature");
    assert.match(finding?.text ?? "", missing);
  }
});

test("keys that are too weak by themselves sign nothing, even with their fingerprint given", async () => {
  for (const kinds of [["ed25519"], ["ml-dsa-44"], ["ml-dsa-65"], ["ed25519", "ml-dsa-44"]] as const) {
    const weak = newGeneration(1, kinds).signers;
    const keys = weak.map(({ vkey }) => `${vkey}\n`).join("");
    const bundle = { ...good, keys, checkpoint: await plain.head(40, weak) };
    const fingerprint = Buffer.from(await crypto.subtle.digest("SHA-256", Buffer.from(keys))).toString("hex");
    const verdict = verifyBundle(bundleBytes(bundle), { fingerprint });
    assert.equal(verdict.kind, "broken");
    if (verdict.kind !== "broken") return;
    assert.deepEqual([verdict.findings[0]?.what, verdict.findings.length], ["signature", 1]);
    assert.match(verdict.findings[0]?.text ?? "", /it needs keys of Ed25519 and ML-DSA-65, or of ML-DSA-87/);
  }
});

test("with the fingerprint of any generation a log whose keys rotated verifies, by the crossings in between", async () => {
  for (const generation of [1, 2, 3]) {
    for (const [first, end, size] of [
      [0, 40, 40],
      [20, 30, 40],
      [30, 35, 40],
      [2, 5, 40],
    ] as const) {
      const verdict = verifyBundle(bundleBytes(await rotated.bundle(first, end, size)), {
        fingerprint: rotated.fingerprint(generation),
      });
      assert.equal(verdict.kind, "intact", JSON.stringify(verdict));
      if (verdict.kind !== "intact") return;
      assert.deepEqual([verdict.generation, verdict.givenGeneration], [3, generation]);
    }
  }
});

test("keys that are in the crossings only are found by their fingerprint", async () => {
  const bundle = await rotated.bundle(20, 30);
  const keys = bundle.keys.slice(bundle.keys.indexOf("# generation 3"));
  assert.deepEqual(told({ keys }, rotated, bundle), []);
});

test("crossings that are missing, of another log, or of later heads are told, and ended keys sign nothing more", async () => {
  const bundle = await rotated.bundle(20, 30);
  const foreign = await exportedLog(40, [12, 25]);
  const without = (number: number) => new Map([...bundle.crossings].filter(([each]) => each !== number));
  const first = (change: Change) => told(change, rotated, bundle).map(({ what }) => what);
  assert.ok(first({ crossings: without(2) }).includes("missing"));
  assert.ok(first({ crossings: without(3) }).includes("signature"));
  assert.ok(first({ crossings: foreign.crossings }).includes("crossing"));
  const early = await rotated.bundle(5, 20, 24);
  assert.ok(
    told({ crossings: rotated.crossings, keys: bundle.keys }, rotated, early).some(
      ({ what }) => what === "rolled back",
    ),
  );
  const stolen = await rotated.head(40, rotated.signers.get(2));
  const [signature] = told({ checkpoint: stolen }, rotated, bundle);
  assert.match(
    signature?.text ?? "",
    /signed by generation 2 of the log's keys, which ended with the head of 26 entries/,
  );
});

test("a second history, signed by the log's own keys, is told by the crossings that are of the first", async () => {
  const entries = rewrittenFrom(rotated.entries, 20, "spiffe://example.org/agent/b");
  const leaves = entries.map((entry) => leafHash(sha256, Buffer.from(entry)));
  const head = await signHead(
    { origin, size: 40, root: rootOf(sha256, leaves) },
    rotated.signers.get(3) ?? [],
    signedAtUnixS,
  );
  for (const first of [10, 0]) {
    const path = rangeProof({ first, end: 30, size: 40 }, subtreeFromLeaves(sha256, leaves));
    const bundle = await rotated.bundle(first, 30);
    const other = { path, entries: entries.slice(first, 30), checkpoint: Buffer.from(head).toString() };
    const findings = told(other, rotated, bundle);
    assert.deepEqual([findings[0]?.what, findings[0]?.index], ["forked", 25], JSON.stringify(findings));
  }
});

test("a log that was signed with a broken chain is told as such", async () => {
  const entries = plain.entries.toSpliced(20, 1);
  const leaves = entries.map((entry) => leafHash(sha256, Buffer.from(entry)));
  const head = await signHead(
    { origin, size: 39, root: rootOf(sha256, leaves) },
    plain.signers.get(1) ?? [],
    signedAtUnixS,
  );
  const path = rangeProof({ first: 10, end: 30, size: 39 }, subtreeFromLeaves(sha256, leaves));
  const change = {
    path,
    first: 10,
    entries: entries.slice(10, 30),
    checkpoint: Buffer.from(head).toString(),
  };
  const [finding, ...more] = told(change);
  assert.deepEqual([finding?.what, more.length], ["root", 0]);
  assert.match(finding?.text ?? "", /signed with a broken chain/);
});

test("a head kept from earlier tells a log rolled back, another history, and what can't be told", async () => {
  const early = bundleBytes(await plain.bundle(0, 20, 20));
  const late = bundleBytes(await plain.bundle(0, 40));
  const middle = bundleBytes(await plain.bundle(30, 40));
  const judged = async (bytes: Uint8Array, seen: Uint8Array) => {
    const verdict = verifyBundle(bytes, { fingerprint: plain.fingerprint(1), seen });
    return verdict.kind === "intact" ? verdict.keptHead : verdict.findings.map(({ what }) => what).join();
  };
  const head = async (size: number) => Buffer.from(await plain.head(size));
  assert.equal(await judged(early, await head(20)), "begins with it");
  assert.equal(await judged(late, await head(20)), "begins with it");
  assert.equal(await judged(middle, await head(20)), "untold");
  assert.equal(await judged(early, await head(40)), "rolled back");
  assert.equal(await judged(late, Buffer.from("nothing")), "signature");
  const other = await exportedLog(40, [], (i) => ({
    ...plainDraft(i),
    principal: "spiffe://example.org/agent/b",
  }));
  const forked = Buffer.from(await other.head(20, plain.signers.get(1)));
  assert.equal(await judged(late, forked), "forked");
  const [leaf = assert.fail()] = plain.entries.map((entry) => leafHash(sha256, Buffer.from(entry)));
  const noEmptyTree = await signHead({ origin, size: 0, root: leaf }, plain.signers.get(1) ?? [], 1);
  for (const bundle of [early, late, middle]) {
    assert.equal(await judged(bundle, await head(0)), "begins with it");
    assert.equal(await judged(bundle, noEmptyTree), "forked");
  }
});

test("a file cut anywhere, and one with any byte changed, is no intact bundle", () => {
  const bytes = bundleBytes(good);
  const fingerprint = plain.fingerprint(1);
  for (const length of [0, 1, 100, bytes.length >> 1, bytes.length - 2, bytes.length - 1]) {
    const verdict = verifyBundle(bytes.subarray(0, length), { fingerprint });
    assert.equal(verdict.kind === "broken" ? verdict.findings[0]?.what : "", "format", String(length));
  }
  assert.match(JSON.stringify(verifyBundle(bytes.subarray(0, 5000), { fingerprint })), /its end is missing/);
  for (let bit = 3; bit < bytes.length * 8; bit += 8 * 211 + 1)
    assert.equal(verifyBundle(withBit(bytes, bit), { fingerprint }).kind, "broken", String(bit));
});

test("a document that has more, less or other than a bundle is refused with what it is", () => {
  const text = [...auditBundlePieces(good)].join("");
  const wrong: readonly (readonly [string, RegExp])[] = [
    [text.replace("@v1", "@v2"), /its format isn't dev\.latticegate\/audit-bundle@v1/],
    [text.replace('"first":7,', '"first":7,\n"fingerprint":"00",'), /the member "fingerprint"/],
    [
      text.replace('"first":7,', '"first":3,\n"first":7,'),
      /from character \d+ on it isn't written as a bundle/,
    ],
    [text.replace('"first":7,\n', ""), /first is missing/],
    [text.replace('"first":7', '"first":7.5'), /first is no index/],
    [text.replace('"first":7', '"first":-1'), /first is no index/],
    [text.replace('"crossings":{}', '"crossings":{"1":""}'), /crossings aren't texts/],
    [text.replace('"crossings":{}', '"crossings":{"2000":""}'), /crossings aren't texts/],
    [text.replace(/"path":\[[^\]]*\]/, '"path":["AA=="]'), /path isn't up to 106 hashes/],
    [text.replace(/"entries":\[[^]*?\n\]/, '"entries":[]'), /entries aren't 1 to 200000/],
    [text.replace(/"entries":\[[^]*?\n\]/, '"entries":[3]'), /number 0 of its entries is no text/],
    [text.replace(/"entries":\[[^]*?\n\]/, '"entries":["\\ud800"]'), /number 0 of its entries is no text/],
    [`${text} `, /isn't written as a bundle/],
    [`\ufeff${text}`, /no JSON document/],
    ["[]", /no JSON document/],
    ["null", /no JSON document/],
  ];
  for (const [document, why] of wrong) {
    assert.notEqual(document, text);
    const reading = readAuditBundle(Buffer.from(document));
    assert.match(reading.kind === "bad" ? reading.why : "", why);
  }
  assert.match(JSON.stringify(readAuditBundle(Uint8Array.of(0x7b, 0xff))), /UTF-8/);
});

function plainDraft(i: number) {
  return {
    event: "call.decision" as const,
    atUnixMs: 1_790_000_000_000 + i,
    callId: `call-${i}`,
    principal: "spiffe://example.org/agent/a",
    tool: "files/read_file",
    outcome: "allowed" as const,
    facts: { rule: "readers", number: String(i) },
  };
}
