/** What was seen in a call may change the world that it is judged under: the call that shows an attack is stopped itself. */
import type { Observed } from "./call.ts";
import { stackOf } from "./observe.ts";
import type { Ports } from "./ports.ts";
import type { World } from "./world.ts";

/** INVARIANT: a fault in what responds costs no call; the rules judge it all the same. */
export function responded(
  call: Observed,
  world: World,
  { responses, log }: Pick<Ports, "responses" | "log">,
): World {
  if (responses === undefined) return world;
  try {
    return responses.seen(call, world);
  } catch (error) {
    log.error("response.fault", { server: call.server, stack: stackOf(error) });
    return world;
  }
}
