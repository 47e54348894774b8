/** `latticegate egress list`, `egress lift` */
import { egressOverview, liftBlock, type SeenDestination } from "../app/egress/egress-operations.ts";
import { sidecarState } from "../app/sidecar-state.ts";
import { systemLog } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Command } from "./command.ts";
import { sidecarStateOption } from "./sidecar-options.ts";

export const egressList = {
  options: { ...sidecarStateOption, json: { type: "boolean", help: "Print JSON." } },
  run: (call) => {
    if (call.positionals.length > 0) throw new Refusal("bad_config", "Expected no further argument.");
    const { blocks, destinations } = egressOverview(
      sidecarState(call.text("state")),
      systemLog({ level: "warn" }),
    );
    if (call.flag("json")) {
      const dated = ({ sinceUnixMs, ...block }: (typeof blocks)[number]): object => ({
        ...block,
        since: new Date(sinceUnixMs).toISOString(),
      });
      call.out(
        JSON.stringify({ blocks: blocks.map(dated), destinations: destinations.map(jsonOf) }, null, 2),
      );
      return Promise.resolve(0);
    }
    if (blocks.length + destinations.length === 0) call.out("it has been nowhere");
    for (const { destination, sinceUnixMs, because } of blocks) {
      call.out(`blocked  ${destination}  since ${new Date(sinceUnixMs).toISOString()}`);
      call.out(`         ${because}`);
    }
    for (const { destination, isKnown, contacts, usualBytes } of destinations)
      call.out(
        `${isKnown ? "known  " : "new    "}  ${destination}  ${contacts} connections, usually up to ${usualBytes} bytes sent`,
      );
    return Promise.resolve(0);
  },
} as const satisfies Command;

export const egressLift = {
  options: sidecarStateOption,
  run: (call) => {
    const [destination, ...more] = call.positionals;
    if (destination === undefined || more.length > 0)
      throw new Refusal("bad_config", "Expected one HOST:PORT, as `latticegate egress list` prints it.");
    const wasBlocked = liftBlock(sidecarState(call.text("state")), destination);
    call.out(wasBlocked ? `lifted: ${destination}` : `nothing to lift: ${destination} isn't blocked`);
    return Promise.resolve(wasBlocked ? 0 : 1);
  },
} as const satisfies Command;

function jsonOf({ isKnown, lastUnixMs, ...rest }: SeenDestination): object {
  return { ...rest, known: isKnown, last: new Date(lastUnixMs).toISOString() };
}
