/** `latticegate login` */
import { spawn } from "node:child_process";

import { z } from "zod";

import { loadConfig } from "../app/config.ts";
import { runningGateway } from "../app/certificate-authority.ts";
import { askControl, mustBeDone } from "../app/control/ask-control.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Command, configFile, configOption } from "./command.ts";

const answer = z.object({ link: z.string(), expiresAtUnixMs: z.number() });

export const login = {
  options: {
    ...configOption,
    person: {
      type: "string",
      value: "NAME",
      help: "For one of `control.people` instead of the operator of this machine, with that one's roles.",
    },
    open: { type: "boolean", help: "Open it in a browser, too." },
    json: { type: "boolean", help: "Print the link and when it ends as JSON." },
  },
  run: async (call) => {
    const { state } = loadConfig(configFile(call));
    const run = await runningGateway(state);
    if (run?.control === undefined)
      throw new Refusal("bad_state", `No gateway runs on ${state}; start it with "latticegate up".`);
    const person = call.text("person");
    const body = person === undefined ? {} : { person };
    const { link, expiresAtUnixMs } = answer.parse(
      mustBeDone(await askControl(run.control, "POST /session/codes", body)),
    );
    const expires = new Date(expiresAtUnixMs).toISOString();
    if (call.flag("json")) call.out(JSON.stringify({ link, expires }));
    else call.out(`${link}\nIt logs one browser in, once, until ${expires}.`);
    if (call.flag("open")) openInBrowser(link);
    return 0;
  },
} as const satisfies Command;

function openInBrowser(link: string): void {
  const [program, ...args] =
    process.platform === "darwin"
      ? ["open", link]
      : process.platform === "win32"
        ? ["cmd", "/c", "start", "", link]
        : ["xdg-open", link];
  if (program === undefined) return;
  const child = spawn(program, args, { stdio: "ignore", detached: true });
  // The link is printed anyway.
  child.on("error", () => undefined);
  child.unref();
}
