/**
 * Proofs of classical identities on TLS links (docs/formats/link-proof.md): what is signed comes from the sockets, and
 * the client's exchange runs on a fresh link before anything else does.
 */
import type { X509Certificate } from "node:crypto";
import type tls from "node:tls";

import { z } from "zod";

import { certificateFacts } from "../../crypto/certificate.ts";
import { sha256 } from "../../crypto/hash.ts";
import type { SigningKey } from "../../crypto/keys.ts";
import type { Trust } from "../../identity/admission.ts";
import type { Purpose } from "../../identity/authority.ts";
import {
  type ClassicalTrust,
  type LinkBinding,
  type LinkProof,
  nobody,
  proveLink,
  verifyLinkProof,
} from "../../identity/link-proof.ts";
import { fromBase64, toBase64, utf8 } from "../../kernel/bytes.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Channel, ClassicalIdentity } from "../../model/channel.ts";
import { channelBinding } from "./channel-binding.ts";
import type { LinkAnswer, LinkPost } from "./post-on-link.ts";

export const linkProofPath = "/identity/link-proof";

/** A certificate with a P-384 key and its signature are about 1.5 KB. */
export const maxProofBytes = 16 * 1024;

/** The classical identity this side shows, and whose it takes for the other end's. */
export interface ClassicalCredentials {
  /** PEM. */
  readonly certificate: string;
  readonly key: SigningKey;
  /** PEM of the classical roots of the other direction. */
  readonly peerRoots: readonly string[];
}

/** What a client does on each new link before it is used. */
export interface ProofOffer {
  readonly own: ClassicalCredentials;
  /** A link on which the other end proves none isn't used; else the link is used as it is. */
  readonly isDemanded: boolean;
  readonly revokedSerials: () => ReadonlySet<string>;
  readonly clock: Clock;
}

/** A proof in JSON, in both directions. */
export const linkProofSchema = z.strictObject({
  certificate: z.string().max(8192),
  signature: z.string().max(4096),
});
type WrittenProof = z.output<typeof linkProofSchema>;

/**
 * The server's side: takes the client's proof and gives its own.
 * @throws Refusal `bad_message`, `bad_certificate`
 */
export async function answerProof(
  link: tls.TLSSocket,
  asked: { readonly channel: Channel; readonly body: Uint8Array },
  by: { readonly own: ClassicalCredentials; readonly trust: Trust; readonly nowUnixMs: number },
): Promise<{ readonly channel: Channel; readonly answer: Uint8Array }> {
  const proof = readProof(asked.body);
  if (proof === undefined)
    throw new Refusal("bad_message", "Expected a proof of docs/formats/link-proof.md.");
  const binding = bindingOf(link, "server");
  const trust = trustOf(by.own, by.trust.revokedSerials);
  const { peer } = asked.channel;
  if (peer.kind !== "svid") throw new Refusal("no_identity", "This link proves no identity to stand beside.");
  const classical = verifyLinkProof(proof, { binding, role: "client" }, trust, by.nowUnixMs);
  const answer = utf8(JSON.stringify(written(await proveLink(binding, "server", by.own))));
  return { channel: { ...asked.channel, peer: { ...peer, classical } }, answer };
}

/** A request on a link that carries nothing else yet, in whatever version of HTTP. */
export type PostProof = (
  post: Pick<LinkPost, "path" | "body" | "maxAnswerBytes">,
) => Promise<Pick<LinkAnswer, "status" | "body">>;

/**
 * The client's side, on a link that carries nothing else yet.
 * @returns what the other end proved; undefined if it offers no such proof
 * @throws Refusal `upstream_failed` with the reason
 */
export async function exchangeProofs(
  link: tls.TLSSocket,
  { own, revokedSerials, clock }: ProofOffer,
  post: PostProof,
): Promise<ClassicalIdentity | undefined> {
  const binding = bindingOf(link, "client");
  const body = utf8(JSON.stringify(written(await proveLink(binding, "client", own))));
  const answer = await post({ path: linkProofPath, body, maxAnswerBytes: maxProofBytes });
  if (answer.status === 403 || answer.status === 404) return undefined;
  if (answer.status !== 200) throw failed(`it answered with status ${answer.status} (its log says why)`);
  const proof = readProof(answer.body);
  if (proof === undefined) throw failed("its answer isn't one of docs/formats/link-proof.md");
  try {
    const trust = trustOf(own, revokedSerials());
    return verifyLinkProof(proof, { binding, role: "server" }, trust, clock.nowUnixMs());
  } catch (cause) {
    throw failed(cause instanceof Error ? cause.message : "unknown", cause);
  }
}

/** The proof that comes with an answer to a newcomer, who shows nothing. */
export async function proofForNewcomer(
  link: tls.TLSSocket,
  own: ClassicalCredentials,
): Promise<WrittenProof> {
  return written(await proveLink({ ...bindingOf(link, "server"), client: nobody }, "server", own));
}

/**
 * What a sidecar that knows the gateway's classical roots asks of the link its new identity comes on. Read from the
 * link at once, since it is closed behind the answer.
 * @returns throws Refusal `bad_certificate` for an answer without the proof
 */
export function newcomersCheck(
  link: tls.TLSSocket,
  trust: ClassicalTrust,
  clock: Clock,
): (proof: WrittenProof | undefined) => void {
  const binding = { ...bindingOf(link, "client"), client: nobody };
  return (proof) => {
    const read = proof && unwritten(proof);
    if (read === undefined) {
      throw new Refusal(
        "bad_certificate",
        "The gateway gave no proof of its classical identity, which it had before. If that was meant (an older version, another authority), remove this sidecar's identity and join again.",
      );
    }
    verifyLinkProof(read, { binding, role: "server" }, trust, clock.nowUnixMs());
  };
}

/** @param role this side's */
export function bindingOf(link: tls.TLSSocket, role: Purpose): LinkBinding {
  const [own, peer] = [endOf(link.getX509Certificate()), endOf(link.getPeerX509Certificate())];
  return {
    exporter: channelBinding(link),
    client: role === "client" ? own : peer,
    server: role === "server" ? own : peer,
  };
}

function endOf(certificate: X509Certificate | undefined): LinkBinding["client"] {
  if (certificate === undefined) return nobody;
  const [spiffeId = ""] = certificateFacts(certificate).uris;
  return { spiffeId, certificateHash: sha256(certificate.raw) };
}

function trustOf(
  { key, peerRoots }: ClassicalCredentials,
  revokedSerials: ReadonlySet<string>,
): ClassicalTrust {
  return { suite: key.suite, roots: peerRoots, revokedSerials };
}

function written({ certificate, signature }: LinkProof): WrittenProof {
  return { certificate, signature: toBase64(signature) };
}

function unwritten({ certificate, signature }: WrittenProof): LinkProof | undefined {
  const bytes = fromBase64(signature);
  return bytes && { certificate, signature: bytes };
}

function readProof(body: Uint8Array): LinkProof | undefined {
  try {
    const parsed = linkProofSchema.safeParse(JSON.parse(Buffer.from(body).toString("utf8")));
    return parsed.success ? unwritten(parsed.data) : undefined;
  } catch {
    return undefined;
  }
}

function failed(why: string, cause?: unknown): Refusal {
  return new Refusal("upstream_failed", `The other end didn't prove its classical identity: ${why}`, {
    cause,
    facts: { sent: false, cause: "link_proof" },
  });
}
