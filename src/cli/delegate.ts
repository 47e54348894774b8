/** `latticegate delegate` */
import path from "node:path";

import { requestDelegation } from "../app/delegate.ts";
import { sidecarState } from "../app/sidecar-state.ts";
import { writePrivateFile } from "../host/store/files.ts";
import { systemClock, systemLog } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import { parseDurationMs } from "../kernel/units.ts";
import type { Command, CommandCall } from "./command.ts";
import { onBehalfOf, onBehalfOfOption, sidecarStateOption } from "./sidecar-options.ts";

const patternsOption = (what: string, example: string) =>
  ({
    type: "string",
    multiple: true,
    value: "PATTERN",
    help: `${what}, e.g. '${example}'; may be repeated.`,
  }) as const;

export const delegate = {
  options: {
    ...sidecarStateOption,
    to: { type: "string", value: "AGENT", help: "Whom: a SPIFFE ID, or its path such as agent/NAME." },
    tools: patternsOption("Tools it may call", "files/read_*"),
    resources: patternsOption("Resources it may read", "files/file:///docs/*"),
    prompts: patternsOption("Prompts it may get", "files/*"),
    for: { type: "string", value: "TIME", help: "How long, e.g. 90s or 1h; 10m by default." },
    depth: { type: "string", value: "N", help: "How often it may be delegated on; 0 by default." },
    ...onBehalfOfOption,
    out: { type: "string", value: "FILE", help: "Write it there, mode 0600, instead of printing it." },
  },
  run: async (call) => {
    const to = call.text("to");
    if (to === undefined || call.positionals.length > 0) {
      throw new Refusal("bad_config", "Say to whom, and what: --to agent/NAME --tools 'files/read_*'.");
    }
    const [lifetime, depth] = [secondsOf(call), depthOf(call)];
    const credential = await requestDelegation(
      {
        state: sidecarState(call.text("state")),
        clock: systemClock,
        log: systemLog({ level: "warn" }),
        ...onBehalfOf(call),
      },
      {
        to,
        tools: call.texts("tools"),
        resources: call.texts("resources"),
        prompts: call.texts("prompts"),
        ...(lifetime !== undefined && { lifetime }),
        ...(depth !== undefined && { depth }),
      },
    );
    const out = call.text("out");
    if (out === undefined) call.out(credential);
    else await writePrivateFile(path.resolve(out), `${credential}\n`);
    return 0;
  },
} as const satisfies Command;

function secondsOf(call: CommandCall): number | undefined {
  const text = call.text("for");
  if (text === undefined) return undefined;
  const ms = parseDurationMs(text);
  if (ms !== undefined && ms >= 1000) return Math.floor(ms / 1000);
  throw new Refusal(
    "bad_config",
    `--for takes a time of a second or more such as 90s, 10m or 1h, found "${text}".`,
  );
}

function depthOf(call: CommandCall): number | undefined {
  const text = call.text("depth");
  if (text === undefined) return undefined;
  if (/^\d{1,3}$/.test(text)) return Number(text);
  throw new Refusal("bad_config", `--depth takes a whole number, found "${text}".`);
}
