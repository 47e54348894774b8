/** One short word for all roots that are trusted, by which a sidecar sees that there are others (docs/formats/enrolment.md). */
import { certificateHash, parseCertificate } from "../crypto/certificate.ts";
import { sha256 } from "../crypto/hash.ts";
import { toBase64url, utf8 } from "../kernel/bytes.ts";

export interface TrustedRoots {
  /** PEM, in any order. */
  readonly server: readonly string[];
  readonly client: readonly string[];
}

/** SHA-256, base64url, of one line for each root, sorted; undefined if one of them can't be read. */
export function rootsDigest({ server, client }: TrustedRoots): string | undefined {
  const all = [...linesOf("server", server), ...linesOf("client", client)];
  const lines = all.filter((line) => line !== undefined);
  return lines.length < all.length ? undefined : toBase64url(sha256(utf8(lines.toSorted().join(""))));
}

function linesOf(purpose: keyof TrustedRoots, pems: readonly string[]): readonly (string | undefined)[] {
  return pems.map((pem) => {
    const root = parseCertificate(pem);
    return root && `${purpose} ${certificateHash(root)}\n`;
  });
}
