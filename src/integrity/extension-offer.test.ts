/** The extension in capabilities: what an end adds on the way, and takes out on the other side. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { frameOf } from "../../test/support/message-ends.ts";
import { fromUtf8, utf8 } from "../kernel/bytes.ts";
import { edited, removals } from "../wire/json-edit.ts";
import {
  offerEdits,
  offerIn,
  saysCapabilities,
  withAnnouncement,
  withoutAnnouncement,
} from "./extension-offer.ts";

const settings = (own: boolean): string =>
  `{"v":1,"alg":["ML-DSA-65","ML-DSA-87"],"canon":["jcs"],"cover":["request","result"],"own":${own}}`;
const entry = (own: boolean): string => `"dev.latticegate/message-signature":${settings(own)}`;
const initialize = (capabilities: string): string =>
  `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":${capabilities}}}`;
const modern = (capabilities: string): string =>
  `{"jsonrpc":"2.0","id":0,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":${capabilities}}}}`;
const made = (name: string): string => `"${name}":{${entry(true)}}`;

for (const [what, before, after] of [
  [
    "both places of a handshake",
    initialize("{ }"),
    initialize(`{${made("extensions")},${made("experimental")} }`),
  ],
  [
    "where one is there",
    initialize('{"experimental":{"a":{}}}'),
    initialize(`{${made("extensions")},"experimental":{${entry(false)},"a":{}}}`),
  ],
  ["the one place of a modern request", modern("{}"), modern(`{${made("extensions")}}`)],
  ["into what is there", modern('{"extensions":{}}'), modern(`{"extensions":{${entry(false)}}}`)],
] as const) {
  test(`a client's capabilities say it: ${what}`, () => {
    const frame = frameOf(before);
    const offered = edited(frame.bytes, offerEdits(frame));
    assert.equal(fromUtf8(offered), after);
    const found = offerIn(frameOf(offered));
    assert.equal(found.isOffered, true);
    assert.equal(fromUtf8(edited(offered, removals(offered, found.removals))), before);
    assert.equal(offerIn(frame).isOffered, false);
  });
}

for (const text of [
  initialize('{"extensions":{"dev.latticegate/message-signature":{"v":1}}}'),
  initialize('{"experimental":{"dev.latticegate/message-signature":{}}}'),
  modern('{"extensions":{"dev.latticegate/message-signature":{}}}'),
]) {
  test(`what a client says itself is left as it is: ${text.slice(40, 70)}`, () => {
    const frame = frameOf(text);
    assert.deepEqual(offerEdits(frame), []);
    assert.deepEqual(offerIn(frame), { isOffered: true, removals: [] });
  });
}

for (const text of [
  '{"jsonrpc":"2.0","id":0,"method":"tools/list"}',
  '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"capabilities":7}}',
  '{"jsonrpc":"2.0","method":"notifications/initialized"}',
  modern("null"),
  modern("{}").replace("server/discover", "tools/call"),
]) {
  test(`a message that says no capabilities, or isn't asked for them, offers nothing: ${text.slice(24, 70)}`, () => {
    assert.deepEqual(offerEdits(frameOf(text)), []);
    assert.deepEqual(offerIn(frameOf(text)), { isOffered: false, removals: [] });
  });
}

const answer = (capabilities: string): string =>
  `{"jsonrpc":"2.0","id":0,"result":{"capabilities":${capabilities},"serverInfo":{}}}`;
const asked = (text: string) => {
  const frame = frameOf(text);
  assert.ok(frame.kind === "request");
  return frame;
};

test("an answer announces it in the places of its era, and is taken back to what the server said", () => {
  for (const [request, before, after] of [
    [initialize("{}"), answer("{}"), answer(`{${made("extensions")},${made("experimental")}}`)],
    [modern("{}"), answer('{"tools":{}}'), answer(`{${made("extensions")},"tools":{}}`)],
  ] as const) {
    const announced = withAnnouncement(utf8(before), asked(request));
    assert.equal(fromUtf8(announced), after);
    const { isAnnounced, bytes } = withoutAnnouncement(announced);
    assert.deepEqual([isAnnounced, fromUtf8(bytes)], [true, before]);
  }
});

test("a server's own announcement stays, and what says no capabilities is left alone", () => {
  const own = utf8(answer('{"extensions":{"dev.latticegate/message-signature":{}}}'));
  assert.deepEqual(withoutAnnouncement(own), { isAnnounced: true, bytes: own });
  assert.equal(withAnnouncement(own, asked(modern("{}"))), own);
  for (const text of ['{"jsonrpc":"2.0","id":0,"error":{"code":1,"message":""}}', answer("7"), "no JSON"]) {
    assert.equal(fromUtf8(withAnnouncement(utf8(text), asked(modern("{}")))), text);
    assert.deepEqual(withoutAnnouncement(utf8(text)), { isAnnounced: false, bytes: utf8(text) });
  }
});

test("capabilities are said in a handshake, and by modern servers when they are asked", () => {
  const said = [initialize("{}"), modern("{}").replace("server/discover", "tools/list"), modern("{}")];
  assert.deepEqual(
    said.map((text) => saysCapabilities(asked(text))),
    [true, false, true],
  );
});
