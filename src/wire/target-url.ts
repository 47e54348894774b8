/** The URL that a client of a forward server named by itself: read once, so that what is checked is what is dialled. */
import { Refusal } from "../kernel/refusal.ts";

/** The request header in which a sidecar hands it on to the gateway. */
export const targetHeader = "latticegate-target";

export interface TargetUrl {
  /** Scheme, host and port as `URL` writes them. */
  readonly origin: string;
  /** Host, and the port unless it is the scheme's own, as a Host header has it. */
  readonly host: string;
  /** Path and query: what is asked of the origin. */
  readonly path: string;
  /** Origin and path. A query may hold secrets, so this is what is recorded. */
  readonly resource: string;
}

/** @throws Refusal `target_refused` for anything but an absolute http URL without user, password and fragment */
export function readTargetUrl(text: string): TargetUrl {
  const url = /^[\x21-\x7e]+$/.test(text) ? URL.parse(text) : null;
  if (url === null) throw refused("expected an absolute URL in visible ASCII");
  if (url.protocol !== "http:") throw refused("only http can be judged on its way; https stays end to end");
  // `URL` repairs what isn't written so, and drops an empty user or fragment without a word.
  if (!/^http:\/\/[^/?#@\\]+([/?][^#]*)?$/i.test(text)) {
    throw refused("expected http://, a host, no user or password, and no fragment");
  }
  const { origin, host, pathname, search } = url;
  return { origin, host, path: pathname + search, resource: origin + pathname };
}

function refused(why: string): Refusal {
  return new Refusal("target_refused", `This target can't be forwarded to: ${why}.`);
}
