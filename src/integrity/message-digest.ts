/**
 * The digest of a message that its signature covers: SHA-256 over the canonical form (RFC 8785) without what hops may
 * change, and without the signature and the offer of it, so that putting those in and taking them out changes nothing.
 */
import { sha256Base64url } from "../crypto/hash.ts";
import { canonicalJson, ifEmpty, type Omission } from "../wire/canonical-json.ts";
import { extensionId, signatureKey } from "./envelope.ts";

const offer: Omission = {
  extensions: { [extensionId]: true, [ifEmpty]: true },
  experimental: { [extensionId]: true, [ifEmpty]: true },
};

/** What a gateway between announces for itself, beside. */
const announced: Omission = {
  extensions: { [extensionId]: true, "dev.latticegate/receipt": true, [ifEmpty]: true },
  experimental: { [extensionId]: true, "dev.latticegate/receipt": true, [ifEmpty]: true },
};

const hopMembers: Omission = {
  [signatureKey]: true,
  "dev.latticegate/receipt": true,
  "dev.latticegate/answer": true,
  progressToken: true,
  "io.modelcontextprotocol/subscriptionId": true,
  traceparent: true,
  tracestate: true,
  baggage: true,
  "io.modelcontextprotocol/clientCapabilities": offer,
  [ifEmpty]: true,
};

const uncovered: Omission = {
  id: true,
  params: { _meta: hopMembers, [ifEmpty]: true },
  result: { _meta: hopMembers, capabilities: announced },
  error: { data: { [signatureKey]: true, [ifEmpty]: true } },
};

/**
 * `sha-256:` and the digest in base64url.
 * @returns undefined for what can't be signed: no JSON, a member that comes twice, more than 1,000 levels
 */
export function bodyDigest(message: Uint8Array): string | undefined {
  const form = canonicalJson(message, uncovered);
  return form === undefined ? undefined : `sha-256:${sha256Base64url(form)}`;
}
