/** What is signed at all, and what the ends tell each other. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { messageEnd } from "../../test/support/message-ends.ts";
import {
  isSigned,
  readKeysAnswer,
  readKeysRequest,
  writeKeysAnswer,
  writeKeysRequest,
} from "./extension-methods.ts";

const { keySet } = messageEnd();
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test("every request is signed, but for handshakes, attestations, and legacy ones with empty results", () => {
  for (const method of ["tools/call", "tools/list", "resources/read", "dev.latticegate/message-keys"]) {
    assert.ok(isSigned({ method, era: "legacy" }) && isSigned({ method, era: "modern" }));
  }
  for (const method of ["initialize", "dev.latticegate/attest"]) {
    assert.ok(!isSigned({ method, era: "legacy" }) && !isSigned({ method, era: "modern" }));
  }
  for (const method of ["ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"]) {
    assert.deepEqual(
      [isSigned({ method, era: "legacy" }), isSigned({ method, era: "modern" })],
      [false, true],
    );
  }
});

test("keys are read as they were told", () => {
  const read = readKeysRequest(asJson(writeKeysRequest({ keySet, sinceUnixMs: 1_795_000_000_001 })));
  assert.equal(read?.keySet.fingerprint, keySet.fingerprint);
  assert.equal(read.sinceUnixMs, 1_795_000_000_001, "two ends may begin within one second");
  for (const params of [undefined, {}, { keys: [] }]) assert.equal(readKeysRequest(params), undefined);
});

const told = {
  audience: "spiffe://acme.test/g?server=s",
  keySet,
  modes: { default: "direct", readOnly: ["echo"] },
} as const;

test("a serving end is read as it told of itself", () => {
  const read = readKeysAnswer(asJson(writeKeysAnswer(told)));
  assert.deepEqual(
    [read?.audience, read?.keySet.fingerprint, read?.modes],
    [told.audience, keySet.fingerprint, told.modes],
  );
});

for (const part of [
  { server: "" },
  { keys: [] },
  { modes: undefined },
  { modes: { default: "both", readOnly: [] } },
  { modes: { default: "direct", readOnly: [7] } },
  { modes: { default: "direct", readOnly: Array(1025).fill("a") } },
]) {
  test(`no serving end: ${JSON.stringify(part).slice(0, 60)}`, () => {
    assert.equal(readKeysAnswer({ ...(asJson(writeKeysAnswer(told)) as object), ...part }), undefined);
  });
}
