/** Anchors (docs/formats/anchor.md): where a gateway is and what proves it. No secret, and no end. */
import { isAddress } from "../kernel/address.ts";
import { Refusal } from "../kernel/refusal.ts";

/** Roots that overlap: the current one, the next, and some of another algorithm. */
const maxRoots = 8;
const maxLength = 1024;

export interface Anchor {
  /** `host:port` of the gateway's listener. */
  readonly address: string;
  /** SHA-256 of the DER of each of the gateway's server roots. */
  readonly serverRootHashes: readonly Uint8Array[];
}

export function writeAnchor({ address, serverRootHashes }: Anchor): string {
  return `${address}@${serverRootHashes.map((hash) => `sha256:${Buffer.from(hash).toString("hex")}`).join(",")}`;
}

/** @throws Refusal `bad_config` */
export function readAnchor(text: string): Anchor {
  const [address = "", hashes = "", ...more] = text.length <= maxLength ? text.trim().split("@") : [];
  const digests = hashes.split(",").map((each) => /^sha256:([0-9a-f]{64})$/.exec(each)?.[1]);
  const roots = digests.flatMap((each) => (each === undefined ? [] : [Buffer.from(each, "hex")]));
  if (more.length > 0 || !isAddress(address) || roots.length < digests.length || roots.length > maxRoots) {
    throw new Refusal(
      "bad_config",
      'Expected an anchor such as "gateway.example:8443@sha256:…"; "latticegate ca anchor" on the gateway prints it.',
    );
  }
  return { address, serverRootHashes: roots };
}
