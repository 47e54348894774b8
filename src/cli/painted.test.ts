/** Colours of what commands print: where there are any, and that the text says the same without. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { WriteStream } from "node:tty";
import { stripVTControlCharacters } from "node:util";

import { painted, paintedComplaint } from "./painted.ts";
import { isForPeople } from "./without-json.ts";

const text = `ok      runtime          works
wrong   log              changed: entry 2
Weak spots
  none found
Decision: denied: by no-rm.
deny (no-rm) -> allow (all): 3 calls
17  2026-11-21T09:30:00Z  call  denied  agent/cli  open the gate
waiting, 0 of 1 approvals
It is open. Nothing is wrong.`;

/** In [bad], (good), {waits} and *title*. */
const expected = `(ok)      runtime          works
[wrong]   log              [changed]: entry 2
*Weak spots*
  none found
Decision: [denied]: by no-rm.
[deny] (no-rm) -> (allow) (all): 3 calls
17  2026-11-21T09:30:00Z  call  [denied]  agent/cli  open the gate
{waiting}, 0 of 1 approvals
It is open. Nothing is wrong.`;

test("verdicts and titles are coloured where they stand alone, and not in sentences", (t) => {
  setting(t, "FORCE_COLOR", "1");
  assert.equal(painted(text, process.stdout), inColour(expected));
  assert.equal(stripVTControlCharacters(painted(text, process.stdout)), text);
  const complaint = "latticegate pins forget: Expected one SPIFFE ID.";
  const complained = inColour("[latticegate pins forget:] Expected one SPIFFE ID.");
  assert.equal(paintedComplaint(complaint, process.stderr), complained);
});

test("no stream but a terminal has colours, and NO_COLOR ends them", (t) => {
  setting(t, "FORCE_COLOR", undefined);
  setting(t, "CI", undefined); // Terminals of CIs have the colours that each CI is known for.
  const terminal = Object.create(WriteStream.prototype) as WriteStream;
  const stream = (isTTY: boolean): NodeJS.WriteStream =>
    Object.create(process.stdout, {
      isTTY: { value: isTTY },
      getColorDepth: { value: () => terminal.getColorDepth() },
    }) as NodeJS.WriteStream;
  assert.equal(painted(text, stream(false)), text);
  setting(t, "NO_COLOR", undefined);
  setting(t, "TERM", "xterm");
  assert.notEqual(painted(text, stream(true)), text);
  setting(t, "NO_COLOR", "1");
  assert.equal(painted(text, stream(true)), text);
});

test("what programs read is never coloured", () => {
  for (const [command, ...args] of [
    ["audit query", "--format", "csv"],
    ["audit query", "--format=jsonl"],
    ["doctor", "--json"],
    ["ca token"],
    ["completion", "bash"],
    ["inventory export", "--as", "csv"],
    ["ca roots", "--outside"],
  ] as const)
    assert.ok(!isForPeople(command, args), command);
  assert.ok(isForPeople("audit query", ["--verdict", "denied"]));
});

/** In this process's environment, until the test is over. */
function setting(t: TestContext, name: string, value: string | undefined): void {
  const before = process.env[name];
  const set = (to: string | undefined): void => {
    if (to === undefined) delete process.env[name];
    else process.env[name] = to;
  };
  set(value);
  t.after(() => set(before));
}

function inColour(marked: string): string {
  const escape = (code: number): string => `\u001b[${code}m`;
  return marked
    .replaceAll(/\[([^\]]+)\]/g, (_, word: string) => escape(31) + word + escape(39))
    .replaceAll(
      /^\((\w+)\)|(?<=-> )\((\w+)\)/gm,
      (_, a?: string, b?: string) => escape(32) + (a ?? b ?? "") + escape(39),
    )
    .replaceAll(/\{(\w+)\}/g, (_, word: string) => escape(33) + word + escape(39))
    .replaceAll(/\*(.+)\*/g, (_, line: string) => escape(1) + line + escape(22));
}
