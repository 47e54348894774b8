/** Versions of the protocol are dates, and compare as such. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { isBelow, isModernVersion, protocolVersions, versionsFrom } from "./protocol-version.ts";

const compared: readonly (readonly [string, (typeof protocolVersions)[number], boolean])[] = [
  ["2025-06-18", "2025-06-18", false],
  ["2025-03-26", "2025-06-18", true],
  ["2024-11-05", "2025-03-26", true],
  ["2026-07-28", "2025-11-25", false],
  ["2024-10-07", "2024-11-05", true],
  ["2027-01-01", "2026-07-28", false],
  ["2025-06-19", "2025-06-18", false],
  ["", "2024-11-05", true],
  ["draft", "2024-11-05", true],
  ["DRAFT-2026-v1", "2024-11-05", true],
  ["9", "2024-11-05", true],
  ["99999-01-01", "2024-11-05", true],
  ["2026-07-28 ", "2026-07-28", true],
  ["2026-07-28\n", "2026-07-28", true],
];
for (const [version, minimum, expected] of compared) {
  test(`"${version.replace("\n", "\\n")}" is ${expected ? "" : "not "}below ${minimum}`, () =>
    assert.equal(isBelow(version, minimum), expected));
}

test("the versions are in order, and a minimum leaves itself and what is newer", () => {
  assert.deepEqual(protocolVersions.toSorted(), protocolVersions);
  assert.deepEqual(versionsFrom("2025-06-18"), ["2025-06-18", "2025-11-25", "2026-07-28"]);
  assert.deepEqual(versionsFrom("2024-11-05"), protocolVersions);
  assert.deepEqual(versionsFrom("2026-07-28"), ["2026-07-28"]);
});

test("a version is modern from 2026-07-28 on", () => {
  const modern = [undefined, "", "2025-11-25", "zzzz-07-28", "2026-07-28", "2027-01-01"].map(isModernVersion);
  assert.deepEqual(modern, [false, false, false, false, true, true]);
});
