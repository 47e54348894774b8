/** What operators read of servers' tools, word for word. */
import assert from "node:assert/strict";
import { test } from "node:test";

import type { ToolChanges, ToolRow } from "../app/tools/tool-report.ts";
import { diffLines, historyLines, jsonText, listLines } from "./tools-text.ts";
import { signedLines } from "./tools-sign.ts";

const row: ToolRow = {
  server: "files",
  tool: "read_file",
  state: "pinned",
  isCalled: true,
  effect: "read-only",
  firstSeen: "2026-11-20T10:00:00.000Z",
  pinnedHash: "sha256-old",
  findings: [],
};
const changed: ToolChanges = {
  ...row,
  tool: "write_file",
  state: "changed",
  isCalled: false,
  effect: "any",
  offeredHash: "sha256-new",
  findings: ["isn't what it was when it was pinned"],
  diff: ["--- pinned", "+++ offered", "@@ description @@", "-Writes.", "+Writes, and mails."],
};
/** Nothing a terminal would act on, or not show. */
function assertSafe(lines: readonly string[]): void {
  for (const line of lines) assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
}

test("the list has who waits first, and what to do", () => {
  assert.equal(
    [...listLines([row, changed, { ...row, server: "a" }])].join("\n"),
    `server  tool        state    effect     first seen
a       read_file   pinned   read-only  2026-11-20T10:00:00.000Z
files   write_file  changed  any        2026-11-20T10:00:00.000Z
files   read_file   pinned   read-only  2026-11-20T10:00:00.000Z

1 tool isn't called until somebody approves it:
  latticegate tools diff files`,
  );
  const two = listLines([changed, { ...changed, server: "a" }]);
  assert.deepEqual(two.slice(-3), [
    "2 tools aren't called until somebody approves them:",
    "  latticegate tools diff a",
    "  latticegate tools diff files",
  ]);
  assert.deepEqual(listLines([]), ["no server's tools were seen yet"]);
});

test("a diff says what changed, why it waits, and how to take up exactly that", () => {
  assert.equal(
    diffLines([changed]).join("\n"),
    `files/write_file: changed, isn't called
  pinned   sha256-old
  offered  sha256-new
  ! isn't what it was when it was pinned
--- pinned
+++ offered
@@ description @@
-Writes.
+Writes, and mails.
To take it up: latticegate tools approve files write_file --as sha256-new --because "…"`,
  );
});

test("what is gone can be forgotten", () => {
  assert.deepEqual(diffLines([{ ...row, state: "removed", diff: [] }]), [
    "files/read_file: removed",
    "  pinned   sha256-old",
    'To forget it: latticegate tools approve files read_file --because "…"',
  ]);
});

test("a name that hides something is shown as what it is, and approved by its hash alone", () => {
  const tool = "re\u200bad\u001b[31m\u202efile\n";
  const lines = diffLines([{ ...changed, tool, findings: ["says \u0007"], diff: ["+a\u001b]0;x\u0007b"] }]);
  assertSafe(lines);
  assert.match(lines[0] ?? "", /^files\/re⟨U\+200B .*⟩/);
  assert.match(lines.at(-1) ?? "", /tools approve files --as sha256-new --because/);
  assertSafe(listLines([{ ...row, tool }]));
  assert.match(jsonText({ tool }), /re\\u200bad\\u001b\[31m\\u202efile\\n/);
  assert.match(jsonText({ c1: "\u009b31m" }), /\\u009b/);
});

test("a name with a space or a quote is quoted for the shell; one that looks like an option isn't passed", () => {
  const line = (tool: string): string => diffLines([{ ...changed, tool }]).at(-1) ?? "";
  assert.match(line("it's one"), /approve files 'it'\\''s one' --as/);
  assert.match(line("$(id)"), /approve files '\$\(id\)' --as/);
  assert.match(line("--all"), /approve files --as sha256-new/);
  assert.match(diffLines([{ ...changed, tool: "" }])[0] ?? "", /^files\/\(no name\): changed/);
});

test("the history says what was pinned when, by whom and why, and which one counts", () => {
  const version = {
    version: 2,
    at: "2026-11-21T10:00:00.000Z",
    what: "~write_file",
    who: "alice",
    because: "Looked\u001b at it.",
    tools: 2,
    isNow: true,
  };
  const first = { ...version, version: 1, what: "+read_file +write_file", who: "first use", because: "" };
  const lines = historyLines([version, { ...first, isNow: false }]);
  assertSafe(lines);
  assert.deepEqual(lines, [
    "version  at                                 what                    who        because",
    "2 *      2026-11-21T10:00:00.000Z  2 tools  ~write_file             alice      Looked⟨ANSI escape \\u001b a⟩t it.",
    "1        2026-11-21T10:00:00.000Z  2 tools  +read_file +write_file  first use",
  ]);
  assert.deepEqual(historyLines([]), ["nothing was pinned yet"]);
});

test("what was signed is said with the line that gateways need", () => {
  const signed = {
    file: "/s/manifest.json",
    uri: "spiffe://a.test/server/files",
    fingerprint: "F".repeat(43),
    tools: ["read_file", "write_file"],
    readOnly: ["read_file"],
    expires: "2027-02-19T10:00:00.000Z",
  };
  assert.deepEqual(signedLines(signed), [
    "signed 2 tools of spiffe://a.test/server/files, until 2027-02-19T10:00:00.000Z: /s/manifest.json",
    "read-only: read_file",
    "In the config of gateways that are to take its changes up:",
    "",
    `    tools: { publishers: [${"F".repeat(43)}] }`,
  ]);
});
