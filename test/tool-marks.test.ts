/** What is concluded from tools' names, against what 264 makers' descriptions say of the same tools in brackets. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";

import { markTools } from "../src/inventory/tools/mark-tools.ts";

const file = path.resolve(
  import.meta.dirname,
  "../../shared/data/mcp_tool_descriptions/dev/mcp_tool_descriptions.jsonl.gz",
);

test(
  "the verb of a tool's name agrees with what its maker says in brackets",
  { skip: existsSync(file) ? false : "the recorded descriptions aren't there" },
  () => {
    const rows = gunzipSync(readFileSync(file))
      .toString()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as { readonly name: string; readonly desc: string | null });
    let said = 0;
    const wrong: string[] = [];
    for (const { name, desc } of rows) {
      const reads = /\(read-only\)/i.test(desc ?? "");
      if (!reads && !/\((?:write operation|destructive)/i.test(desc ?? "")) continue;
      said++;
      const [tool] = markTools([{ server: "a", tools: [{ name }] }]);
      if ((tool?.may[0] === "read") !== reads || tool?.may[0] === undefined) wrong.push(name);
    }
    assert.ok(said > 250, `${said} say so`);
    assert.deepEqual(wrong, []);
  },
);
