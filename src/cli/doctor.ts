/** `latticegate doctor` */
import { loadConfig } from "../app/config.ts";
import { examine } from "../app/doctor.ts";
import { systemClock } from "../host/system.ts";
import { type Command, configFile, configOption } from "./command.ts";

export const doctor = {
  options: configOption,
  run: async (call) => {
    let wrong = 0;
    for await (const finding of examine({ config: loadConfig(configFile(call)), clock: systemClock })) {
      if (finding.level === "wrong") wrong += 1;
      call.out(
        `${finding.level.padEnd(7)} ${finding.what.padEnd(16)} ${finding.text}${finding.remedy === undefined ? "" : `\n${" ".repeat(25)}→ ${finding.remedy}`}`,
      );
    }
    call.out(wrong === 0 ? "Everything works." : `${wrong} to be put right.`);
    return wrong === 0 ? 0 : 1;
  },
} as const satisfies Command;
