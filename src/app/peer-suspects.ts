/**
 * From where and with which TLS client proven peers came, so that the log can say of somebody who is refused at the
 * door who that may be. An address and a fingerprint prove nothing: nothing is decided by them.
 */
import { groupNamed } from "../crypto/suites/key-exchange.ts";
import type { Observation } from "../identity/peer-memory.ts";
import type { Offer } from "../model/offer.ts";

/** Those seen longest ago make way. */
const maxAddresses = 4096;

export interface Suspects {
  /** @param remote IP address and port */
  readonly note: (peer: string, seen: Observation, remote: string) => void;
  readonly named: (address: string, offer: Offer) => string | undefined;
}

export function suspects(): Suspects {
  const known = new Map<
    string,
    { readonly peer: string; readonly group: string; readonly seen: Observation }
  >();
  return {
    note: (peer, seen, remote) => {
      const row = groupNamed(seen.group);
      if (row?.kind !== "hybrid" || seen.offer === undefined) return;
      const address = addressOf(remote);
      known.delete(address);
      known.set(address, { peer, group: row.id, seen });
      const [oldest] = known.size > maxAddresses ? known.keys() : [];
      if (oldest !== undefined) known.delete(oldest);
    },
    named: (address, { groups, fingerprint }) => {
      const last = known.get(address);
      const groupId = last && groupNamed(last.group)?.groupId;
      if (last === undefined || groupId === undefined || groups.includes(groupId)) return undefined;
      if (last.seen.offer?.fingerprint.ja4 !== fingerprint.ja4) return undefined;
      const at = new Date(last.seen.atUnixMs).toISOString();
      return `${last.peer} came from this address with this fingerprint (${fingerprint.ja4}) at ${at} and used ${last.group}; nobody proved that this is the same client`;
    },
  };
}

function addressOf(remote: string): string {
  return remote.slice(0, remote.lastIndexOf(":"));
}
