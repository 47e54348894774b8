/** `latticegate audit keys`: the generations of keys that sign a log. */
import { loadConfig } from "../app/config.ts";
import { listLogKeys, type LogKeyReport } from "../app/log-key-list.ts";
import { statePaths } from "../app/state-folder.ts";
import { type Command, configFile, configOption } from "./command.ts";
import { logOption } from "./log-place.ts";
import { jsonText } from "./tools-text.ts";

export const auditKeys = {
  options: {
    ...configOption,
    json: { type: "boolean", help: "Print JSON." },
    ...logOption,
    key: {
      type: "string",
      value: "FILE",
      help: "A public key of the log, of any generation; by default log-key.txt of the state folder.",
    },
  },
  run: async (call) => {
    const config = (): string => loadConfig(configFile(call)).state;
    const report = await listLogKeys({
      folder: call.text("log") ?? statePaths(config()).log,
      key: call.text("key") ?? statePaths(config()).logKey,
    });
    if (call.flag("json"))
      call.out(jsonText({ generations: report.generations.map(jsonOf), faults: report.faults }));
    else {
      for (const generation of report.generations) call.out(line(generation));
      for (const { what, text } of report.faults) call.out(`${what}: ${text}`);
    }
    return report.faults.length === 0 ? 0 : 1;
  },
} as const satisfies Command;

function jsonOf({ number, state, algorithms, fingerprint, ...span }: LogKeyReport): object {
  return {
    number,
    state,
    algorithms,
    fingerprint,
    from_size: span.fromSize ?? null,
    to_size: span.toSize ?? null,
    since: span.sinceUnixMs === undefined ? null : new Date(span.sinceUnixMs).toISOString(),
  };
}

function line({ number, state, algorithms, fingerprint, ...span }: LogKeyReport): string {
  const heads = `heads from ${span.fromSize ?? "?"}${span.toSize === undefined ? " on" : ` to ${span.toSize}`}`;
  const since = span.sinceUnixMs === undefined ? "" : `  since ${new Date(span.sinceUnixMs).toISOString()}`;
  return `${String(number).padStart(4)}  ${state.padEnd(5)}  ${algorithms.join(" ")}  fingerprint ${fingerprint}  ${heads}${since}`;
}
