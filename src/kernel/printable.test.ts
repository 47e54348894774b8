/** Text of a stranger's, made fit for a terminal. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { printable } from "./printable.ts";

test("control characters, line ends and what isn't ASCII are shown as a question mark", () => {
  assert.equal(printable("a b~\n\u001b[31m\u007f\u202e\u00e9", 64), "a b~??[31m???");
});

test("what is longer than asked for is cut, and says so", () => {
  assert.equal(printable("abcd", 4), "abcd");
  assert.equal(printable("abcde", 4), "abcd…[cut]");
});
