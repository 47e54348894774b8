/** `latticegate audit renew`: wraps the audit log's history under another hash. */
import { loadConfig } from "../app/config.ts";
import { renewalHash, renewHistory } from "../app/log-renewal.ts";
import { renewalHashes } from "../crypto/suites/symmetric.ts";
import { systemClock } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Command, configFile, configOption } from "./command.ts";

export const auditRenew = {
  options: {
    ...configOption,
    hash: {
      type: "string",
      value: "HASH",
      help: `${renewalHashes.join(" or ")}; the first by default.`,
    },
  },
  run: async (call) => {
    if (call.positionals.length > 0) throw new Refusal("bad_config", "audit renew takes no arguments.");
    const hash = renewalHash(call.text("hash") ?? renewalHashes[0]);
    const by = `audit renew (uid ${process.getuid?.() ?? "unknown"})`;
    const done = await renewHistory(loadConfig(configFile(call)), { hash, by }, systemClock);
    const { number, size, files, byGateway } = done;
    call.out(
      `renewal ${number}  wraps ${size} entries and ${files} files under ${hash}${byGateway ? ", in the gateway that runs" : ""}`,
    );
    call.out(
      "Keep a copy of the log and of log-key.txt where nobody who has the gateway can change them: a fallen hash protects neither.",
    );
    return 0;
  },
} as const satisfies Command;
