/**
 * Introductions (docs/formats/peer.md): by one, a rendezvous says to a peer who is about to come, after policy said
 * yes. A JWT, signed with the key the rendezvous shows in its handshakes, for seconds.
 */
import { z } from "zod";

import { openJws, signJws } from "../crypto/jws.ts";
import { type PublicKey, type SigningKey } from "../crypto/keys.ts";
import type { SignatureSuite } from "../crypto/suites/signatures.ts";
import { Refusal } from "../kernel/refusal.ts";
import { peerIdPattern } from "./peer-name.ts";

const type = "peer-introduction+jwt";

export const introductionLifetimeMs = 15_000;
/** Two clocks may differ by as much. */
const skewMs = 60_000;

const claimsSchema = z.object({
  /** SPIFFE ID of the rendezvous. */
  iss: z.string().max(2048),
  /** SPIFFE ID of the caller. */
  sub: z.string().max(2048),
  /** Peer id of who is called. */
  aud: z.string().regex(peerIdPattern),
  jti: z.string().min(16).max(64),
  iat: z.int(),
  exp: z.int(),
  /** Thumbprint of the caller's certificate. */
  cnf: z.object({ "x5t#S256": z.string().length(43) }),
  server: z.string().max(64),
});

export interface Introduction {
  readonly id: string;
  readonly rendezvous: string;
  readonly caller: string;
  /** SHA-256 of the certificate with which that one comes, base64url. */
  readonly certificate: string;
  readonly server: string;
}

export interface Introducing extends Introduction {
  /** Whom the caller is introduced to. */
  readonly peerId: string;
  readonly nowUnixMs: number;
}

export async function introduce(key: SigningKey, about: Introducing): Promise<string> {
  const { id, rendezvous, caller, certificate, server, peerId, nowUnixMs } = about;
  const iat = Math.floor(nowUnixMs / 1000);
  const claims = {
    iss: rendezvous,
    sub: caller,
    aud: peerId,
    jti: id,
    iat,
    exp: iat + introductionLifetimeMs / 1000,
    cnf: { "x5t#S256": certificate },
    server,
  };
  return await signJws(type, JSON.stringify(claims), key);
}

/** @throws Refusal `bad_envelope` for one that isn't meant for this peer, now, by this rendezvous */
export function readIntroduction(
  text: string,
  from: { readonly spiffeId: string; readonly suite: SignatureSuite; readonly publicKey: PublicKey },
  { peerId, nowUnixMs }: { readonly peerId: string; readonly nowUnixMs: number },
): Introduction {
  const payload = openJws(type, text, from);
  const claims = payload === undefined ? undefined : claimsSchema.safeParse(parsed(payload)).data;
  if (claims === undefined) throw unfit("it isn't signed by the rendezvous");
  if (claims.iss !== from.spiffeId) throw unfit("it is of another rendezvous");
  if (claims.aud !== peerId) throw unfit("it is for another peer");
  if (claims.exp * 1000 + skewMs <= nowUnixMs || claims.iat * 1000 - skewMs > nowUnixMs)
    throw unfit("it isn't of now");
  const { jti: id, iss: rendezvous, sub: caller, server } = claims;
  return { id, rendezvous, caller, certificate: claims.cnf["x5t#S256"], server };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unfit(why: string): Refusal {
  return new Refusal("bad_envelope", `An introduction isn't accepted: ${why}.`, { facts: { reason: why } });
}
