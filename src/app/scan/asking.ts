/** What somebody who looks around may ask of a server: which MCP it speaks, and with what cryptography. */
import net from "node:net";

import type { Posture } from "../../inventory/posture/posture.ts";
import type { Problem } from "../../inventory/sighting.ts";
import { whyNotAsked } from "../../inventory/targets.ts";
import type { Clock } from "../../kernel/clock.ts";
import { type Answered, askServer } from "./ask-server.ts";
import { probePosture } from "./probe-posture.ts";

export interface Asking {
  /** Which MCP is spoken at a URL, asked as a stranger; undefined if none is. */
  readonly ask: (url: string) => Promise<Answered | undefined>;
  /** undefined if it says nothing, or something that is neither TLS nor HTTP. */
  readonly probe: (host: string, port: number) => Promise<Posture | undefined>;
}

export interface StrangerTerms {
  readonly clock: Pick<Clock, "nowUnixMs">;
  readonly signal: AbortSignal;
  /** Of one connection; all that is asked of one URL has four times as long. */
  readonly timeoutMs: number;
}

export function asStranger({ clock, signal, timeoutMs }: StrangerTerms): Asking {
  return {
    ask: async (url) => await askServer({ url, signal, timeoutMs: 4 * timeoutMs }),
    probe: async (host, port) => await probePosture({ host, port, clock, signal, timeoutMs }),
  };
}

/** So many are asked at once. */
const atOnce = 8;

/** Results as they come, in the order of what was asked, a few at a time. */
export async function* inTurns<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
  signal: AbortSignal,
): AsyncGenerator<Result> {
  for (let at = 0; at < items.length; at += atOnce) {
    signal.throwIfAborted();
    yield* await Promise.all(items.slice(at, at + atOnce).map(async (item) => await work(item)));
  }
}

/** What may be known of a server at a URL; what failed is told. */
export async function seenAt(
  url: string,
  { ask, probe }: Asking,
): Promise<{ readonly answered?: Answered; readonly posture?: Posture; readonly problem?: Problem }> {
  try {
    const { hostname, port, protocol } = new URL(url);
    const host = hostname.replaceAll(/[[\]]/g, "");
    // A file that somebody else wrote may name any address; where a cloud keeps its credentials isn't asked for it.
    const why = net.isIP(host) === 0 ? undefined : whyNotAsked(host, { isPublic: true });
    if (why !== undefined) return { problem: { at: url, because: why } };
    const posture = await probe(host, portOf(port, protocol));
    if (posture === undefined)
      return { problem: { at: url, because: "nothing that speaks HTTP or TLS answers there" } };
    const answered = await ask(url);
    return answered === undefined ? { posture } : { answered, posture };
  } catch (error) {
    const because = error instanceof Error ? error.message : "it couldn't be asked";
    return { problem: { at: url, because: because.slice(0, 256) } };
  }
}

function portOf(port: string, protocol: string): number {
  if (port !== "") return Number(port);
  return protocol === "https:" ? 443 : 80;
}
