/** `latticegate doctor` */
import { loadConfig } from "../app/config.ts";
import { examine } from "../app/doctor.ts";
import { systemClock } from "../host/system.ts";
import { type Command, configFile, configOption } from "./command.ts";
import { jsonText } from "./tools-text.ts";

export const doctor = {
  options: { ...configOption, json: { type: "boolean", help: "Print JSON." } },
  run: async (call) => {
    const findings = examine({ config: loadConfig(configFile(call)), clock: systemClock });
    if (call.flag("json")) {
      const found = await Array.fromAsync(findings);
      call.out(jsonText({ findings: found }));
      return found.some(({ level }) => level === "wrong") ? 1 : 0;
    }
    let wrong = 0;
    for await (const finding of findings) {
      if (finding.level === "wrong") wrong += 1;
      call.out(
        `${finding.level.padEnd(7)} ${finding.what.padEnd(16)} ${finding.text}${finding.remedy === undefined ? "" : `\n${" ".repeat(25)}→ ${finding.remedy}`}`,
      );
    }
    call.out(wrong === 0 ? "Everything works." : `${wrong} to be put right.`);
    return wrong === 0 ? 0 : 1;
  },
} as const satisfies Command;
