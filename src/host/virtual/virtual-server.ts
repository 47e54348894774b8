/**
 * A virtual server: one endpoint that joins several. A call that names something goes to the member that has it,
 * down the path of a call like any other; what concerns all is asked of all and answered as one. A member that is
 * dead or slow is left out, and named.
 */
import type { Answer, Journaled, Located, Received } from "../../gate/call.ts";
import type { Ports, VirtualServers } from "../../gate/ports.ts";
import { openTo } from "../../gate/stages.ts";
import type { World } from "../../gate/world.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Upstream } from "../net/upstreams.ts";
import { empty } from "../answers.ts";
import { answerForAll, greet } from "./answers.ts";
import type { Asking } from "./ask-member.ts";
import { route } from "./route.ts";
import type { View } from "./view.ts";
import { Views } from "./views.ts";

export interface VirtualServerOptions {
  readonly name: string;
  readonly members: readonly string[];
  /** The gateway's version, which is the virtual server's. */
  readonly version: string;
  /** How long a client waits for the slowest member. */
  readonly patienceMs: number;
  readonly idleTimeoutMs: number;
  readonly answerBytes: number;
  /** The path of a call, from its beginning. */
  readonly handle: (received: Received) => Promise<void>;
  readonly world: () => World;
  readonly ports: Pick<Ports, "clock" | "log">;
}

export interface VirtualServer extends Upstream, VirtualServers {}

/** What a call of one client is answered with. */
export interface Turn {
  readonly view: View;
  readonly asking: Asking;
  readonly call: Located;
  /** The members of which the caller may use anything. */
  readonly open: readonly string[];
}

export function virtualServer(options: VirtualServerOptions): VirtualServer {
  const views = new Views(options);
  const underWay = new Set<Promise<void>>();
  const handle = (received: Received): Promise<void> => {
    const handled = options.handle(received).finally(() => underWay.delete(handled));
    underWay.add(handled);
    return handled;
  };
  const turnOf = (call: Located, view: View): Turn => ({
    view,
    asking: { call, handle, clock: options.ports.clock, answerBytes: options.answerBytes },
    call,
    open: openTo(call, options.members, options.world()),
  });
  return {
    route: async (call) => {
      const view = views.of(call);
      return view === undefined ? call : await route(call, turnOf(call, view));
    },
    forward: async (call) => {
      const { frame } = call;
      if (frame?.kind === "request" && frame.method === "initialize") {
        const view = views.open(call, frame);
        return await greet(frame, turnOf(call, view), options).catch((error: unknown) => {
          views.close(view); // Nobody has been told of this session.
          throw error;
        });
      }
      const view = views.of(call);
      if (view === undefined) return withoutSession(call);
      if (call.verb === "DELETE") views.close(view);
      return await answerForAll(call, turnOf(call, view), options);
    },
    close: async () => {
      views.stop();
      // The members end at the same time, and what was asked of them with them; each has its outcome to leave.
      await Promise.allSettled(underWay);
    },
  };
}

/** A legacy call outside any session. */
function withoutSession(call: Journaled): Answer {
  if (call.frame === undefined) return empty(405, ["allow", "POST"]);
  throw new Refusal(
    "bad_message",
    "This server needs a session: send initialize first, then Mcp-Session-Id.",
  );
}

/** The virtual servers by name, as the port that the gate sees. */
export function namedVirtualServers(servers: ReadonlyMap<string, VirtualServer>): VirtualServers {
  return {
    route: async (call) => {
      const server = servers.get(call.server);
      return server === undefined ? call : await server.route(call);
    },
  };
}
