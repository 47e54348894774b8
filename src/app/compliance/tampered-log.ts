/** Whether a change of the log would be found out: on a copy of its newest part, which is thrown away. */
import { auditBundlePieces } from "../../audit/audit-bundle.ts";
import { verifyBundle } from "../../audit/verify-audit-bundle.ts";
import { openLogReader } from "../../host/store/log-reader.ts";
import { utf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { exportAudit } from "../audit-export.ts";
import { statePaths } from "../state-folder.ts";
import { failed, passed, skipped, type TestOutcome } from "./test-scene.ts";

/** Entries that are looked at. */
const most = 64;

export async function tamperedLog(state: string): Promise<TestOutcome> {
  const { log: folder, logKey: key } = statePaths(state);
  const size = await openLogReader(folder).size();
  const from = Math.max(0, size - most);
  const range = { kind: "indexes", from, to: size - 1 } as const;
  try {
    const { bundle, fingerprint } = await exportAudit({ folder, key, range, wait: true });
    const text = [...auditBundlePieces(bundle)].join("");
    const isWhole = verifyBundle(utf8(text), { fingerprint }).kind === "intact";
    if (!isWhole) return failed("the newest entries don't verify as they are");
    const changed = text.replace("allowed", "denied");
    if (changed === text) return skipped("none of the newest entries could be changed in a way that fits");
    const verdict = verifyBundle(utf8(changed), { fingerprint });
    return verdict.kind === "broken"
      ? passed(`of ${bundle.entries.length} entries a changed one is told`)
      : failed("an entry was changed, and the copy verified");
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return error.code === "bad_log" ? failed(error.message) : skipped(error.message);
  }
}
