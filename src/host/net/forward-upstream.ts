/** A forward server: each call goes to the URL that its client named and the gate found on the list. */
import { Pool } from "undici";

import { Refusal } from "../../kernel/refusal.ts";
import { exchange, type ExchangeLimits } from "./http-exchange.ts";
import { forwardedHeaders } from "./forward-request.ts";
import { plainLink } from "./link-facts.ts";
import { asAnswer } from "./http-upstream.ts";
import { pathConnector } from "./path-connector.ts";
import type { Upstream } from "./upstreams.ts";

interface Bounds {
  /** Origins that connections are kept to; the one unused for longest makes way. */
  readonly origins: number;
  /** Requests and streams under way to one origin: a client named it, so it isn't known to bear more. */
  readonly underWay: number;
}

const defaultBounds: Bounds = { origins: 64, underWay: 256 };

const connector = pathConnector();

export function forwardUpstream(limits: ExchangeLimits, bounds: Bounds = defaultBounds): Upstream {
  /** The least recently used comes first. */
  const pools = new Map<string, Pool>();
  return {
    forward: async (call) => {
      const { targetUrl } = call;
      if (targetUrl === undefined) throw new Error("A call to a forward server has a target.");
      const answer = await exchange(
        poolFor(targetUrl.origin, pools, bounds),
        {
          method: call.verb,
          path: targetUrl.path,
          headers: [
            "host",
            targetUrl.host,
            ...forwardedHeaders(call.headers),
            ...(call.session === undefined ? [] : ["mcp-session-id", call.session]),
          ],
          body: call.body,
          gone: call.reply.gone,
        },
        limits,
      );
      const link = plainLink(targetUrl.origin);
      return { ...asAnswer(answer, limits.answerBytes), ...(link && { link }) };
    },
    close: async () => {
      await Promise.all([...pools.values()].map((pool) => pool.destroy()));
    },
  };
}

/** @throws Refusal `busy` */
function poolFor(origin: string, pools: Map<string, Pool>, { origins, underWay }: Bounds): Pool {
  const known = pools.get(origin);
  if (known !== undefined && known.stats.size >= underWay) {
    throw new Refusal("busy", `${underWay} requests to ${origin} are under way; try again later.`);
  }
  if (known === undefined && pools.size >= origins) makeRoom(pools);
  const pool = known ?? new Pool(origin, { connections: null, pipelining: 1, connect: connector });
  pools.delete(origin);
  pools.set(origin, pool);
  return pool;
}

/** @throws Refusal `busy` */
function makeRoom(pools: Map<string, Pool>): void {
  for (const [origin, pool] of pools) {
    if (pool.stats.size > 0) continue;
    pools.delete(origin);
    void pool.destroy();
    return;
  }
  throw new Refusal("busy", `Requests to ${pools.size} origins are under way; try again later.`);
}
