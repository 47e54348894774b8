/** Rules that are right, and for a while have nowhere to be recorded. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import { atEnd } from "../../test/support/cleanup.ts";
import { eventually, freshState, temporaryFolder } from "../../test/support/gateway.ts";
import { systemClock, systemLog } from "../host/system.ts";
import { loadConfig } from "./config.ts";
import { followPolicies } from "./followed-policies.ts";
import { statePaths } from "./state-folder.ts";

const rule = (name: string, effect: string): string =>
  `  - { name: ${name}, callers: ["*"], tools: ["*"], effect: ${effect}, because: x }\n`;

test("a rule that couldn't be recorded is taken up once it can be", async (t) => {
  const file = path.join(await temporaryFolder(t), "latticegate.yaml");
  await writeFile(file, `policies:\n${rule("open", "allow")}`);
  let isFull = true;
  let asked = 0;
  const journal = {
    append: () => {
      asked += 1;
      return isFull ? Promise.reject(new Error("disk full")) : Promise.resolve({ index: 0 });
    },
  };
  const followed = await followPolicies(loadConfig(file), {
    journal,
    principal: "spiffe://a.test/gateway",
    database: statePaths(await freshState(t)).database,
    clock: systemClock,
    log: systemLog({ level: "error", form: "json", write: () => undefined }),
    terms: () => assert.fail("nothing is asked over a link"),
  });
  atEnd(t, followed.stop);
  const names = (): readonly string[] => followed.current().rules.map(({ name }) => name);
  await writeFile(file, `policies:\n${rule("open", "allow")}${rule("stop", "deny")}`);
  await followed.look();
  assert.deepEqual([names(), asked], [["open"], 1]);
  isFull = false;
  await eventually("the rule is taken up", () => names().includes("stop"));
});
