/** How a stream between two peers goes. */

/** `local`: on one network, `direct`: between their NATs, `relayed`: through a relay, which sees ciphertext only. */
export type PathKind = "local" | "direct" | "relayed";

export interface PeerPath {
  readonly kind: PathKind;
  /** The address and port it is with. */
  readonly remote: string;
  /** SPIFFE ID of the rendezvous that introduced the two; absent where they found each other. */
  readonly rendezvous?: string;
  /** Why it is relayed. */
  readonly why?: string;
}

const ranks: Readonly<Record<PathKind, number>> = { local: 2, direct: 1, relayed: 0 };

export function isBetterPath(one: PeerPath, other: PeerPath): boolean {
  return ranks[one.kind] > ranks[other.kind];
}
