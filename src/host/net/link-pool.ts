/** Links to one origin as a pool of undici: each request has one of its own while it is under way. */
import type tls from "node:tls";

import { Client, Pool } from "undici";

import type { ServerLink } from "../../model/channel.ts";
import { connectTimeoutMs } from "./open-link.ts";
import { handingOver } from "./path-connector.ts";
import { postOnLink } from "./post-on-link.ts";
import {
  type CheckLink,
  type LinkOptions,
  type Opened,
  provenLinks,
  type Speech,
  type Target,
} from "./proven-links.ts";
import { withLink } from "./server-links.ts";

/** Who decides when a link is opened. */
export interface Dialling {
  readonly dial: <Link>(open: () => Promise<Link>) => Promise<Link>;
  readonly watched: (client: Client) => Client;
}

const atOnce: Dialling = { dial: (open) => open(), watched: (client) => client };

const speech: Speech<Opened> = {
  begin: (opened) => Promise.resolve(opened),
  post: ({ link }, post) => postOnLink(link, { ...post, timeoutMs: connectTimeoutMs }),
  outlivesRefusal: false,
};

/**
 * @param check what was negotiated; throws for a link that isn't what was asked for: offering only hybrid groups is
 * what enforces them
 */
export function makePool(
  origin: string,
  options: Omit<LinkOptions, "terms"> & { readonly dialling?: Dialling },
  check: CheckLink,
): Pool {
  const { dialling = atOnce } = options;
  const open = provenLinks(options, check, speech);
  return new Pool(origin, {
    // Each stream holds a connection; a bound here would let streams starve the calls that end them.
    connections: null,
    pipelining: 1,
    factory: (at, given) => {
      let facts: ServerLink | undefined;
      const dial = async (target: Target): Promise<tls.TLSSocket> => {
        const opened = await dialling.dial(() => open(target));
        ({ facts } = opened);
        return opened.link;
      };
      const client = new Client(at, { ...given, connect: handingOver(dial) });
      return withLink(dialling.watched(client), () => facts);
    },
  });
}
