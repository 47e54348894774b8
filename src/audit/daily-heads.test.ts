/** The heads that a log keeps of each day, as `verifyLog` reads them. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { newSigningKey } from "../../test/support/keys.ts";
import { cause } from "../../test/support/log-fixture.ts";
import { sha256 } from "../crypto/hash.ts";
import { type NoteKeyKind, noteSigner, noteVerifier } from "../crypto/note-keys.ts";
import { growTree } from "../merkle/growing-tree.ts";
import { leafHash } from "../merkle/hashing.ts";
import { bundlePath, tilePath, tileWidth } from "../merkle/tiles.ts";
import type { EntryDraft } from "../model/entry.ts";
import { framedBytes } from "./bundle.ts";
import { sealEntry } from "./entry.ts";
import { signHead } from "./head.ts";
import { pruneDraft } from "./prune.ts";
import { verifyLog } from "./verify.ts";

const origin = "log.example/a";
const dayMs = 86_400_000;
const begin = Date.UTC(2026, 10, 21, 12);
const newKey = (...kinds: readonly NoteKeyKind[]) =>
  kinds.map((kind) => noteSigner(kind, origin, newSigningKey(kind)));
const signers = newKey("ed25519", "ml-dsa-65", "ml-dsa-44");
const [daily = assert.fail()] = newKey("slh-dsa-sha2-128s");
const logKey = [{ number: 1, keys: [...signers, daily].map(({ vkey }) => noteVerifier(vkey)) }];

function draftAt(i: number, atUnixMs: number): EntryDraft {
  const core = { event: "call.decision", callId: `call-${i}`, principal: "spiffe://example.org/a" } as const;
  return { ...core, atUnixMs, tool: "files/read_file", outcome: "allowed", facts: { rule: "readers" } };
}

/** One entry every ten minutes, from noon on: 72 on the first day, 144 on each later one. */
const spacingMs = 600_000;
const timeOf = (index: number): number => begin + index * spacingMs;
const dateOf = (atUnixMs: number): string => new Date(atUnixMs).toISOString().slice(0, 10);

function entriesOf(count: number, draftOf = (i: number) => draftAt(i, timeOf(i))): readonly Uint8Array[] {
  let previous: string | null = null;
  return Array.from({ length: count }, (_, i) => {
    const sealed = sealEntry(draftOf(i), previous);
    previous = sealed.eventHash;
    return sealed.bytes;
  });
}

const entries = entriesOf(700);

function headOf(size: number, atUnixMs: number, by = signers, of = entries): Promise<Uint8Array> {
  const tree = growTree(sha256);
  for (const entry of of.slice(0, size)) tree.append(leafHash(sha256, entry));
  return signHead({ origin, size, root: tree.root() }, by, Math.floor(atUnixMs / 1000));
}

type Files = Map<string, Uint8Array>;

async function logOf(of: readonly Uint8Array[], size = of.length): Promise<Files> {
  const files: Files = new Map();
  const tree = growTree(sha256);
  for (const entry of of.slice(0, size)) tree.append(leafHash(sha256, entry));
  for (const tile of [...tree.takeFullTiles(), ...tree.partialTiles()]) files.set(tilePath(tile), tile.bytes);
  for (let index = 0; index * tileWidth <= of.length; index++) {
    const part = of.slice(index * tileWidth, (index + 1) * tileWidth);
    files.set(part.length === tileWidth ? bundlePath(index) : `open/${index}`, framedBytes(part));
    const width = size - index * tileWidth;
    if (width > 0 && width < tileWidth)
      files.set(bundlePath(index, width), framedBytes(part.slice(0, width)));
  }
  const at = timeOf(Math.max(0, size - 1));
  files.set("checkpoint", await headOf(size, at, signers, of));
  return files;
}

/** A day's two heads, as the format has them, over entries of that day. */
async function withDay(files: Files, first: number, last: number): Promise<Files> {
  const path = `checkpoints/${dateOf(timeOf(first - 1))}`;
  files.set(`${path}.first`, await headOf(first, timeOf(first - 1), [...signers, daily]));
  return files.set(path, await headOf(last, timeOf(last - 1)));
}

/** Five days of heads. */
const whole = await logOf(entries);
for (const [first, last] of [
  [1, 72],
  [73, 216],
  [217, 360],
  [361, 504],
  [505, 648],
] as const) {
  await withDay(whole, first, last);
}

async function told(files: Files): Promise<readonly (readonly [string, string | undefined])[]> {
  const verdict = await verifyLog({ files: (path) => Promise.resolve(files.get(path)), logKey });
  return verdict.kind === "intact" ? [] : verdict.findings.map(({ what, path }) => [what, path]);
}

const kept = [...whole.keys()].filter((path) => path.startsWith("checkpoints/"));

test("a log with its days' heads is intact, also without them, and without some", async () => {
  assert.equal(kept.length, 10);
  assert.deepEqual(await told(whole), []);
  const asked = new Set<string>();
  const files = (path: string) => Promise.resolve((asked.add(path), whole.get(path)));
  assert.equal((await verifyLog({ files, logKey })).kind, "intact");
  for (const path of kept) {
    assert.ok(asked.has(path), path);
    const without = new Map(whole);
    without.delete(path);
    assert.deepEqual(await told(without), []);
  }
});

test("any changed byte of a kept head's text or signatures is told, with its path", async () => {
  for (const path of kept) {
    const text = Buffer.from(whole.get(path)!).toString();
    const lines = text.split("\n");
    for (const [at, line] of lines.entries()) {
      if (line === "") continue;
      const digit = line.length - 12;
      const bent = `${line.slice(0, digit)}${line[digit] === "A" ? "B" : "A"}${line.slice(digit + 1)}`;
      const changed = at === 1 ? `${line.slice(0, -1)}${line.endsWith("5") ? "4" : "5"}` : bent;
      const files = new Map(whole).set(path, Buffer.from(lines.with(at, changed).join("\n")));
      assert.deepEqual(await told(files), [["signature", path]], `${path}, line ${at}`);
    }
    for (const bytes of [new Uint8Array(), Buffer.from("nothing"), whole.get(path)!.subarray(0, -1)]) {
      assert.deepEqual(await told(new Map(whole).set(path, bytes)), [["signature", path]]);
    }
  }
});

test("a day's first head without its SLH-DSA signature is told, a day's newest doesn't need one", async () => {
  const [path = ""] = kept.filter((each) => each.endsWith(".first"));
  const bare = await headOf(1, begin);
  assert.deepEqual(await told(new Map(whole).set(path, bare)), [["signature", path]]);
  assert.deepEqual(await told(new Map(whole).set(path.replace(".first", ""), bare)), []);
  const others = await headOf(1, begin, [...signers, ...newKey("slh-dsa-sha2-128s")]);
  assert.deepEqual(await told(new Map(whole).set(path, others)), [["signature", path]]);
});

test("a log whose keys have no SLH-DSA key needs no such signature", async () => {
  const bare = [{ number: 1, keys: signers.map(({ vkey }) => noteVerifier(vkey)) }];
  const files = await logOf(entries);
  files.set("checkpoints/2026-11-21.first", await headOf(1, begin));
  const verdict = await verifyLog({ files: (path) => Promise.resolve(files.get(path)), logKey: bare });
  assert.equal(verdict.kind, "intact", JSON.stringify(verdict));
});

test("a kept head of another history is told, whatever its size, and so is one of other keys", async () => {
  const others = entriesOf(700, (i) => ({
    ...draftAt(i, timeOf(i)),
    outcome: i === 0 ? "denied" : "allowed",
  }));
  for (const size of [1, 255, 256, 400, 700]) {
    const path = "checkpoints/2026-11-23";
    const forked = await headOf(size, begin, signers, others);
    assert.deepEqual(await told(new Map(whole).set(path, forked)), [["forked", path]]);
    const strange = await headOf(size, begin, newKey("ed25519", "ml-dsa-65", "ml-dsa-44"));
    assert.deepEqual(await told(new Map(whole).set(path, strange)), [["signature", path]]);
  }
  const root = growTree(sha256);
  root.append(leafHash(sha256, entries[0]!));
  const noEmptyTree = await signHead({ origin, size: 0, root: root.root() }, signers, begin / 1000);
  const path = "checkpoints/2026-11-21";
  assert.deepEqual(await told(new Map(whole).set(path, noEmptyTree)), [["forked", path]]);
  assert.deepEqual(await told(new Map(whole).set(path, await headOf(0, begin))), []);
});

test("a log rolled back with its checkpoint is told by a later day's head that was forgotten", async () => {
  const earlier = await logOf(entries.slice(0, 300));
  for (const path of kept) earlier.set(path, whole.get(path)!);
  assert.deepEqual(await told(earlier), [
    ["rolled back", "checkpoints/2026-11-25"],
    ["rolled back", "checkpoints/2026-11-25.first"],
    ["rolled back", "checkpoints/2026-11-24"],
    ["rolled back", "checkpoints/2026-11-24.first"],
    ["rolled back", "checkpoints/2026-11-23"],
  ]);
});

test("a kept head newer than the checkpoint, as a copy of a growing log has it, is held to the entries behind", async () => {
  for (const [size, newer] of [
    [600, 648],
    [500, 648],
    [512, 648],
    [300, 512],
    [0, 1],
  ] as const) {
    const files = await logOf(entries, size);
    const path = `checkpoints/${dateOf(timeOf(newer - 1))}`;
    assert.deepEqual(await told(files.set(path, await headOf(newer, timeOf(newer - 1)))), []);
    const others = entriesOf(700, (i) => draftAt(i + (i === newer - 1 ? 1 : 0), timeOf(i)));
    const forked = await headOf(newer, timeOf(newer - 1), signers, others);
    assert.deepEqual(await told(files.set(path, forked)), [["forked", path]]);
  }
});

test("with entries removed, heads of their days are held to the tiles", async () => {
  const said = entriesOf(700, (i) => {
    return i === 650
      ? pruneDraft(512, timeOf(512), { ...cause(), atUnixMs: timeOf(i) })
      : draftAt(i, timeOf(i));
  });
  const files = await logOf(said);
  files.delete(bundlePath(0));
  files.delete(bundlePath(1));
  const path = "checkpoints/2026-11-22";
  assert.deepEqual(await told(files.set(path, await headOf(200, timeOf(199), signers, said))), []);
  const others = entriesOf(700, (i) => draftAt(i === 150 ? 0 : i, timeOf(i)));
  const forked = await headOf(200, timeOf(199), signers, others);
  assert.deepEqual(await told(files.set(path, forked)), [["forked", path]]);
});

test("a log of no entries yet, or none for months, has its heads read", async () => {
  const empty = await logOf([]);
  assert.deepEqual(await told(empty.set("checkpoints/2026-11-21", await headOf(0, begin))), []);
  const bent = Buffer.from("nothing");
  assert.deepEqual(await told(empty.set("checkpoints/2026-11-21", bent)), [
    ["signature", "checkpoints/2026-11-21"],
  ]);
  const late = await logOf(entriesOf(3, (i) => draftAt(i, begin + 300 * dayMs)));
  late.set(
    "checkpoint",
    await headOf(
      3,
      begin + 600 * dayMs,
      signers,
      entriesOf(3, (i) => draftAt(i, begin + 300 * dayMs)),
    ),
  );
  for (const day of [0, 300, 450, 600, 601]) {
    const path = `checkpoints/${dateOf(begin + day * dayMs)}`;
    assert.deepEqual(await told(new Map(late).set(path, bent)), [["signature", path]], String(day));
  }
});

test("times that no date has end in no exception and no endless search", async () => {
  for (const atUnixMs of [0, Date.UTC(9999, 11, 31), 8_640_000_000_000_000]) {
    const odd = entriesOf(3, (i) => draftAt(i, i === 1 ? begin : atUnixMs));
    let asked = 0;
    const files = await logOf(odd);
    const verdict = await verifyLog({
      files: (path) => Promise.resolve((asked++, files.get(path))),
      logKey,
    });
    assert.equal(verdict.kind, "intact", JSON.stringify(verdict));
    assert.ok(asked < 4 * 15_000, String(asked));
  }
});
