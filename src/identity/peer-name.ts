/**
 * Names of peers: `mcp-pqc://<peer id>/<server>` (docs/formats/peer.md). The peer id is the SHA-256 of a long-lived
 * key, so that a name says by itself who has to be at the other end, whatever any authority certifies.
 */
import { sha256 } from "../crypto/hash.ts";
import type { PublicKey } from "../crypto/keys.ts";
import { toBase32 } from "../kernel/base32.ts";
import { Refusal } from "../kernel/refusal.ts";
import { spiffeId } from "./spiffe-id.ts";

export interface PeerName {
  /** 52 characters of base32. */
  readonly peerId: string;
  /** One of the servers behind that peer. */
  readonly server: string;
}

/** 256 bits in base32: the last character holds one of them. */
export const peerIdPattern = /^[a-z2-7]{51}[aq]$/;
const namePattern = /^mcp-pqc:\/\/([A-Za-z2-7]{52})\/([a-z0-9][a-z0-9._-]{0,63})$/;

/** Whether a text wants to be a peer's name. */
export function isPeerNameText(text: string): boolean {
  return /^mcp-pqc:/i.test(text);
}

export function isPeerName(text: string): boolean {
  const id = namePattern.exec(text)?.[1];
  return id !== undefined && peerIdPattern.test(id.toLowerCase());
}

/** @returns undefined for what is no such name at all. @throws Refusal `bad_config` for one that is misspelt */
export function readPeerName(text: string): PeerName | undefined {
  if (!isPeerNameText(text)) return undefined;
  const [, id, server] = namePattern.exec(text) ?? [];
  const peerId = id?.toLowerCase();
  if (peerId !== undefined && server !== undefined && peerIdPattern.test(peerId)) return { peerId, server };
  throw new Refusal(
    "bad_config",
    `"${text.slice(0, 120)}" is no peer's name: expected mcp-pqc://PEER-ID/SERVER, as "latticegate expose --p2p" prints it.`,
  );
}

export function peerNameOf({ peerId, server }: PeerName): string {
  return `mcp-pqc://${peerId}/${server}`;
}

/** SPIFFE ID of the exposed server of such a name, where nobody says otherwise. */
export function serverIdOf({ server }: PeerName, trustDomain: string): string {
  return spiffeId(trustDomain, `server/${server}`);
}

/** SHA-256 of the key's SubjectPublicKeyInfo, so that the algorithm is part of it. */
export function peerIdOf(key: PublicKey): string {
  return toBase32(sha256(key.export({ type: "spki", format: "der" })));
}
