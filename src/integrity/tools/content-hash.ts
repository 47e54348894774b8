/** What a tool's declaration is known by (SEP-3140): the digest of its canonical form. */
import { toBase64url, utf8 } from "../../kernel/bytes.ts";
import { sha256 } from "../../crypto/hash.ts";
import { canonicalJson } from "../../wire/canonical-json.ts";

/** `sha256-` and 43 characters of base64url. */
export type ContentHash = string;

/** Whether a text from outside could be one. */
export function isContentHash(text: string): text is ContentHash {
  return /^sha256-[A-Za-z0-9_-]{43}$/.test(text);
}

/**
 * SHA-256 over the JCS form (RFC 8785) of a declaration without its own `contentHash`: the same for every way to
 * write the same declaration, whatever the order of its members.
 * @returns undefined if it has no such form: no strict JSON, or a member that comes twice
 */
export function contentHash(declaration: Uint8Array): ContentHash | undefined {
  const form = canonicalJson(declaration, { contentHash: true });
  return form === undefined ? undefined : `sha256-${toBase64url(sha256(utf8(form)))}`;
}
