import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { sha256 } from "../crypto/hash.ts";
import { type NoteKeyKind, noteSigner, noteVerifier } from "../crypto/note-keys.ts";
import { growTree } from "../merkle/growing-tree.ts";
import { newSigningKey } from "../../test/support/keys.ts";
import { leafHash } from "../merkle/hashing.ts";
import { bundlePath, tilePath, tileWidth } from "../merkle/tiles.ts";
import type { EntryDraft } from "../model/entry.ts";
import { framedBytes, splitBundle } from "./bundle.ts";
import { differences, reconcile } from "./differences.ts";
import { sealEntry } from "./entry.ts";
import { signHead } from "./head.ts";
import { type Finding, type Verdict, verifyLog } from "./verify.ts";

const origin = "log.example/a";
const kinds = ["ed25519", "ml-dsa-65", "ml-dsa-44"] as const satisfies readonly NoteKeyKind[];
const newKey = () => kinds.map((kind) => noteSigner(kind, origin, newSigningKey(kind)));
const signers = newKey();
const logKey = [{ number: 1, keys: signers.map(({ vkey }) => noteVerifier(vkey)) }];

type Files = Map<string, Uint8Array>;

function draft(i: number): EntryDraft {
  return {
    event: "call.decision",
    atUnixMs: 1_790_000_000_000 + i,
    callId: `call-${i}`,
    principal: "spiffe://example.org/agent/a",
    tool: "files/read_file",
    outcome: "allowed",
    facts: { rule: "readers" },
  };
}

function entriesOf(count: number, from: (i: number) => EntryDraft = draft): readonly Uint8Array[] {
  let previous: string | null = null;
  return Array.from({ length: count }, (_, i) => {
    const sealed = sealEntry(from(i), previous);
    previous = sealed.eventHash;
    return sealed.bytes;
  });
}

function treeOf(entries: readonly Uint8Array[]) {
  const tree = growTree(sha256);
  for (const entry of entries) tree.append(leafHash(sha256, entry));
  return tree;
}

async function headOf(entries: readonly Uint8Array[], by = signers): Promise<Uint8Array> {
  return signHead({ origin, size: entries.length, root: treeOf(entries).root() }, by, 1_790_000_000);
}

/** A log as the format describes it, with a head over the first `size` entries. */
async function logOf(entries: readonly Uint8Array[], size = entries.length, by = signers): Promise<Files> {
  const files: Files = new Map();
  const tree = treeOf(entries.slice(0, size));
  for (const tile of [...tree.takeFullTiles(), ...tree.partialTiles()]) files.set(tilePath(tile), tile.bytes);
  for (let index = 0; index * tileWidth <= entries.length; index++) {
    const part = entries.slice(index * tileWidth, (index + 1) * tileWidth);
    files.set(part.length === tileWidth ? bundlePath(index) : `open/${index}`, framedBytes(part));
    const width = size - index * tileWidth;
    if (width > 0 && width < tileWidth)
      files.set(bundlePath(index, width), framedBytes(part.slice(0, width)));
  }
  files.set("checkpoint", await headOf(entries.slice(0, size), by));
  return files;
}

function verify(files: Files, seen?: Uint8Array): Promise<Verdict> {
  return verifyLog({
    files: (path) => Promise.resolve(files.get(path)),
    logKey,
    ...(seen !== undefined && { seen }),
  });
}

function findingsOf(verdict: Verdict): readonly Finding[] {
  assert.equal(verdict.kind, "broken");
  return verdict.kind === "broken" ? verdict.findings : [];
}

/** The log with one bundle's entries replaced, wherever they stand. */
function withEntries(
  files: Files,
  index: number,
  change: (entries: Uint8Array[]) => readonly Uint8Array[],
): Files {
  const copy = new Map(files);
  for (const [path, bytes] of files) {
    const isBundle = path === bundlePath(index) || path === `open/${index}`;
    if (isBundle || path.startsWith(`${bundlePath(index)}.p/`)) {
      copy.set(path, framedBytes(change([...splitBundle(bytes).entries])));
    }
  }
  return copy;
}

function bend(bytes: Uint8Array, at = bytes.length >> 1): Uint8Array {
  const bent = Uint8Array.from(bytes);
  bent[at]! ^= 1;
  return bent;
}

function swap<Row>(rows: readonly Row[], a: number, b: number): Row[] {
  return rows.with(a, rows[b]!).with(b, rows[a]!);
}

const entries = entriesOf(700);
const whole = await logOf(entries);

for (const [size, covered] of [
  [0, 0],
  [1, 1],
  [255, 255],
  [256, 256],
  [257, 257],
  [513, 512],
  [700, 700],
  [700, 690],
  [700, 512],
  [700, 100],
  [3, 0],
] as const) {
  test(`a log of ${size} entries with a head over ${covered} is intact, and says so`, async () => {
    const verdict = await verify(await logOf(entries.slice(0, size), covered));
    assert.equal(verdict.kind, "intact", JSON.stringify(verdict));
    if (verdict.kind !== "intact") return;
    assert.equal(verdict.size, covered);
    assert.equal(verdict.uncovered, size - covered);
    assert.equal(verdict.headAtUnixS, 1_790_000_000);
    assert.deepEqual(verdict.signedBy, kinds);
  });
}

test("a copy without open/, as a mirror of the tiles has it, is intact", async () => {
  const mirror = new Map([...whole].filter(([path]) => !path.startsWith("open/")));
  const verdict = await verify(mirror);
  assert.equal(verdict.kind, "intact");
});

test("full tiles stand in for partial ones that were cleared away", async () => {
  const files = await logOf(entries, 100);
  for (const [path, bytes] of await logOf(entries, 512))
    if (path.startsWith("tile/0/")) files.set(path, bytes);
  files.delete("tile/0/000.p/100");
  assert.equal((await verify(files)).kind, "intact");
});

test("one changed byte in any entry is named by that entry's index", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 699 }), fc.nat(), async (index, at) => {
      const bundle = Math.floor(index / tileWidth);
      const tampered = withEntries(whole, bundle, (rows) => {
        const row = rows[index % tileWidth]!;
        return rows.with(index % tileWidth, bend(row, at % row.length));
      });
      const [first, ...rest] = findingsOf(await verify(tampered));
      assert.deepEqual([first?.what, first?.index, rest], ["changed", index, []]);
    }),
    { numRuns: 20 },
  );
});

test("an entry rewritten with its event_hash made to fit is still named", async () => {
  const forged = sealEntry({ ...draft(300), outcome: "denied" }, null).bytes;
  const findings = findingsOf(await verify(withEntries(whole, 1, (rows) => rows.with(44, forged))));
  assert.deepEqual(
    findings.map(({ what, index }) => [what, index]),
    [["changed", 300]],
  );
});

for (const index of [0, 5, 255, 256, 300, 511, 512, 650, 698]) {
  test(`removed entry ${index} is named, and nothing else`, async () => {
    const tampered = withEntries(whole, Math.floor(index / tileWidth), (rows) =>
      rows.toSpliced(index % tileWidth, 1),
    );
    const findings = findingsOf(await verify(tampered));
    assert.deepEqual(
      findings.map(({ what, index }) => [what, index]),
      [["removed", index]],
    );
  });
}

test("an entry removed with all later ones moved up is named once", async () => {
  const moved = await logOf(entries.toSpliced(100, 1));
  const tampered = new Map(
    [...whole].filter(([path]) => !path.includes("entries") && !path.startsWith("open")),
  );
  for (const [path, bytes] of moved)
    if (!path.startsWith("tile/0") && !path.startsWith("tile/1")) tampered.set(path, bytes);
  tampered.set("checkpoint", whole.get("checkpoint")!);
  tampered.set(bundlePath(2, 188), whole.get(bundlePath(2, 188))!);
  const findings = findingsOf(await verify(tampered));
  assert.deepEqual([findings[0]?.what, findings[0]?.index], ["removed", 100]);
});

test("two swapped entries are named, in one bundle and across bundles", async () => {
  const near = findingsOf(await verify(withEntries(whole, 1, (rows) => swap(rows, 10, 11))));
  assert.deepEqual(
    near.map(({ what, index }) => [what, index]),
    [["reordered", 266]],
  );
  const apart = findingsOf(await verify(withEntries(whole, 1, (rows) => swap(rows, 10, 200))));
  assert.deepEqual(
    apart.map(({ what, index }) => [what, index]),
    [
      ["reordered", 266],
      ["reordered", 456],
    ],
  );
  const [a, b] = [entries[10]!, entries[300]!];
  const across = withEntries(
    withEntries(whole, 0, (rows) => rows.with(10, b)),
    1,
    (rows) => rows.with(44, a),
  );
  const findings = findingsOf(await verify(across));
  assert.deepEqual(
    findings.map(({ what, index }) => [what, index]),
    [
      ["reordered", 10],
      ["reordered", 300],
    ],
  );
});

test("an inserted entry is named", async () => {
  const extra = sealEntry(draft(9999), null).bytes;
  const findings = findingsOf(await verify(withEntries(whole, 0, (rows) => rows.toSpliced(30, 0, extra))));
  assert.deepEqual(
    findings.map(({ what, index }) => [what, index]),
    [["added", 30]],
  );
});

test("an entry inserted into the bundle in which the head ends is named, and those pushed behind it aren't missed", async () => {
  const extra = sealEntry(draft(9999), null).bytes;
  const files = await logOf(entries, 600);
  const open = [...splitBundle(files.get("open/2")!).entries].toSpliced(30, 0, extra);
  const findings = findingsOf(await verify(files.set("open/2", framedBytes(open))));
  assert.deepEqual([findings[0]?.what, findings[0]?.index], ["added", 542]);
  assert.ok(!findings.some(({ what }) => what === "removed" || what === "cut"));
});

test("a log cut below its newest head is named with the place of the cut", async () => {
  const inBundle = withEntries(whole, 2, (rows) => rows.slice(0, 40));
  assert.deepEqual(
    findingsOf(await verify(inBundle)).map(({ what, index }) => [what, index]),
    [["cut", 552]],
  );
  const byBundles = new Map([...whole].filter(([path]) => !/entries\/00[12]|open/.test(path)));
  assert.deepEqual(
    findingsOf(await verify(byBundles)).map(({ what, index }) => [what, index]),
    [["cut", 256]],
  );
  const inRecord = new Map(whole);
  const open = whole.get("open/2")!;
  for (const path of ["open/2", bundlePath(2, 188)]) inRecord.set(path, open.subarray(0, open.length - 9));
  assert.deepEqual(
    findingsOf(await verify(inRecord)).map(({ what, index }) => [what, index]),
    [["cut", 699]],
  );
});

test("the open bundle cut below the head is seen though the partial bundle is whole", async () => {
  const tampered = new Map(whole);
  tampered.set("open/2", framedBytes(entries.slice(512, 600)));
  const findings = findingsOf(await verify(tampered));
  assert.deepEqual([findings[0]?.what, findings[0]?.index], ["cut", 600]);
});

test("a changed checkpoint is named, whichever byte of its text or signatures it is", async () => {
  const checkpoint = whole.get("checkpoint")!;
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: checkpoint.length - 2 }), async (at) => {
      const verdict = await verify(new Map(whole).set("checkpoint", bend(checkpoint, at)));
      // What no longer names a key of the log is a line by an unknown key, which says nothing (signed-note);
      // only the two required signatures can't be lost that way.
      const is44 = at > Buffer.from(checkpoint).lastIndexOf("— ");
      if (!is44) assert.ok(findingsOf(verdict).some(({ what }) => what === "signature"));
    }),
    { numRuns: 60 },
  );
});

test("a head for other entries under the right key's old signatures is named", async () => {
  const other = await headOf(entries.slice(0, 690), newKey());
  const findings = findingsOf(await verify(new Map(whole).set("checkpoint", other)));
  assert.equal(findings[0]?.what, "signature");
});

test("a log signed by another key is not trusted, though it is whole in itself", async () => {
  const findings = findingsOf(await verify(await logOf(entries, 700, newKey())));
  assert.deepEqual(
    findings.map(({ what }) => what),
    ["signature"],
  );
});

test("a missing checkpoint is named", async () => {
  const files = new Map(whole);
  files.delete("checkpoint");
  assert.deepEqual(
    findingsOf(await verify(files)).map(({ what, path }) => [what, path]),
    [["missing", "checkpoint"]],
  );
});

test("a changed tile is named, not the entries that it is about", async () => {
  for (const path of ["tile/0/001", "tile/0/002.p/188", "tile/1/000.p/2"]) {
    const findings = findingsOf(await verify(new Map(whole).set(path, bend(whole.get(path)!))));
    assert.deepEqual(
      findings.map((finding) => [finding.what, finding.path]),
      [["changed", path]],
    );
  }
});

test("partial files of earlier heads that are still there are the beginning of this head's", async () => {
  const files = new Map(whole);
  for (const size of [513, 650, 699]) {
    for (const [path, bytes] of await logOf(entries.slice(0, size)))
      if (path.includes(".p/")) files.set(path, bytes);
  }
  assert.equal((await verify(files)).kind, "intact");
  const older = [...files.keys()].filter((path) => path.includes(".p/") && !whole.has(path));
  assert.equal(older.length, 6);
  for (const path of [...older, "tile/1/000.p/1"]) {
    const bytes = files.get(path) ?? whole.get("tile/1/000.p/2")!.subarray(0, 32);
    for (const wrong of [bend(bytes), bytes.subarray(0, -1), Buffer.concat([bytes, Buffer.of(7)])]) {
      const findings = findingsOf(await verify(new Map(files).set(path, wrong)));
      assert.deepEqual(
        findings.map((finding) => [finding.what, finding.path]),
        [["changed", path]],
      );
    }
  }
});

/** Bytes behind the end of files, in logs with and without `open/`. */
const surpluses: readonly (readonly [string, number, Uint8Array])[] = [
  ["tile/0/000", 700, Buffer.of(7)],
  ["tile/0/000", 700, Buffer.alloc(32, 7)],
  ["tile/0/002.p/188", 700, Buffer.alloc(32, 7)],
  ["tile/0/000.p/3", 3, Buffer.alloc(32, 7)],
  ["tile/1/000.p/2", 700, Buffer.of(7)],
  ["tile/entries/000", 700, Buffer.of(0)],
  ["tile/entries/000", 700, Buffer.of(1, 2)],
  ["tile/entries/001", 512, Buffer.of(7)],
  ["tile/entries/002.p/188", 700, Buffer.of(7)],
  ["tile/entries/002.p/188", 700, framedBytes([entries[0]!])],
];
for (const [path, size, more] of surpluses) {
  test(`${more.length} bytes behind the end of ${path} are a change of this file`, async () => {
    const log = await logOf(entries.slice(0, size));
    const mirror = new Map([...log].filter(([each]) => !each.startsWith("open/")));
    for (const files of [log, mirror]) {
      const findings = findingsOf(await verify(files.set(path, Buffer.concat([files.get(path)!, more]))));
      assert.deepEqual(
        findings.map((finding) => [finding.what, finding.path]),
        [["changed", path]],
      );
      assert.match(findings[0]!.text, /has more bytes than \d+ (hashes|entries)/);
    }
  });
}

test("bytes behind files that stand in for the head's partial ones, or lie behind the head, are told too", async () => {
  const [files, later] = [await logOf(entries, 100), await logOf(entries, 700)];
  for (const [path, bytes] of later)
    if (path.startsWith("tile/0/0") && !path.includes(".p")) files.set(path, bytes);
  for (const path of ["tile/0/000.p/100", "tile/entries/000.p/100"]) files.delete(path);
  assert.equal((await verify(files)).kind, "intact");
  for (const path of ["tile/0/000", "tile/entries/000", "tile/entries/001"]) {
    const longer = new Map(files).set(path, Buffer.concat([files.get(path)!, Buffer.of(7)]));
    assert.deepEqual(
      findingsOf(await verify(longer)).map((finding) => [finding.what, finding.path]),
      [["changed", path]],
    );
  }
  const wider = await logOf(entries.slice(0, 250), 100);
  for (const path of wider.keys()) if (path.includes(".p/") || path.startsWith("open/")) wider.delete(path);
  for (const [path, bytes] of await logOf(entries.slice(0, 250)))
    if (path.includes(".p/")) wider.set(path, bytes);
  assert.equal((await verify(wider)).kind, "intact");
  for (const path of ["tile/0/000.p/250", "tile/entries/000.p/250"]) {
    const longer = new Map(wider).set(path, Buffer.concat([wider.get(path)!, Buffer.of(7)]));
    assert.deepEqual(
      findingsOf(await verify(longer)).map((finding) => [finding.what, finding.path]),
      [["changed", path]],
    );
  }
});

test("the head's partial bundle is read though a full one stands beside it", async () => {
  const files = (await logOf(entries)).set("checkpoint", await headOf(entries.slice(0, 100)));
  for (const [path, bytes] of await logOf(entries.slice(0, 100)))
    if (path.includes(".p/")) files.set(path, bytes);
  assert.equal((await verify(files)).kind, "intact");
  const path = "tile/entries/000.p/100";
  assert.equal((await verify(new Map(files).set(path, bend(files.get(path)!)))).kind, "broken");
});

test("an open bundle with more entries than a bundle has is told", async () => {
  const files = await logOf(entries.slice(0, 250), 100);
  files.set("open/0", framedBytes(entries.slice(0, 257)));
  assert.deepEqual(
    findingsOf(await verify(files)).map((finding) => [finding.what, finding.path]),
    [["changed", "open/0"]],
  );
});

test("every file that a log needs is missed when it is gone", async () => {
  for (const path of whole.keys()) {
    if (path.startsWith("open/") || path.includes(".p/")) continue;
    const files = new Map(whole);
    files.delete(path);
    const findings = findingsOf(await verify(files));
    assert.ok(
      findings.some((finding) => finding.path === path || finding.what === "removed"),
      path,
    );
  }
});

test("a partial file that isn't there isn't missed, but one that is there has to be right", async () => {
  for (const path of [...whole.keys()].filter((each) => each.includes(".p/"))) {
    const files = new Map(whole);
    files.delete(path);
    assert.equal((await verify(files)).kind, "intact", path);
    const bytes = whole.get(path)!;
    for (const wrong of [bend(bytes), bytes.subarray(0, bytes.length - 5)]) {
      assert.equal((await verify(new Map(whole).set(path, wrong))).kind, "broken", path);
    }
  }
});

test("without all partial files a change of any entry is still told", async () => {
  const bare = new Map([...whole].filter(([path]) => !path.includes(".p/")));
  assert.equal((await verify(bare)).kind, "intact");
  for (const index of [0, 300, 600, 699]) {
    const bundle = Math.floor(index / tileWidth);
    const bent = withEntries(bare, bundle, (rows) =>
      rows.with(index % tileWidth, bend(rows[index % tileWidth]!)),
    );
    assert.equal((await verify(bent)).kind, "broken", `entry ${index}`);
  }
});

test("a wider partial stands in for the head's, as a copy of a growing log has it", async () => {
  const files = await logOf(entries.slice(0, 650), 600);
  const later = await logOf(entries.slice(0, 650), 650);
  for (const path of files.keys()) if (path.includes(".p/") || path.startsWith("open/")) files.delete(path);
  for (const [path, bytes] of later) if (path.includes(".p/")) files.set(path, bytes);
  const verdict = await verify(files);
  assert.equal(verdict.kind === "intact" && verdict.size, 600, JSON.stringify(verdict));
});

test("entry and tile changed together don't add up to the signed root", async () => {
  const forged = sealEntry({ ...draft(300), outcome: "denied" }, null).bytes;
  const files = withEntries(whole, 1, (rows) => rows.with(44, forged));
  const tile = Uint8Array.from(whole.get("tile/0/001")!);
  tile.set(leafHash(sha256, forged), 44 * 32);
  const findings = findingsOf(await verify(files.set("tile/0/001", tile)));
  assert.ok(findings.some(({ what }) => what === "root"));
  assert.ok(findings.some(({ path }) => path === "tile/1/000.p/2"));
  assert.ok(findings.some(({ index }) => index === 300 || index === 301));
});

test("a history rewritten from one entry on, tiles and all, doesn't add up to the signed root", async () => {
  const other = entriesOf(700, (i) => (i === 300 ? { ...draft(i), outcome: "denied" } : draft(i)));
  const files = (await logOf(other)).set("checkpoint", whole.get("checkpoint")!);
  assert.deepEqual(
    findingsOf(await verify(files)).map(({ what }) => what),
    ["root"],
  );
});

test("a log whose head went back behind one that was seen is rolled back", async () => {
  const findings = findingsOf(await verify(await logOf(entries.slice(0, 300)), await headOf(entries)));
  assert.deepEqual(
    findings.map(({ what }) => what),
    ["rolled back"],
  );
});

test("a log with another history than the one that was seen is forked, though its key signed both", async () => {
  const other = entriesOf(700, (i) => (i === 10 ? { ...draft(i), outcome: "denied" } : draft(i)));
  const findings = findingsOf(await verify(await logOf(other), await headOf(entries.slice(0, 400))));
  assert.deepEqual(
    findings.map(({ what }) => what),
    ["forked"],
  );
});

test("a kept head of no entries has the empty tree's root, or it is of another log", async () => {
  const root = treeOf(entries.slice(0, 1)).root();
  const wrong = await signHead({ origin, size: 0, root }, signers, 1_790_000_000);
  for (const size of [0, 1, 700]) {
    const findings = findingsOf(await verify(await logOf(entries.slice(0, size)), wrong));
    assert.deepEqual(
      findings.map(({ what }) => what),
      ["forked"],
    );
  }
});

test("a log that grew out of what was seen is intact", async () => {
  for (const size of [0, 1, 255, 256, 400, 700]) {
    assert.equal(
      (await verify(whole, await headOf(entries.slice(0, size)))).kind,
      "intact",
      `seen at ${size}`,
    );
  }
});

test("a head that was kept but isn't signed by the log key is of no use, and said to be", async () => {
  const findings = findingsOf(await verify(whole, await headOf(entries, newKey())));
  assert.deepEqual(
    findings.map(({ what, path }) => [what, path]),
    [["signature", "seen"]],
  );
});

test("entries behind the head are chain-checked: changed, removed and reordered ones are named", async () => {
  const files = await logOf(entries, 600);
  const openOnly = (change: (rows: Uint8Array[]) => readonly Uint8Array[]): Files =>
    new Map(files).set("open/2", framedBytes(change([...splitBundle(files.get("open/2")!).entries])));
  const told = async (change: (rows: Uint8Array[]) => readonly Uint8Array[]) =>
    findingsOf(await verify(openOnly(change))).map(({ what, index }) => [what, index]);
  assert.deepEqual(await told((rows) => rows.with(100, bend(rows[100]!))), [["changed", 612]]);
  assert.deepEqual(await told((rows) => rows.toSpliced(100, 1)), [["removed", 612]]);
  assert.deepEqual(await told((rows) => swap(rows, 100, 101)), [["reordered", 612]]);
});

test("a torn write behind the head is reported, and the log is intact", async () => {
  const files = await logOf(entries, 600);
  const open = files.get("open/2")!;
  const verdict = await verify(files.set("open/2", open.subarray(0, open.length - 5)));
  assert.deepEqual(verdict.kind === "intact" && [verdict.uncovered, verdict.tornBytes > 0], [99, true]);
});

test("a log that grows into the next bundle while it is verified is intact", async () => {
  const [before, after] = [await logOf(entries.slice(0, 400), 300), await logOf(entries, 300)];
  let now = before;
  const files = (path: string) => {
    const bytes = now.get(path);
    if (path === "open/1") now = after;
    return Promise.resolve(bytes);
  };
  const verdict = await verifyLog({ files, logKey });
  assert.equal(verdict.kind === "intact" && verdict.uncovered, 100);
  assert.equal(now, after);
});

test("garbage in any file is a finding, never an exception", async () => {
  const paths = [...whole.keys()];
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...paths), fc.uint8Array({ maxLength: 600 }), async (path, bytes) => {
      if (path === "open/2" && bytes.length === 0) return;
      assert.equal((await verify(new Map(whole).set(path, bytes))).kind, "broken", path);
    }),
    { numRuns: 60 },
  );
});

test("differences between runs tell what was done", () => {
  const told = (signed: string, found: string) =>
    differences(signed.split(""), found.split("")).map(({ what, at }) => `${what} ${at}`);
  assert.deepEqual(told("abcdef", "abcdef"), []);
  assert.deepEqual(told("abcdef", "abXdef"), ["changed 2"]);
  assert.deepEqual(told("abcdef", "abdef"), ["removed 2"]);
  assert.deepEqual(told("abcdef", "abcXdef"), ["added 3"]);
  assert.deepEqual(told("abcdef", "abdcef"), ["reordered 2", "reordered 3"]);
  assert.deepEqual(told("abcdef", "abc"), ["removed 3", "removed 4", "removed 5"]);
  assert.deepEqual(told("", "x"), ["added 0"]);
});

test("what a removal pushed into the next run is no difference", () => {
  const row = (what: "added" | "removed", hash: string) => ({
    what,
    signed: what === "removed" ? hash : undefined,
    found: what === "added" ? hash : undefined,
  });
  assert.deepEqual(reconcile([row("removed", "x"), row("added", "a"), row("removed", "a")]), [
    row("removed", "x"),
  ]);
});
