/** A certificate of somebody else's in the words of an inventory; whatever it says is cut. */
import type { ParsedCertificate } from "../../crypto/certificate.ts";
import type { ObservedCertificate } from "./posture.ts";

const maxText = 256;
const curves: Readonly<Record<string, string>> = {
  prime256v1: "P-256",
  secp384r1: "P-384",
  secp521r1: "P-521",
};

export function observedCertificate(certificate: ParsedCertificate): ObservedCertificate {
  const { key, bits } = keyOf(certificate);
  return {
    subject: oneLine(certificate.subject),
    issuer: oneLine(certificate.issuer),
    serial: certificate.serialNumber.slice(0, maxText),
    sha256: certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
    key,
    ...(bits !== undefined && { keyBits: bits }),
    signature: (certificate.signatureAlgorithm ?? "unknown").slice(0, maxText),
    notBeforeUnixMs: certificate.validFromDate.getTime(),
    notAfterUnixMs: certificate.validToDate.getTime(),
    bytes: certificate.raw.length,
  };
}

function oneLine(name: string | undefined): string {
  return (name ?? "").split("\n").join(", ").slice(0, maxText);
}

function keyOf(certificate: ParsedCertificate): { readonly key: string; readonly bits?: number } {
  try {
    const { asymmetricKeyType: type = "unknown", asymmetricKeyDetails: details } = certificate.publicKey;
    const bits = details?.modulusLength;
    if (type === "ec") {
      const curve = details?.namedCurve ?? "unknown curve";
      return { key: `EC ${curves[curve] ?? curve}` };
    }
    if (type.startsWith("rsa")) return { key: "RSA", ...(bits !== undefined && { bits }) };
    if (type.startsWith("ed")) return { key: type === "ed25519" ? "Ed25519" : "Ed448" };
    return { key: type.toUpperCase() };
  } catch {
    return { key: "unknown" };
  }
}
