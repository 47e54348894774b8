/** Whom a certificate proves, and why not: the one place where a peer's identity is judged. */
import type { CertificateFacts } from "../crypto/certificate.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Caller } from "../model/caller.ts";
import type { Channel } from "../model/channel.ts";
import { trustDomainOf } from "./spiffe-id.ts";

/** Whose certificates count, now. */
export interface Trust {
  readonly domain: string;
  /** Signature algorithms that identities may have. */
  readonly identityAlgorithms: readonly string[];
  /** TLS groups that links may have. */
  readonly groups: readonly string[];
  /** Lower-case hex serial numbers. */
  readonly revokedSerials: ReadonlySet<string>;
  /** SHA-256 of the roots under which callers' certificates count, base64url. */
  readonly issuers: ReadonlySet<string>;
  /** SPIFFE IDs that don't count for now, whatever proves them; absent where all do. */
  readonly suspended?: ReadonlySet<string>;
}

/**
 * The SPIFFE ID of a certificate whose chain OpenSSL has already verified.
 * @throws Refusal `bad_certificate` with the reason
 */
export function provenSpiffeId(facts: CertificateFacts, trust: Trust): string {
  const [id, ...more] = facts.uris;
  if (id === undefined || more.length > 0 || facts.otherNames > 0) {
    throw misissued("expected exactly one URI name and no other", facts);
  }
  if (trustDomainOf(id) !== trust.domain) throw misissued("its name is not in this trust domain", facts);
  if (!trust.identityAlgorithms.includes(facts.keyAlgorithm)) {
    const accepted = trust.identityAlgorithms.join(" or ");
    throw misissued(`its key is ${facts.keyAlgorithm}, not ${accepted}`, facts);
  }
  if (trust.revokedSerials.has(facts.serial)) throw misissued("it is revoked", facts);
  if (trust.suspended?.has(id) === true) throw misissued("its identity is suspended", facts);
  return id;
}

/** Why a link's algorithms don't count here (any more); undefined while they do. */
export function whyForbidden(
  { group, peer }: Pick<Channel, "group" | "peer">,
  { groups, identityAlgorithms }: Pick<Trust, "groups" | "identityAlgorithms">,
): Refusal | undefined {
  const suite =
    (groups.includes(group) ? undefined : group) ??
    (peer.kind === "svid" && !identityAlgorithms.includes(peer.keyAlgorithm) ? peer.keyAlgorithm : undefined);
  if (suite === undefined) return undefined;
  return new Refusal(
    "suite_forbidden",
    `This link uses ${suite}, which the profile in force doesn't have. Connect again; a sidecar renews its identity first.`,
    { facts: { suite } },
  );
}

/**
 * Why a link must end, if it must: it outlives neither its certificate nor its revocation, nor the trust in the root
 * above it. Judged for all links when the world is swapped and as time goes by.
 */
export function whyEnded(
  channel: Pick<Channel, "group" | "peer">,
  trust: Omit<Trust, "domain" | "issuers"> & { readonly issuers: Trust["issuers"] | "any" },
  nowUnixMs: number,
): Refusal | undefined {
  const forbidden = whyForbidden(channel, trust);
  const { peer } = channel;
  if (forbidden !== undefined || peer.kind !== "svid") return forbidden;
  const facts = { serial: peer.serial };
  if (trust.suspended?.has(peer.spiffeId) === true) {
    return new Refusal("identity_revoked", "The identity of this link is suspended.", { facts });
  }
  if (trust.revokedSerials.has(peer.serial)) {
    return new Refusal("identity_revoked", "The certificate of this link was revoked.", { facts });
  }
  if (trust.issuers !== "any" && !trust.issuers.has(peer.issuer)) {
    return new Refusal(
      "identity_revoked",
      "The root above the certificate of this link isn't trusted any more.",
      {
        facts,
      },
    );
  }
  if (peer.notAfterUnixMs > nowUnixMs) return undefined;
  return new Refusal("identity_expired", "The certificate of this link has expired.", { facts });
}

/**
 * The caller behind a link, judged again at every call: the link may be about to end.
 * @throws Refusal `no_identity`, `suite_forbidden`
 */
export function callerOf(channel: Pick<Channel, "group" | "peer">, trust: Trust, nowUnixMs: number): Caller {
  const { peer } = channel;
  const forbidden = whyForbidden(channel, trust);
  if (forbidden !== undefined) throw forbidden;
  if (peer.kind !== "svid") throw new Refusal("no_identity", "This link proves nobody.");
  if (trust.suspended?.has(peer.spiffeId) === true) {
    throw new Refusal("no_identity", "The identity of this link is suspended.", {
      facts: { serial: peer.serial },
    });
  }
  if (trust.revokedSerials.has(peer.serial)) {
    throw new Refusal("no_identity", "The certificate of this link was revoked.", {
      facts: { serial: peer.serial },
    });
  }
  if (!trust.issuers.has(peer.issuer)) {
    throw new Refusal(
      "no_identity",
      "The root above the certificate of this link isn't trusted any more; join again with a new token.",
      { facts: { serial: peer.serial, issuer: peer.issuer } },
    );
  }
  if (peer.notAfterUnixMs <= nowUnixMs) {
    throw new Refusal(
      "no_identity",
      "The certificate of this link has expired; connect again with a renewed one.",
      {
        facts: { serial: peer.serial },
      },
    );
  }
  const { spiffeId: id, serial, issuer, notBeforeUnixMs: issuedAtUnixMs, notAfterUnixMs } = peer;
  const issued = issuedAtUnixMs !== undefined && { issuedAtUnixMs };
  return { id, chain: [], proof: { kind: "svid", serial, issuer, ...issued, notAfterUnixMs } };
}

function misissued(reason: string, facts: CertificateFacts): Refusal {
  const [id] = facts.uris;
  return new Refusal("bad_certificate", `The peer's certificate isn't accepted: ${reason}.`, {
    facts: { reason, serial: facts.serial, ...(id !== undefined && { spiffeId: id }) },
  });
}
