/** `latticegate audit renewed`: one entry that is proven by a renewal, for who hasn't the log. */
import { loadConfig } from "../app/config.ts";
import { checkRenewedEntry, renewedEntryOf } from "../app/renewed-entry.ts";
import { statePaths } from "../app/state-folder.ts";
import { readFallen } from "../crypto/suites/fallen.ts";
import { fromUtf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { brokenOption, renewalLine } from "./audit-broken.ts";
import { type Command, type CommandCall, configFile, configOption } from "./command.ts";
import { logOption } from "./log-place.ts";

export const auditRenewed = {
  options: {
    ...configOption,
    ...logOption,
    check: { type: "string", value: "FILE", help: "What this command printed once." },
    key: {
      type: "string",
      value: "FILE",
      help: "The log's public key; by default log-key.txt of the state folder.",
    },
    ...brokenOption,
  },
  run: async (call) => {
    const file = call.text("check");
    return await (file === undefined ? print(call) : check(call, file));
  },
} as const satisfies Command;

async function print(call: CommandCall): Promise<number> {
  const [text = "", ...more] = call.positionals;
  if (!/^(0|[1-9][0-9]{0,14})$/.test(text) || more.length > 0) {
    throw new Refusal("bad_config", "Name one entry by its index, as `latticegate audit tail` shows it.");
  }
  const folder = call.text("log") ?? statePaths(loadConfig(configFile(call)).state).log;
  call.out((fromUtf8(await renewedEntryOf(folder, Number(text))) ?? "").trimEnd());
  return 0;
}

async function check(call: CommandCall, file: string): Promise<number> {
  const key = call.text("key") ?? statePaths(loadConfig(configFile(call)).state).logKey;
  const reading = await checkRenewedEntry(file, key, call.texts("broken").map(readFallen));
  if (reading.kind === "bad") {
    call.out(`unproven: ${reading.why}`);
    return 1;
  }
  call.out(`proven: entry ${reading.index}, ${renewalLine(reading.renewal)}`);
  call.out(fromUtf8(reading.entry) ?? "");
  return 0;
}
