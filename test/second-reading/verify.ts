/**
 * A second reading of a log, or of one tlog-proof, with the public keys alone:
 *   verify.ts FOLDER KEYFILE [--head FILE]
 *   verify.ts --proof FILE KEYFILE [--entry FILE]
 * Prints `{ ok, origin, size, root, signedBy, findings, notes }`; ends with 0 if it holds, else with 1.
 */
import { parseArgs } from "node:util";

import { Wrong } from "./bytes.ts";
import { readKeyFile } from "./key-file.ts";
import { type Verdict, verifyLog } from "./log.ts";
import { verifyProof } from "./verify-proof.ts";

const usage = "verify.ts FOLDER KEYFILE [--head FILE] | verify.ts --proof FILE KEYFILE [--entry FILE]";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { head: { type: "string" }, proof: { type: "string" }, entry: { type: "string" } },
});
const verdict = run();
process.stdout.write(`${JSON.stringify(verdict, null, 2)}\n`);
process.exitCode = verdict.ok ? 0 : 1;

function run(): Verdict {
  try {
    const [first, second, ...more] = positionals;
    const keyFile = values.proof === undefined ? second : first;
    if (first === undefined || keyFile === undefined || more.length > 0) throw new Wrong(`usage: ${usage}`);
    const generations = readKeyFile(keyFile);
    return values.proof === undefined
      ? verifyLog(first, generations, values.head)
      : verifyProof(values.proof, generations, values.entry);
  } catch (error) {
    if (!(error instanceof Wrong)) throw error;
    const nothing = { ok: false, origin: null, size: null, root: null, signedBy: [], notes: [] };
    return { ...nothing, findings: [error.message] };
  }
}
