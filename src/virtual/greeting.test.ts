import assert from "node:assert/strict";
import { test } from "node:test";

import { joinedDiscover, joinedInitialize } from "./greeting.ts";

const itself = { name: "all", version: "9" };
const greeting = (member: string, result: Readonly<Record<string, unknown>>) => ({ member, result });

test("what any server can do, the joined one can; each capability in the fullest form", () => {
  const joined = joinedInitialize(
    [
      greeting("a", {
        protocolVersion: "2025-11-25",
        capabilities: { tools: {}, extensions: { "x/y": { v: 1 } }, tasks: { list: {}, cancel: {} } },
        instructions: "Be kind.",
      }),
      greeting("b", {
        protocolVersion: "2025-06-18",
        capabilities: {
          tools: { listChanged: true },
          prompts: {},
          extensions: { "x/y": { v: 2 }, "x/z": {} },
        },
      }),
    ],
    itself,
  );
  assert.deepEqual(joined, {
    protocolVersion: "2025-06-18",
    capabilities: {
      tools: { listChanged: true },
      prompts: {},
      extensions: { "x/y": { v: 1 }, "x/z": {} },
      tasks: { cancel: {} },
    },
    serverInfo: itself,
    instructions: "# a\n\nBe kind.",
  });
});

test("modern versions are those that all speak; a server that names none takes none away", () => {
  const joined = joinedDiscover(
    [
      greeting("a", { supportedVersions: ["2026-07-28", "2027-01-01"] }),
      greeting("b", { supportedVersions: ["2026-07-28"] }),
      greeting("c", { supportedVersions: "all", capabilities: null }),
    ],
    itself,
  );
  assert.deepEqual(joined["supportedVersions"], ["2026-07-28"]);
  assert.deepEqual([joined["ttlMs"], joined["cacheScope"]], [0, "private"]);
});
