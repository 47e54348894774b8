/** `latticegate api`: the control API, of a gateway that runs here or elsewhere. */
import { mustBeDone } from "../app/control/ask-control.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Command, configFile } from "./command.ts";
import { ask, roomPlaceOptions } from "./room.ts";
import { jsonText } from "./tools-text.ts";

const methods = ["GET", "POST", "DELETE"] as const;

export const api = {
  options: roomPlaceOptions,
  run: async (call) => {
    const [asked = "", path = "", text, ...more] = call.positionals;
    const method = methods.find((each) => each === asked.toUpperCase());
    if (method === undefined || !path.startsWith("/") || more.length > 0)
      throw new Refusal(
        "bad_config",
        `Expected ${methods.join(", ")}, a path such as /status, and JSON to send.`,
      );
    const sent = text === undefined ? undefined : sentIn(text);
    const name = `${method} ${path.replace(/^\/api\/v1/, "")}`;
    const answer = await ask(call, {
      asked: async (room) => mustBeDone(await room.ask(name, sent)),
      here: () => {
        throw new Refusal("bad_state", `No gateway runs by ${configFile(call)}; "latticegate up" starts it.`);
      },
    });
    call.out(jsonText(answer));
    return 0;
  },
} as const satisfies Command;

function sentIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Refusal("bad_config", "What is to be sent is no JSON.", { cause });
  }
}
