/** The link that a bridged server was last reached on: what is translated comes on none of its own, and the log names this. */
import type { Answer, Journaled } from "../../gate/call.ts";
import type { ServerLink } from "../../model/channel.ts";
import type { Upstream } from "../net/upstreams.ts";

export interface NotedLink {
  /** The server's own adapter. */
  readonly upstream: Upstream;
  /** What is asked of it by translation. */
  readonly over: (translated: Upstream) => Upstream;
}

export function notedLink(upstream: Upstream): NotedLink {
  let link: ServerLink | undefined;
  const noting = async (call: Journaled): Promise<Answer> => {
    const answer = await upstream.forward(call);
    link = answer.link ?? link;
    return answer;
  };
  return {
    upstream: { ...upstream, forward: noting },
    over: (translated) => ({
      ...translated,
      forward: async (call) => ({ ...(await translated.forward(call)), ...(link && { link }) }),
    }),
  };
}
