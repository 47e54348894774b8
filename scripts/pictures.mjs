// `npm run pictures`: takes the guide's pictures of the control room anew, as the browser tests see it.
import { copyFileSync, existsSync } from "node:fs";
import path from "node:path";

import { ensureInstalled, root } from "./setup.mjs";
import { node, runSteps } from "./steps.mjs";

/** Of the guide, by what the tests call them. */
const pictures = {
  "page.png": "overview-wide.png",
  "page-phone.png": "overview-phone.png",
  "map.png": "map-wide.png",
  "live.png": "live.png",
  "call.png": "call.png",
  "tools.png": "tools-wide.png",
  "policy.png": "policy-wide.png",
  "crypto.png": "crypto-wide.png",
  "audit.png": "audit.png",
  "compliance.png": "compliance-wide.png",
  "incident.png": "incidents.png",
  "approval.png": "approval-phone.png",
};

await ensureInstalled();
process.exitCode = await runSteps([
  node(
    "the control room in Chromium",
    "--test",
    "--test-concurrency=1",
    "test/acceptance/browser.test.ts",
    "test/acceptance/control-room.test.ts",
  ),
]);
for (const [name, taken] of Object.entries(pictures)) {
  const from = path.join(root, "out", "screenshots", taken);
  if (existsSync(from)) copyFileSync(from, path.join(root, "docs", "images", name));
  else process.exitCode = 1;
}
