/** What a log's key signs when somebody asks who isn't trusted: heads of its own log that only grow. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { cosignedMessage, readCosignedMessage } from "../crypto/cosigned-message.ts";
import { type SignatureSuite, signatureSuite } from "../crypto/suites/signatures.ts";
import { concat, utf8 } from "../kernel/bytes.ts";
import { checkpointBody } from "./checkpoint.ts";
import { type RenewalBody, renewalBody } from "./renewal.ts";
import { type HeadSeen, judgeHead, type JudgedHead } from "./head-rules.ts";

const nowUnixMs = Date.UTC(2026, 10, 21, 12);
const nowUnixS = nowUnixMs / 1000;
const origin = "acme.test/log/abcd1234";
const [rootA, rootB] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
const last: HeadSeen = { origin, size: 100, root: rootA, generation: 1, crossing: undefined };
const trustDomain = "acme.test";
const [text, cosigned] = [signatureSuite("ML-DSA-65"), signatureSuite("ML-DSA-44")];

/** The same head as both kinds of log key are asked to sign it. */
function both(head: HeadSeen, use: HeadSeen | undefined, generation = 1): readonly JudgedHead[] {
  const { origin: name, size, root } = head;
  return [
    judgeHead(
      utf8(checkpointBody(name, size, root).text),
      { suite: text, generation, trustDomain, last: use },
      nowUnixMs,
    ),
    judgeHead(
      cosignedMessage(name, head, nowUnixS),
      { suite: cosigned, generation, trustDomain, last: use },
      nowUnixMs,
    ),
  ];
}

const toHeadText = ({ origin, size, root }: Pick<HeadSeen, "origin" | "size" | "root">): string =>
  checkpointBody(origin, size, root).text;

const rows: readonly (readonly [string, HeadSeen, HeadSeen | undefined, RegExp | undefined])[] = [
  ["the first of the log", { ...last, size: 0 }, undefined, undefined],
  ["a larger one", { ...last, size: 101, root: rootB }, last, undefined],
  ["the same again", last, last, undefined],
  ["a smaller one", { ...last, size: 99 }, last, /99 entries, the last one had 100/],
  ["an empty one", { ...last, size: 0 }, last, /0 entries/],
  ["other entries at the same size", { ...last, root: rootB }, last, /other entries/],
  ["another log", { ...last, origin: "acme.test/log/other123", size: 101 }, last, /another log/],
  [
    "a first one of another trust domain",
    { ...last, origin: "evil.test/log/abcd1234" },
    undefined,
    /outside/,
  ],
  ["a first one that is named as no log is", { ...last, origin: "acme.test/log/a/b" }, undefined, /outside/],
  [
    "a first one of a longer domain",
    { ...last, origin: "acme.test.evil/log/abcd1234" },
    undefined,
    /outside/,
  ],
];

for (const [what, head, use, why] of rows) {
  test(`${what} is ${why === undefined ? "signed" : "refused"}, whichever key is asked`, () => {
    for (const judged of both(head, use)) {
      if (judged.kind === "refused") assert.match(judged.why, why ?? /^$/);
      else assert.deepEqual([why, toHeadText(judged.head)], [undefined, toHeadText(head)]);
    }
  });
}

test("what isn't exactly a head is refused", () => {
  const body = utf8(checkpointBody(origin, 101, rootB).text);
  const message = cosignedMessage(origin, { ...last, size: 101 }, nowUnixS);
  const subtree = Uint8Array.from(message);
  subtree[message.length - 32 - 9] = 1; // `start` of the range that is cosigned
  for (const [what, suite, bytes] of [
    ["a checkpoint with a further line", text, concat([body, utf8("more\n")])],
    ["a checkpoint cut short", text, body.subarray(0, -1)],
    ["bytes that are no text", text, Uint8Array.of(0xff, 0xfe)],
    ["nothing", text, new Uint8Array(0)],
    ["a cosigned message for a key that signs text", text, message],
    ["text for a key that cosigns", cosigned, body],
    ["a cosigned message with bytes behind", cosigned, concat([message, Uint8Array.of(0)])],
    ["a cosigned message cut short", cosigned, message.subarray(0, -1)],
    ["a part of a tree", cosigned, subtree],
    ["a head of another time", cosigned, cosignedMessage(origin, { ...last, size: 101 }, nowUnixS - 301)],
    ["a head of the future", cosigned, cosignedMessage(origin, { ...last, size: 101 }, nowUnixS + 301)],
    [
      "a head in another's name",
      cosigned,
      cosignedMessage("acme.test/witness", { ...last, size: 101 }, nowUnixS),
    ],
    ["a head for a kind of key that no log has", signatureSuite("ECDSA-P384"), body],
  ] as const) {
    assert.equal(
      judgeHead(bytes, { suite, generation: 1, trustDomain, last }, nowUnixMs).kind,
      "refused",
      what,
    );
  }
});

test("whatever is asked in whatever order, sizes never go back and no size has two roots", () => {
  const asked = fc.array(fc.tuple(fc.nat(20), fc.constantFrom(rootA, rootB)), { maxLength: 60 });
  fc.assert(
    fc.property(asked, (heads) => {
      let seen: HeadSeen | undefined;
      const signed = new Map<number, Uint8Array>();
      for (const [size, root] of heads) {
        for (const judged of both({ ...last, size, root }, seen)) {
          if (judged.kind === "refused") continue;
          assert.ok(size >= (seen?.size ?? 0));
          assert.deepEqual(signed.get(size) ?? root, root);
          signed.set(size, root);
          seen = judged.head;
        }
      }
    }),
  );
});

/** What a key of that generation may sign after `after`. */
function judged(
  tree: { readonly size: number; readonly root: Uint8Array },
  generation: number,
  after: HeadSeen,
) {
  const head = { ...last, ...tree };
  const [a, b] = both(head, after, generation);
  assert.equal(a?.kind, b?.kind, "both kinds of key say the same");
  return a ?? assert.fail();
}

test("generations cross at one head: the old keys sign that one, before or after the new ones, and no other", () => {
  const crossing = { size: 101, root: rootB };
  const crossed = judged(crossing, 2, last);
  assert.ok(crossed.kind === "head");
  assert.deepEqual([crossed.head.generation, crossed.head.crossing?.size], [2, 101]);
  assert.equal(judged(crossing, 1, crossed.head).kind, "head", "made again after a restart");
  const oldFirst = judged(crossing, 1, last);
  assert.ok(oldFirst.kind === "head");
  assert.equal(judged(crossing, 2, oldFirst.head).kind, "head");
  const further = { size: 102, root: rootA };
  const on = judged(further, 2, crossed.head);
  assert.ok(on.kind === "head");
  for (const after of [crossed.head, on.head]) {
    const refused = judged(further, 1, after);
    assert.match(
      refused.kind === "refused" ? refused.why : "",
      /generation 1 of the log's keys has ended; 2 signs/,
    );
  }
  assert.equal(judged(crossing, 1, on.head).kind, "refused", "what was passed isn't signed again");
});

test("a generation is followed by the next one, never by a later or an earlier one", () => {
  const further = { size: 102, root: rootB };
  for (const [generation, kind] of [
    [3, "refused"],
    [4, "head"],
    [5, "head"],
    [6, "refused"],
  ] as const) {
    const after = { ...last, generation: 4, crossing: { size: 90, root: rootA } };
    assert.equal(judged(further, generation, after).kind, kind, `${generation} after 4`);
  }
});

test("whatever is asked, keys of a generation sign nothing more once the next one has gone on", () => {
  const asked = fc.array(fc.tuple(fc.nat(12), fc.integer({ min: 1, max: 5 })), { maxLength: 60 });
  fc.assert(
    fc.property(asked, (heads) => {
      let seen: HeadSeen = last;
      for (const [more, generation] of heads) {
        const tree = { size: 100 + more, root: more === 0 ? rootA : rootB };
        const each = judged(tree, generation, seen);
        if (each.kind === "refused") continue;
        assert.ok(generation >= seen.generation || tree.size === seen.crossing?.size);
        assert.ok(each.head.generation - seen.generation <= 1);
        seen = each.head;
      }
    }),
  );
});

test("a cosigned message is read as it was written, and no other bytes are", () => {
  const message = cosignedMessage(origin, last, nowUnixS);
  const read = readCosignedMessage(message);
  assert.ok(read);
  assert.deepEqual([read.name, read.atUnixS, toHeadText(read)], [origin, nowUnixS, toHeadText(last)]);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => readCosignedMessage(bytes) === undefined),
  );
  fc.assert(
    fc.property(fc.nat(message.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const changed = Uint8Array.from(message);
      changed[at] = (changed[at] ?? 0) ^ flip;
      const read = readCosignedMessage(changed);
      if (read !== undefined) assert.deepEqual(cosignedMessage(read.name, read, read.atUnixS), changed);
    }),
  );
});

interface Asked {
  readonly last?: HeadSeen | undefined;
  readonly generation?: number;
  readonly suite?: SignatureSuite;
}

/** What a log's key says that is asked to sign a renewal. */
function renewing(change: Partial<RenewalBody>, asked: Asked = {}): string {
  const root = new Uint8Array(64);
  const evidence = { count: 0, root };
  const usual = {
    origin,
    number: 1,
    atUnixMs: nowUnixMs,
    hash: "SHA3-512",
    size: 100,
    root,
    from: 0,
  } as const;
  const { text: written } = renewalBody({ ...usual, evidence, ...change });
  const use = { suite: text, generation: 1, trustDomain, last, ...asked };
  const judged = judgeHead(utf8(written), use, nowUnixMs);
  if (judged.kind === "head") assert.equal(judged.head, last, "what is remembered stays");
  return judged.kind === "head" ? "signed" : judged.why;
}

test("a renewal is signed if it is of this log, of now, of no more than the last head, by the generation that signs", () => {
  assert.equal(renewing({}), "signed");
  assert.equal(renewing({ size: 7 }), "signed");
  assert.equal(renewing({}, { suite: signatureSuite("SLH-DSA-SHA2-128s") }), "signed");
  assert.match(renewing({ size: 101 }), /renewal of 101 entries, the last head had 100/);
  assert.match(renewing({ origin: "acme.test/log/other123" }), /of another log/);
  assert.match(renewing({ atUnixMs: nowUnixMs - 3_600_000 }), /another time than now/);
  assert.match(renewing({ atUnixMs: nowUnixMs + 3_600_000 }), /another time than now/);
  assert.match(renewing({}, { generation: 2 }), /by generation 2 of the log's keys; 1 signs/);
  assert.match(
    renewing({}, { last: { ...last, generation: 2 } }),
    /by generation 1 of the log's keys; 2 sign/,
  );
  assert.match(renewing({}, { last: undefined }), /no head was signed for/);
  assert.match(renewing({}, { suite: cosigned }), /no head of a log/);
});
