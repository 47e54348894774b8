import assert from "node:assert/strict";
import { test } from "node:test";

import { sha256 } from "../crypto/hash.ts";
import { noteSigner, noteVerifier } from "../crypto/note-keys.ts";
import { growTree } from "../merkle/growing-tree.ts";
import { leafHash } from "../merkle/hashing.ts";
import { bundlePath, tilePath, tileWidth } from "../merkle/tiles.ts";
import type { EntryDraft } from "../model/entry.ts";
import { newSigningKey } from "../../test/support/keys.ts";
import { framedBytes } from "./bundle.ts";
import { sealEntry } from "./entry.ts";
import { signHead } from "./head.ts";
import { pruneDraft, readPrune } from "./prune.ts";
import { type Verdict, verifyLog } from "./verify.ts";

const origin = "log.example/a";
const signers = (["ed25519", "ml-dsa-65"] as const).map((kind) =>
  noteSigner(kind, origin, newSigningKey(kind)),
);
const logKey = [{ number: 1, keys: signers.map(({ vkey }) => noteVerifier(vkey)) }];
const cause = {
  atUnixMs: 1_790_000_900_000,
  callId: "p",
  principal: "spiffe://example.org/gateway",
  by: "retention",
};

function call(i: number): EntryDraft {
  const outcome = "allowed";
  const facts = { rule: "readers" };
  const at = 1_790_000_000_000 + i;
  const principal = "spiffe://example.org/agent/a";
  return {
    event: "call.decision",
    atUnixMs: at,
    callId: `call-${i}`,
    principal,
    tool: "a/b",
    outcome,
    facts,
  };
}

type Files = Map<string, Uint8Array>;

/** A log of 1,300 entries whose entry `at` says that those before `first` go; a head over the first `size`. */
async function logWith(prune: { readonly at: number; readonly first: string }, size = 1300): Promise<Files> {
  let previous: string | null = null;
  const entries = Array.from({ length: 1300 }, (_, i) => {
    const draft = pruneDraft(0, 1_790_000_000_500, cause);
    const said = { ...draft, facts: { ...draft.facts, first: prune.first } };
    const sealed = sealEntry(i === prune.at ? said : call(i), previous);
    previous = sealed.eventHash;
    return sealed.bytes;
  });
  const files: Files = new Map();
  const tree = growTree(sha256);
  for (const entry of entries.slice(0, size)) tree.append(leafHash(sha256, entry));
  for (const tile of [...tree.takeFullTiles(), ...tree.partialTiles()]) files.set(tilePath(tile), tile.bytes);
  for (let index = 0; index * tileWidth < 1300; index++) {
    const part = entries.slice(index * tileWidth, (index + 1) * tileWidth);
    files.set(part.length === tileWidth ? bundlePath(index) : `open/${index}`, framedBytes(part));
  }
  return files.set("checkpoint", await signHead({ origin, size, root: tree.root() }, signers, 1_790_001_000));
}

function without(files: Files, ...indexes: readonly number[]): Files {
  const rest = new Map(files);
  for (const index of indexes) assert.ok(rest.delete(bundlePath(index)));
  return rest;
}

function verify(files: Files): Promise<Verdict> {
  return verifyLog({ files: (path) => Promise.resolve(files.get(path)), logKey });
}

async function told(files: Files): Promise<readonly string[]> {
  const verdict = await verify(files);
  return verdict.kind === "intact" ? [`intact ${verdict.pruned}`] : verdict.findings.map(({ what }) => what);
}

const log = await logWith({ at: 1000, first: "512" });

test("entries that a signed log.prune gives up may be missing, all or some, and the rest verifies", async () => {
  assert.deepEqual(await told(log), ["intact 0"]);
  assert.deepEqual(await told(without(log, 0)), ["intact 256"]);
  assert.deepEqual(await told(without(log, 1)), ["intact 256"]);
  assert.deepEqual(await told(without(log, 0, 1)), ["intact 512"]);
});

test("one bundle more than the log.prune says is a removal", async () => {
  for (const gone of [[0, 1, 2], [0, 2], [2], [3]]) {
    const findings = await told(without(log, ...gone));
    assert.ok(findings.includes("removed"), `${gone.join()}: ${findings.join()}`);
  }
});

test("without a log.prune, with one that names no bundle, or one ahead of itself, nothing may be missing", async () => {
  for (const prune of [
    { at: -1, first: "" },
    { at: 1000, first: "500" },
    { at: 1000, first: "-256" },
    { at: 1000, first: "1024" },
    { at: 1000, first: "all" },
  ]) {
    const findings = await told(without(await logWith(prune), 0));
    assert.ok(findings.includes("removed"), `${prune.first}: ${findings.join()}`);
  }
});

test("a log.prune behind the head allows nothing yet", async () => {
  const findings = await told(without(await logWith({ at: 1000, first: "512" }, 900), 0));
  assert.ok(findings.includes("removed"), findings.join());
});

test("a log.prune that was put into the log afterwards allows nothing", async () => {
  const [honest, forged] = [await logWith({ at: -1, first: "" }), log];
  const mixed = new Map(honest);
  for (const path of [bundlePath(3), bundlePath(4), "open/5"])
    mixed.set(path, forged.get(path) ?? assert.fail());
  const findings = await told(without(mixed, 0, 1));
  assert.ok(findings.includes("changed"), findings.join());
});

test("the hashes of removed entries are still checked", async () => {
  const bare = without(log, 0, 1);
  const tile = Uint8Array.from(bare.get("tile/0/000") ?? assert.fail());
  tile[40] = 1 ^ (tile[40] ?? 0);
  assert.notDeepEqual(await told(new Map(bare).set("tile/0/000", tile)), ["intact 512"]);
  const gone = new Map(bare);
  gone.delete("tile/0/001");
  const findings = await told(gone);
  assert.ok(findings.includes("missing"), findings.join());
});

test("what says nothing about pruning isn't read as if it did", () => {
  assert.equal(readPrune({ event: "call.decision", facts: { first: "256" } }, 1000), undefined);
  assert.equal(readPrune({ event: "log.prune", facts: {} }, 1000), undefined);
  assert.equal(readPrune({ event: "log.prune", facts: { first: "256" } }, 1000), 256);
});
