/** The witness's judge: every honest growth is taken, everything else is an incident. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { newGeneration, origin } from "../../test/support/log-fixture.ts";
import { sha256 } from "../crypto/hash.ts";
import { formatLogKey, readLogKey } from "../crypto/log-key.ts";
import { noteVerifier } from "../crypto/note-keys.ts";
import { type GenerationSigners, publicGeneration } from "../host/store/journal-rotation.ts";
import { utf8 } from "../kernel/bytes.ts";
import { leafHash } from "../merkle/hashing.ts";
import { growTree } from "../merkle/growing-tree.ts";
import { consistencyProof } from "../merkle/proofs.ts";
import { subtreeFromLeaves } from "../merkle/tiles.ts";
import { cosignatureBytes, readCosignature, witnessName } from "./cosignature.ts";
import { checkpointBody } from "./checkpoint.ts";
import { signHead } from "./head.ts";
import { type Incident, incidentBytes, readIncident } from "./incident.ts";
import { judgeShown, needsCrossings } from "./witness.ts";
import { readShownHead, shownHeadBytes } from "./witness-answer.ts";
import { fingerprint } from "../crypto/keys.ts";
import { noteSigner } from "../crypto/note-keys.ts";
import { newSigningKey } from "../../test/support/keys.ts";

const generation = newGeneration(1);
const keys = [publicGeneration(generation)];
const none = new Map<number, Uint8Array>();

/** Leaves of a history: those from `fork` on are of another. */
function leaves(size: number, fork = Number.POSITIVE_INFINITY): readonly Uint8Array[] {
  return Array.from({ length: size }, (_, i) => leafHash(sha256, utf8(`${i < fork ? "" : "other "}${i}`)));
}

function rootOf(of: readonly Uint8Array[]): Uint8Array {
  const tree = growTree(sha256);
  for (const leaf of of) tree.append(leaf);
  return tree.root();
}

interface HeadOptions {
  readonly fork?: number;
  readonly atUnixS?: number;
  readonly by?: GenerationSigners;
  readonly of?: string;
}

function headOf(size: number, { fork, atUnixS = 1000, by = generation, of = origin }: HeadOptions = {}) {
  return signHead({ origin: of, size, root: rootOf(leaves(size, fork)) }, by.signers, atUnixS);
}

function proofOf(from: number, size: number, fork?: number): readonly Uint8Array[] {
  const isGrown = from > 0 && from < size;
  return isGrown ? consistencyProof(from, size, subtreeFromLeaves(sha256, leaves(size, fork))) : [];
}

test("every honest growth is taken, with a proof that nobody else's history has", async () => {
  for (const from of [0, 1, 2, 3, 7, 8, 255, 256, 257, 300]) {
    const checkpoint = await headOf(from);
    for (const size of [from, from + 1, from + 2, from + 5, 512, 700]) {
      const shown = {
        checkpoint: await headOf(size, { atUnixS: 1001 }),
        proof: proofOf(from, size),
        crossings: none,
      };
      const verdict = judgeShown({ keys, checkpoint }, shown);
      assert.deepEqual(
        verdict.kind === "consistent" && [verdict.head.size, verdict.isNewer],
        [size, size > from],
        `${from} to ${size}`,
      );
    }
  }
});

test("every fork is refused, whatever proof comes with it", async () => {
  for (const from of [1, 2, 3, 8, 200, 256, 300]) {
    const checkpoint = await headOf(from);
    for (const size of [from, from + 1, 512]) {
      for (const fork of new Set([0, Math.floor(from / 2), from - 1])) {
        for (const proof of [proofOf(from, size, fork), proofOf(from, size), []]) {
          const shown = { checkpoint: await headOf(size, { fork }), proof, crossings: none };
          const verdict = judgeShown({ keys, checkpoint }, shown);
          assert.equal(
            verdict.kind === "incident" && verdict.what,
            "split-view",
            `${from} to ${size}, forked at ${fork}`,
          );
        }
      }
    }
  }
});

test("what a witness makes of what it is shown", async (t) => {
  const stranger = newGeneration(1);
  const checkpoint = await headOf(10);
  const flipped = Buffer.from(await headOf(12));
  flipped.write("13", flipped.indexOf("\n12\n") + 1);
  const cases = [
    ["the same head again", await headOf(10), "consistent"],
    ["the same tree, signed later", await headOf(10, { atUnixS: 2000 }), "consistent"],
    ["fewer entries, signed before", await headOf(9, { atUnixS: 900 }), "rollback"],
    ["fewer entries, signed after", await headOf(9, { atUnixS: 1001 }), "truncation"],
    ["fewer entries of another history", await headOf(9, { fork: 3, atUnixS: 1001 }), "truncation"],
    ["as many, another root", await headOf(10, { fork: 9 }), "split-view"],
    ["more without a proof", await headOf(12), "split-view"],
    ["more, with its size changed", flipped, "keys"],
    ["more, by somebody else", await headOf(12, { by: stranger }), "keys"],
    [
      "another log",
      await headOf(12, { by: newGeneration(1, undefined, "x/log/y"), of: "x/log/y" }),
      "other-log",
    ],
    ["no head at all", utf8("hello\n"), "unreadable"],
  ] as const;
  for (const [what, shown, expected] of cases) {
    await t.test(what, () => {
      const verdict = judgeShown({ keys, checkpoint }, { checkpoint: shown, proof: [], crossings: none });
      assert.equal(verdict.kind === "incident" ? verdict.what : verdict.kind, expected);
    });
  }
});

test("a head by the next generation counts only with the crossing to it", async () => {
  const next = newGeneration(2);
  const checkpoint = await headOf(12, { by: next });
  assert.equal(needsCrossings(keys, checkpoint), true);
  assert.equal(needsCrossings(keys, await headOf(12)), false);
  for (const crossings of [none, new Map([[2, utf8("nothing of the kind")]])]) {
    const verdict = judgeShown({ keys, checkpoint: undefined }, { checkpoint, proof: [], crossings });
    assert.equal(verdict.kind === "incident" && verdict.what, "keys");
  }
});

test("keys that ended sign nothing that a witness takes", async () => {
  const both = [...keys, publicGeneration(newGeneration(2))];
  const checkpoint = await headOf(10);
  const shown = { checkpoint: await headOf(12), proof: proofOf(10, 12), crossings: none };
  const verdict = judgeShown({ keys: both, checkpoint }, shown);
  assert.equal(verdict.kind === "incident" && verdict.what, "keys");
});

test("a shown head reads as it was written, and not otherwise", async () => {
  const shown = { old: 5, proof: proofOf(5, 12), checkpoint: await headOf(12) };
  const bytes = shownHeadBytes(shown);
  const read = readShownHead(bytes);
  assert.deepEqual(
    [read?.old, read?.proof.map((hash) => Buffer.from(hash).toString("hex"))],
    [5, shown.proof.map((hash) => Buffer.from(hash).toString("hex"))],
  );
  assert.deepEqual(Buffer.from(read?.checkpoint ?? []), Buffer.from(shown.checkpoint));
  const text = Buffer.from(bytes).toString();
  for (const bad of [
    text.replace("old 5", "old 05"),
    text.replace("old 5", "older 5"),
    text.replace("old 5\n", "old 5\nAAAA\n"),
    text.replace("old 5\n", `old 5\n${`${"A".repeat(43)}=\n`.repeat(64)}`),
    text.split("\n\n")[0] ?? "",
  ]) {
    assert.equal(readShownHead(utf8(bad)), undefined, bad.slice(0, 40));
  }
});

test("evidence reads as it was written", async () => {
  const incident: Incident = {
    what: "truncation",
    atUnixMs: Date.UTC(2026, 10, 21, 9, 30),
    says: "It has 9 entries, and had 10: gone.",
    kept: await headOf(10),
    shown: await headOf(9),
    proof: proofOf(5, 12),
    keys: formatLogKey(keys),
    keptSignedBy: formatLogKey(keys),
    shownSignedBy: formatLogKey([publicGeneration(newGeneration(7))]),
  };
  const read = readIncident(incidentBytes(incident));
  assert.deepEqual(read && asText(read), asText(incident));
  assert.equal(readLogKey(read?.keys ?? "")[0]?.keys.length, keys[0]?.keys.length);
  assert.equal(readIncident(utf8("dev.latticegate/log-incident@v1\nkind none\n")), undefined);
  const [older = ""] = Buffer.from(incidentBytes(incident)).toString().split("\n-- kept signed by --\n");
  assert.equal(readIncident(utf8(older))?.keys, incident.keys, "as it was before it said who signed");
});

function asText(incident: Incident): object {
  const { kept, shown, proof, ...rest } = incident;
  return { ...rest, bytes: [kept, shown, ...proof].map((bytes) => Buffer.from(bytes).toString("hex")) };
}

test("a cosignature holds by its own key, for the head and the name it was made for", async () => {
  const key = newSigningKey("ml-dsa-44");
  const name = witnessName("example.org", fingerprint(key.publicKey));
  const body = checkpointBody(origin, 12, rootOf(leaves(12)));
  const bytes = await cosignatureBytes(body, noteSigner("ml-dsa-44", name, key), 1000);
  const read = readCosignature(bytes, "example.org");
  assert.deepEqual([read.key.name, read.body.size, read.atUnixS], [name, 12, 1000]);
  assert.equal(noteVerifier(read.key.vkey).kind, "ml-dsa-44");
  const text = Buffer.from(bytes).toString();
  const other = newSigningKey("ml-dsa-44");
  const borrowed = noteSigner("ml-dsa-44", name, other).vkey;
  const refused: readonly (readonly [string, string, string])[] = [
    ["of another trust domain", text, "other.example"],
    ["of another size", text.replace("\n12\n", "\n13\n"), "example.org"],
    ["with another's key", `${borrowed}\n${text.slice(text.indexOf("\n") + 1)}`, "example.org"],
    ["without a key", text.slice(text.indexOf("\n") + 1), "example.org"],
    ["with two signatures", `${text}${text.slice(text.lastIndexOf("— "))}`, "example.org"],
    ["too long", text + " ".repeat(9000), "example.org"],
  ];
  for (const [what, changed, domain] of refused) {
    assert.throws(() => readCosignature(utf8(changed), domain), /is no cosignature/, what);
  }
});
