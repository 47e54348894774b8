/** The addresses that a host's name leads to, by this machine's own resolver. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";

/** A name of a service with more is asked at the first ones. */
const maxAddresses = 16;

/** @returns none if there is no such name */
export async function resolveHost(host: string, signal: AbortSignal): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  signal.throwIfAborted();
  try {
    const found = await lookup(host, { all: true });
    return found.slice(0, maxAddresses).map(({ address }) => address);
  } catch {
    return [];
  }
}
