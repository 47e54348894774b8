/** `latticegate remote join | list | forget` */
import { forgetRoom, joinRoom, knownRooms } from "../app/control/remote-rooms.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Command, CommandCall } from "./command.ts";
import { remotesPlace } from "./room.ts";
import { table } from "./table.ts";
import { jsonText } from "./tools-text.ts";

const options = { json: { type: "boolean", help: "Print JSON." } } as const;

export const remoteJoin = {
  options: {
    ...options,
    join: {
      type: "string",
      value: "TOKEN",
      help: "Join token for you, `latticegate ca token --for person/NAME` on that machine; $LATTICEGATE_JOIN keeps it out of process lists.",
    },
  },
  run: async (call) => {
    const [name, url, ...more] = call.positionals;
    const joinToken = call.text("join") ?? process.env["LATTICEGATE_JOIN"];
    if (name === undefined || url === undefined || more.length > 0)
      throw new Refusal("bad_config", "Expected a name of your choice, and the control room's address.");
    if (joinToken === undefined)
      throw new Refusal(
        "bad_join_token",
        'Expected --join TOKEN; "latticegate ca token --for person/NAME" makes one on the gateway\'s machine.',
      );
    const room = await joinRoom(remotesPlace(), name, { url, joinToken });
    if (call.flag("json")) call.out(jsonText(room));
    else {
      call.out(`${name}: ${room.url}, the control room of ${room.gateway}`);
      call.out(`You are ${room.spiffeId} there; what you may do, its control.people says.`);
    }
    return 0;
  },
} as const satisfies Command;

export const remoteList = {
  options,
  run: async (call) => {
    if (call.positionals.length > 0) throw new Refusal("bad_config", "Expected no further argument.");
    const rooms = await knownRooms(remotesPlace());
    if (call.flag("json")) call.out(jsonText(rooms));
    else if (rooms.length === 0) call.out('none is known; "latticegate remote join" makes one known');
    else
      for (const line of table(
        rooms.map(({ name, url, spiffeId }) => [name, url, spiffeId]),
        "",
      ))
        call.out(line);
    return 0;
  },
} as const satisfies Command;

export const remoteForget = {
  options,
  run: async (call) => {
    const name = oneName(call);
    await forgetRoom(remotesPlace(), name);
    call.out(`forgotten: ${name}, with your key for it; who has the gateway revokes what it was given`);
    return 0;
  },
} as const satisfies Command;

function oneName(call: CommandCall): string {
  const [name, ...more] = call.positionals;
  if (name !== undefined && more.length === 0) return name;
  throw new Refusal("bad_config", 'Name one; "latticegate remote list" has them.');
}
