import assert from "node:assert/strict";
import { test } from "node:test";

import { seenAt } from "./asking.ts";

test("an address that a configuration names, and where clouds keep credentials, is told and not asked", async () => {
  const asked: string[] = [];
  const asking = {
    ask: (url: string) => Promise.resolve(void asked.push(url)),
    probe: (host: string) => Promise.resolve(void asked.push(host)),
  };
  for (const host of ["169.254.169.254", "[fe80::1]", "0.0.0.0", "224.0.0.1"]) {
    const { problem } = await seenAt(`http://${host}/mcp`, asking);
    assert.match(problem?.because ?? "", /isn't asked/, host);
  }
  assert.deepEqual(asked, []);
  await seenAt("http://127.0.0.1:8000/mcp", asking);
  assert.deepEqual(asked, ["127.0.0.1"]);
});
