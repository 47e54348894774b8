/**
 * How a peer's long-lived key vouches for its certificate of the hour (docs/formats/peer.md): a JWT (RFC 7519) whose
 * confirmation claim is the certificate's thumbprint (RFC 8705 §3.1), and the key itself beside it.
 */
import { z } from "zod";

import { certificateFacts, certificateHash, type ParsedCertificate } from "../crypto/certificate.ts";
import { openJws, signJws } from "../crypto/jws.ts";
import { importPublicKey, type KeyPair, signingKey } from "../crypto/keys.ts";
import { signatureSuite } from "../crypto/suites/signatures.ts";
import { fromBase64url, toBase64url } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { peerIdOf, peerIdPattern } from "./peer-name.ts";

/** The key of a peer lives for years: one suite, and another id where it is another. */
export const peerKeySuite = signatureSuite("ML-DSA-65");
const type = "peer-certification+jwt";

/** A key of 1,952 bytes and a signature of 3,309, in base64url, with what is around them. */
export const maxCertificationBytes = 12_288;

export const certificationSchema = z.strictObject({
  /** SubjectPublicKeyInfo, base64url. */
  key: z.string().max(4096),
  certification: z.string().max(8192),
});

export type PeerCertification = z.output<typeof certificationSchema>;

const claimsSchema = z.object({
  iss: z.string().regex(peerIdPattern),
  sub: z.string().max(2048),
  exp: z.int(),
  cnf: z.object({ "x5t#S256": z.string().length(43) }),
});

/** @param key the peer's long-lived one. @param certificate what it shows in handshakes now */
export async function certifyPeer(key: KeyPair, certificate: ParsedCertificate): Promise<PeerCertification> {
  const { uris, notAfterUnixMs } = certificateFacts(certificate);
  const claims = {
    iss: peerIdOf(key.publicKey),
    sub: uris[0] ?? "",
    exp: Math.floor(notAfterUnixMs / 1000),
    cnf: { "x5t#S256": certificateHash(certificate) },
  };
  return {
    key: toBase64url(key.publicKey.export({ type: "spki", format: "der" })),
    certification: await signJws(type, JSON.stringify(claims), signingKey(key)),
  };
}

/**
 * Who vouches for the certificate that was shown in this handshake.
 * @returns the peer id
 * @throws Refusal `bad_certificate` if nobody does
 */
export function certifiedPeer(
  said: PeerCertification,
  certificate: ParsedCertificate,
  nowUnixMs: number,
): string {
  const spki = fromBase64url(said.key);
  const publicKey = spki && importPublicKey(peerKeySuite, spki);
  if (publicKey === undefined) throw uncertified(`its key isn't one of ${peerKeySuite.id}`);
  const payload = openJws(type, said.certification, { suite: peerKeySuite, publicKey });
  const claims = payload === undefined ? undefined : claimsSchema.safeParse(parsed(payload)).data;
  if (claims === undefined) throw uncertified("its key signed nothing of the kind");
  const peerId = peerIdOf(publicKey);
  if (claims.iss !== peerId) throw uncertified("it speaks for another peer");
  if (claims.cnf["x5t#S256"] !== certificateHash(certificate))
    throw uncertified("it is about another certificate");
  if (claims.sub !== certificateFacts(certificate).uris[0]) throw uncertified("it is about another identity");
  if (claims.exp * 1000 <= nowUnixMs) throw uncertified("it has ended");
  return peerId;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function uncertified(why: string): Refusal {
  return new Refusal("bad_certificate", `The peer's certification isn't accepted: ${why}.`, {
    facts: { reason: why },
  });
}
