/** `latticegate ca drill` */
import { loadConfig } from "../app/config.ts";
import { drill } from "../app/drill.ts";
import { systemClock, systemLog } from "../host/system.ts";
import { type Command, configFile, configOption } from "./command.ts";

export const caDrill = {
  options: configOption,
  run: async (call) => {
    const environment = { clock: systemClock, log: systemLog({ level: "error" }) };
    let wrong = 0;
    for await (const { isGood, text } of drill(loadConfig(configFile(call)), environment)) {
      if (!isGood) wrong += 1;
      call.out(`${isGood ? "ok   " : "wrong"}  ${text}`);
    }
    call.out(wrong === 0 ? "The drill went well; nothing of it is left." : `${wrong} to be put right.`);
    return wrong === 0 ? 0 : 1;
  },
} as const satisfies Command;
