/** Signature schemes by their numbers in TLS 1.3 (IANA registry; RFC 8446 §4.2.3, draft-ietf-tls-mldsa). */
import type { SignatureSuite } from "./signatures.ts";

const names: ReadonlyMap<number, string> = new Map([
  [0x0904, "mldsa44"],
  [0x0905, "mldsa65"],
  [0x0906, "mldsa87"],
  [0x0403, "ecdsa_secp256r1_sha256"],
  [0x0503, "ecdsa_secp384r1_sha384"],
  [0x0603, "ecdsa_secp521r1_sha512"],
  [0x0807, "ed25519"],
  [0x0808, "ed448"],
  [0x0804, "rsa_pss_rsae_sha256"],
  [0x0805, "rsa_pss_rsae_sha384"],
  [0x0806, "rsa_pss_rsae_sha512"],
  [0x0809, "rsa_pss_pss_sha256"],
  [0x080a, "rsa_pss_pss_sha384"],
  [0x080b, "rsa_pss_pss_sha512"],
  [0x0401, "rsa_pkcs1_sha256"],
  [0x0501, "rsa_pkcs1_sha384"],
  [0x0601, "rsa_pkcs1_sha512"],
  [0x0203, "ecdsa_sha1"],
  [0x0201, "rsa_pkcs1_sha1"],
]);

/** Clients list two dozen. */
const maxNamed = 4;

/** Why none of what a hello says can be verified or made is one of these; undefined if one is. */
export function whyNoSignature(
  offered: readonly number[],
  counting: readonly Pick<SignatureSuite, "id" | "tlsName">[],
): string | undefined {
  const known = counting.map(({ tlsName }) => tlsName);
  if (offered.some((code) => known.includes(names.get(code) ?? ""))) return undefined;
  const expected = counting.map(({ id }) => id).join(" or ");
  return `offers no ${expected} signature (${listed(offered)})`;
}

function listed(codes: readonly number[]): string {
  if (codes.length === 0) return "none at all";
  const first = codes.slice(0, maxNamed).map((code) => names.get(code) ?? hex(code));
  const more = codes.length - first.length;
  return first.join(", ") + (more > 0 ? `, and ${more} more` : "");
}

function hex(code: number): string {
  return `0x${code.toString(16).padStart(4, "0")}`;
}
