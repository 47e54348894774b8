/**
 * Which addresses an API may be at. Its name is resolved once for each connection, every address it has is judged, and
 * the one that was judged is connected to: a name that leads elsewhere a moment later leads nowhere (DNS rebinding).
 */
import { lookup } from "node:dns/promises";

import { type Address, holds, type Network, parseAddress, parseNetwork } from "../../expr/network.ts";
import { Refusal } from "../../kernel/refusal.ts";

/** The numeric address to connect to. @throws Refusal `target_refused`, `upstream_failed` */
export type Resolve = (host: string) => Promise<string>;

/** IANA special-purpose registries (RFC 6890), and where clouds keep the credentials of their machines. */
const special: readonly Network[] = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
].map(network);

/** Global unicast; within it what stands for other addresses, or for none. */
const globalUnicast = network("2000::/3");
const specialWithin = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"].map(network);

function isPublic(address: Address): boolean {
  if (address.version === 4) return !special.some((each) => holds(each, address));
  return holds(globalUnicast, address) && !specialWithin.some((each) => holds(each, address));
}

/**
 * @param allowed networks beside the public ones, as the operator names them
 * @param ask all addresses of a name
 */
export function reachable(
  allowed: readonly Network[],
  ask: (host: string) => Promise<readonly string[]> = allOf,
): Resolve {
  return async (host) => {
    const bare = host.replace(/^\[|\]$/g, "");
    const addresses = parseAddress(bare) === undefined ? await asked(bare, ask) : [bare];
    for (const text of addresses) {
      const address = parseAddress(text);
      if (address === undefined || !(isPublic(address) || allowed.some((each) => holds(each, address))))
        throw refused(text);
    }
    const [first] = addresses;
    if (first === undefined) throw unknownHost("ENOTFOUND");
    return first;
  };
}

/** What an operator's own URL allows by itself: the address in it, or this machine if it says `localhost`. */
export function networksOf(baseUrl: string, named: readonly string[]): readonly Network[] {
  const host = new URL(baseUrl).hostname.replace(/^\[|\]$/g, "");
  const own = host === "localhost" || host.endsWith(".localhost") ? ["127.0.0.0/8", "::1/128"] : [host];
  return [...own, ...named].flatMap((text) => parseNetwork(text) ?? []);
}

async function asked(
  host: string,
  ask: (host: string) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  try {
    return await ask(host);
  } catch (cause) {
    throw unknownHost(cause instanceof Error && "code" in cause ? String(cause.code) : "unknown", cause);
  }
}

async function allOf(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

function refused(address: string): Refusal {
  return new Refusal(
    "target_refused",
    "The API's address isn't a public one, and the config doesn't name its network; nothing was sent. Its operator can name it under `networks`.",
    { facts: { address, sent: false } },
  );
}

function unknownHost(code: string, cause?: unknown): Refusal {
  return new Refusal("upstream_failed", `The API's host can't be found (${code}).`, {
    cause,
    facts: { cause: code, sent: false },
  });
}

function network(text: string): Network {
  const read = parseNetwork(text);
  if (read === undefined) throw new Error(`${text} is no network`);
  return read;
}
