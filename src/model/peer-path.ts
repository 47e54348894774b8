/** How a stream between two peers goes. */

/** `local`: on one network, `direct`: between their NATs, `relayed`: through a relay, which sees ciphertext only. */
export const pathKinds = ["local", "direct", "relayed"] as const;
export type PathKind = (typeof pathKinds)[number];

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

interface SaidPath {
  readonly kind: PathKind;
  readonly why?: string | null;
}

/** Behind "reached". */
export function pathInWords({ kind, why = null }: SaidPath): string {
  if (kind === "local") return "on the local network";
  if (kind === "direct") return "directly";
  return `through a relay, which sees ciphertext only${why === null ? "" : `: ${why}`}`;
}
