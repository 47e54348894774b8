/** Which link each request of a pool went out on: a client of undici has one connection at a time. */
import type { Dispatcher } from "undici";

import type { ServerLink } from "../../model/channel.ts";

type Lookup = () => ServerLink | undefined;

const links = new WeakMap<object, Lookup>();

/** The link that a request with that handler went out on; undefined before it is sent, and where nothing is known. */
export function linkOf(handler: object): ServerLink | undefined {
  return links.get(handler)?.();
}

/** Has the requests of `client` know its link. */
export function withLink<Client extends Dispatcher>(client: Client, link: Lookup): Client {
  const dispatch = client.dispatch.bind(client);
  client.dispatch = (options, handler) => {
    links.set(handler, link);
    return dispatch(options, handler);
  };
  return client;
}

/** The request with that handler goes out on that link. */
export function setLink(handler: object, link: ServerLink): void {
  links.set(handler, () => link);
}
