import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import * as fc from "fast-check";

import { sha256 } from "../crypto/hash.ts";
import { toHex, utf8 } from "../kernel/bytes.ts";
import type { EntryDraft } from "../model/entry.ts";
import { canonicalJson } from "./canonical.ts";
import { entryExtension, maxEntryBytes, readEntry, sealEntry } from "./entry.ts";

const plain: EntryDraft = {
  event: "call.decision",
  atUnixMs: Date.UTC(2026, 10, 21, 9, 30, 0, 7),
  callId: "01KAJ5Z5J0",
  principal: "spiffe://example.org/agent/researcher",
  tool: "files/read_file",
  outcome: "allowed",
  facts: { rule: "readers", method: "tools/call", "link.group": "X25519MLKEM768" },
};

function text(draft: EntryDraft, previousHash: string | null = null): string {
  return Buffer.from(sealEntry(draft, previousHash).bytes).toString();
}

function entryOf(bytes: Uint8Array) {
  const reading = readEntry(bytes);
  assert.equal(reading.kind, "entry", reading.kind === "unreadable" ? reading.why : "");
  return reading.kind === "entry" ? reading.entry : assert.fail();
}

const anyText = fc.string({ unit: "binary", maxLength: 40 });
const anyDraft: fc.Arbitrary<EntryDraft> = fc.record({
  event: fc.constantFrom("call.decision", "call.outcome", "gateway.start"),
  atUnixMs: fc.integer({ min: 0, max: 4e12 }),
  callId: anyText,
  principal: anyText,
  tool: fc.option(anyText),
  outcome: fc.constantFrom("allowed", "denied", "deferred", "error"),
  facts: fc.dictionary(anyText, fc.oneof(anyText, fc.string({ unit: "binary", maxLength: 3000 }))),
});

test("an entry read back says what was written", () => {
  const previousHash = "ab".repeat(32);
  const sealed = sealEntry(plain, previousHash);
  const { eventId, eventHash, previousHash: previous, ...rest } = entryOf(sealed.bytes);
  assert.deepEqual(rest, { ...plain, facts: { ...plain.facts } });
  assert.equal(eventId, "01KAJ5Z5J0/call.decision");
  assert.equal(eventHash, sealed.eventHash);
  assert.equal(previous, previousHash);
});

test("event_hash is the SHA-256 of the record without it, as SEP-3004 §2.4 says", () => {
  const { event_hash, ...body } = JSON.parse(text(plain)) as Record<string, unknown>;
  assert.equal(event_hash, toHex(sha256(utf8(canonicalJson(body)!))));
});

test("whatever a draft holds, its record is canonical, readable and no longer than a record may be", () => {
  fc.assert(
    fc.property(anyDraft, (draft) => {
      const { bytes } = sealEntry(draft, null);
      assert.ok(bytes.length <= maxEntryBytes);
      const entry = entryOf(bytes);
      assert.equal(entry.atUnixMs, draft.atUnixMs);
      assert.equal(entry.event, draft.event);
      assert.equal(canonicalJson(JSON.parse(Buffer.from(bytes).toString())), Buffer.from(bytes).toString());
    }),
    { numRuns: 400 },
  );
});

test("the largest draft one can think of still makes a record, and says where it was cut", () => {
  const huge = '"\uFFFF'.repeat(50_000);
  const facts = Object.fromEntries(
    Array.from({ length: 2000 }, (_, i) => [`fact_${i}_${"x".repeat(80)}`, huge]),
  );
  const { bytes } = sealEntry({ ...plain, callId: huge, principal: huge, tool: huge, facts }, "0".repeat(64));
  assert.ok(bytes.length <= maxEntryBytes);
  const entry = entryOf(bytes);
  assert.ok(entry.principal.endsWith("…[cut]"));
  assert.equal(entry.facts["facts"], "…[cut]");
});

test("a fact of ordinary length is never cut, and a cut one is marked", () => {
  const uri = `file:///${"a".repeat(900)}`;
  assert.equal(entryOf(sealEntry({ ...plain, facts: { uri } }, null).bytes).facts["uri"], uri);
  const long = "b".repeat(5000);
  assert.match(
    entryOf(sealEntry({ ...plain, facts: { long } }, null).bytes).facts["long"]!,
    /^b{1018}…\[cut\]$/,
  );
});

test("text is normalised as SEP-3004 §2.3 asks: NFC, spaces trimmed, no control characters, no lone surrogates", () => {
  const facts = { a: "  e\u0301  ", b: "line\nbreak\u0085", c: "\uD800", d: "\u00A0nbsp\u00A0", e: "" };
  const { facts: read } = entryOf(sealEntry({ ...plain, facts }, null).bytes);
  assert.deepEqual(read, { a: "é", b: "line\uFFFDbreak\uFFFD", c: "\uFFFD", d: "\u00A0nbsp\u00A0", e: "" });
});

test("fact names that aren't plain are made plain and never stand twice", () => {
  const facts = { Naïve: "1", "na\u00EFve": "2", "": "3", __proto__x: "4", "a\nb": "5" };
  const { facts: read } = entryOf(sealEntry({ ...plain, facts }, null).bytes);
  assert.deepEqual(read, { na_ve: "1", _: "3", __proto__x: "4", a_b: "5", facts: "…[cut]" });
});

const good = text(plain);
const notRecords: readonly (readonly [string, string])[] = [
  ["nothing", ""],
  ["no JSON", "{"],
  ["an array", "[]"],
  ["white space", good.replace(",", ", ")],
  ["members in another order", good.replace(/^\{("event_hash":"[^"]+"),(.*)\}$/, "{$2,$1}")],
  ["a member twice", good.replace("{", '{"event_hash":"x",')],
  ["a number", good.replace('"readers"', "1")],
  ["an array inside", good.replace('"readers"', "[]")],
  ["an escape that isn't needed", good.replace("readers", "\\u0072eaders")],
  ["a changed fact", good.replace("readers", "writers")],
  ["a changed outcome", good.replace("allowed", "denied")],
  ["another time", good.replace(".007Z", ".008Z")],
  ["another time format", good.replace(".007Z", "Z")],
  ["a byte that isn't UTF-8", good.replace("readers", "\uFFFD\uFFFD")],
  ["eight kibibytes and more", good.replace("readers", "r".repeat(maxEntryBytes))],
];
for (const [what, record] of notRecords) {
  test(`${what} is not read as an entry`, () => {
    assert.equal(readEntry(utf8(record)).kind, "unreadable");
  });
}

test("a record nested too deep is not read, and nothing breaks", () => {
  const deep = `${'{"a":'.repeat(1300)}null${"}".repeat(1300)}`;
  assert.deepEqual(readEntry(utf8(deep)), { kind: "unreadable", why: "it is nested deeper than 8" });
});

test("eight objects within one another may be, and nine may not", () => {
  const nested = (objects: number): string => `${'{"a":'.repeat(objects)}null${"}".repeat(objects)}`;
  const { event_hash: _, ...body } = JSON.parse(good) as Record<string, unknown>;
  const recordOf = (depth: number): Uint8Array => {
    // The record and its extensions are the first two.
    const more = { "other.example/x": JSON.parse(nested(depth - 2)) as unknown };
    const wider = { ...body, extensions: { ...(body["extensions"] as object), ...more } };
    const event_hash = toHex(sha256(utf8(canonicalJson(wider) ?? "")));
    return utf8(canonicalJson({ ...wider, event_hash }) ?? JSON.stringify({ event_hash, ...wider }));
  };
  assert.equal(entryOf(recordOf(8)).callId, plain.callId);
  assert.deepEqual(readEntry(recordOf(9)), { kind: "unreadable", why: "it is nested deeper than 8" });
});

test("an anchor that nobody verifies makes a record unreadable; SEP-3004 reserves its member", () => {
  const anchored = (value: string): Uint8Array => utf8(good.replace("{", `{"anchor_witness":${value},`));
  assert.equal(entryOf(anchored("null")).callId, plain.callId);
  for (const value of ['"abcd"', '""', "true", "false", "{}"]) {
    assert.deepEqual(readEntry(anchored(value)), { kind: "unreadable", why: "anchor_witness isn't null" });
  }
});

test("a member that SEP-3004 doesn't name is ignored, as it asks", () => {
  const wider = good.replace('"tool_name"', '"the_future":"x","tool_name"');
  assert.equal(entryOf(utf8(wider)).callId, plain.callId);
});

for (const file of readdirSync("test/vectors/entry")) {
  test(`vector ${file}`, () => {
    const whole = readFileSync(`test/vectors/entry/${file}`, "utf8");
    const cut = whole.indexOf("\n\n");
    const header = Object.fromEntries(
      whole
        .slice(0, cut)
        .split("\n")
        .map((line) => [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2)]),
    ) as Record<string, string | undefined>;
    const payload = whole.slice(cut + 2).replace(/\n$/, "");
    switch (header["expect"]) {
      case "preimage": {
        assert.equal(canonicalJson(JSON.parse(payload)), payload);
        assert.equal(toHex(sha256(utf8(payload))), header["sha256"]);
        const record = `{"event_hash":"${header["sha256"]}",${payload.slice(1)}`;
        assert.equal(entryOf(utf8(record)).eventHash, header["sha256"]);
        return;
      }
      case "record": {
        const entry = entryOf(utf8(payload));
        assert.equal(entry.eventHash, header["event-hash"]);
        // What was read makes the same bytes again.
        const draft = { ...entry, event: entry.event as EntryDraft["event"] };
        assert.equal(text(draft, entry.previousHash), payload);
        assert.ok(payload.includes(entryExtension));
        return;
      }
      case "unreadable": {
        assert.deepEqual(readEntry(utf8(payload)), { kind: "unreadable", why: header["why"] });
        return;
      }
      default:
        assert.fail(`${file}: unknown expectation ${header["expect"]}`);
    }
  });
}
