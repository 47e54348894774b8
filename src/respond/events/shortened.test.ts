/** Events in messages of bounded length: what is cut, and what never is. */
import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { sha256Hex } from "../../crypto/hash.ts";
import { fromUtf8, utf8 } from "../../kernel/bytes.ts";
import { cefLine } from "./cef.ts";
import { ocsfEvent } from "./ocsf.ts";
import { plainEvent } from "./plain.ts";
import { boundedFrame, jsonFormat, type LineFormat } from "./shortened.ts";
import { syslogFrame } from "./syslog.ts";
import type { Teller, Told } from "./told.ts";

const teller: Teller = { origin: `acme.test/${"gateway-".repeat(12)}`, version: "1.2.3", host: "gw-1" };
const formats: readonly (readonly [string, LineFormat, RegExp])[] = [
  ["OCSF", jsonFormat(ocsfEvent), /"severity_id":5,/],
  ["CEF", cefLine, /\|10\|rt=/],
  ["flat JSON", jsonFormat(plainEvent), /"severity":"critical"/],
];
const maxBytes = 8192;

function told(change: Partial<Told>): Told {
  return {
    uid: `${teller.origin}#7`,
    index: 7,
    event: "call.decision",
    atUnixMs: Date.UTC(2026, 10, 22, 9, 30),
    callId: "0193-call",
    principal: "spiffe://acme.test/agent/mail",
    tool: "files/read_file",
    outcome: "denied",
    facts: { server: "files", method: "tools/call", risk: "0.93", "risk.because": "It was told to." },
    ...change,
  };
}

for (const [name, format, grave] of formats) {
  test(`${name}: a long text is cut to a receiver's limit with a mark and its digest, and nothing else changes`, () => {
    const resource = `file:///${"a".repeat(20_000)}`;
    const event = told({ facts: { ...told({}).facts, resource, rule: "readers" } });
    const frame = boundedFrame(event, teller, { format, maxBytes });
    const whole = syslogFrame(event, teller, format(event, teller));
    assert.ok(frame.length <= maxBytes && (name === "CEF" || whole.length > maxBytes));
    const text = fromUtf8(frame) ?? "";
    if (name !== "CEF") assert.ok(text.includes(`…[cut, sha-256 ${sha256Hex(utf8(resource)).slice(0, 32)}]`));
    assert.match(text, grave);
    assert.match(text, /It was told to\./);
    assert.match(text, /readers/);
    const small = told({});
    assert.deepEqual(
      boundedFrame(small, teller, { format, maxBytes }),
      syslogFrame(small, teller, format(small, teller)),
    );
  });

  test(`${name}: every event fits, as grave as it is and under its uid, whatever its names are`, () => {
    const hostile = fc.constantFrom("\u0000", "\u202e", "😀", '"', "\\", "=", "|", "\ud800", "a", "⟨", "\n");
    const text = fc
      .tuple(fc.array(hostile, { minLength: 1, maxLength: 8 }), fc.integer({ min: 1, max: 400 }))
      .map(([some, times]) => some.join("").repeat(times));
    const worst = "\u0000".repeat(400);
    const many = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`${i}${worst}`, worst]));
    const lists = {
      kinds: `${worst} `.repeat(9),
      tags: `ATLAS:${worst} `.repeat(9),
      rule: worst,
      server: worst,
    };
    const facts = fc.oneof(fc.dictionary(text, text, { maxKeys: 40 }), fc.constant({ ...many, ...lists }));
    fc.assert(
      fc.property(text, text, text, facts, (principal, tool, callId, more) => {
        const event = told({ principal, tool, callId, facts: { ...more, ...told({}).facts, title: tool } });
        const line = fromUtf8(boundedFrame(event, teller, { format, maxBytes })) ?? "";
        assert.ok(utf8(line).length <= maxBytes);
        assert.ok(line.includes(event.uid));
        assert.match(line, grave);
        if (name !== "CEF") JSON.parse(line.slice(line.indexOf(" {") + 1));
      }),
      { numRuns: 40 },
    );
  });
}
