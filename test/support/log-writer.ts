/** Appends as fast as it can and prints each index once it is acknowledged, until it is killed. */
import { writeSync } from "node:fs";

import { draft, keysFromText, open, signersOf } from "./log-fixture.ts";

const [folder = "", keys = "[]"] = process.argv.slice(2);
const journal = await open(folder, { signers: signersOf(keysFromText(keys)), checkpointEveryMs: 20 });
for (let next = journal.size(); ;) {
  const batch = Array.from({ length: 1 + (next % 40) }, (_, i) => journal.append(draft(next + i)));
  const receipts = await Promise.all(batch);
  writeSync(1, receipts.map(({ index }) => `${index}\n`).join(""));
  next += batch.length;
}
