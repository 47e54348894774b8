/**
 * JSON documents that a publisher signs with Ed25519 and with ML-DSA-65: a named member, a JWS in general form with
 * detached payload (RFC 7515 §7.2.1, appendix F) over its canonical form, and the public keys. Manifests are such
 * (docs/formats/manifest.md), and bundles of policies (docs/formats/policy-bundle.md).
 */
import { sha256Base64url } from "../crypto/hash.ts";
import { type FlattenedJws, isFlattenedBy, type NamedKey, signFlattened } from "../crypto/jws.ts";
import type { SigningKey } from "../crypto/keys.ts";
import { fromUtf8, toBase64url, utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { canonicalJson } from "../wire/canonical-json.ts";
import { scanJson } from "../wire/json-scan.ts";
import { encodedObject, type Fields, listIn, objectIn, parsedObject, whole } from "./fields.ts";
import type { KeySet } from "./jwk-set.ts";
import { publisherKeysOf, readPublisherKeys, writePublisherKeys } from "./tools/publisher-keys.ts";

/** A publisher's key that signs. */
export type DocumentSigner = Pick<SigningKey, "suite" | "publicKey" | "sign">;

export interface DocumentKind {
  /** The member that is signed. */
  readonly member: string;
  /** For `typ` (RFC 8725 §3.11): what is signed as one kind is none of another. */
  readonly type: string;
  readonly maxBytes: number;
}

export type DocumentFault =
  | "too_large"
  | "malformed"
  /** A required algorithm isn't among the signatures. */
  | "weak_algorithm"
  /** A signature names another key than the one that the document has for its algorithm. */
  | "unknown_key"
  | "bad_signature";

export type OpenedDocument =
  | {
      readonly kind: "signed";
      /** What is signed; nothing in it stands twice. */
      readonly members: Fields;
      /** Fingerprint of the publisher's keys; whether they count is for whoever asks to say. */
      readonly signedBy: string;
      /** base64url of SHA-256 over the canonical form: the same however the document was written. */
      readonly digest: string;
    }
  | { readonly kind: "fault"; readonly fault: DocumentFault };

/** @param signers one of each required algorithm */
export async function signDocument(
  { member, type }: Pick<DocumentKind, "member" | "type">,
  members: object,
  signers: readonly DocumentSigner[],
): Promise<string> {
  const publisher = publisherKeysOf(signers);
  const form = canonicalJson(utf8(JSON.stringify(members)));
  if (form === undefined) throw new Error("what is signed has a canonical form");
  const payload = toBase64url(utf8(form));
  const signatures = await Promise.all(
    publisher.keys.map(async (key) => {
      const signer = signers.find(({ suite }) => suite.id === key.suite.id);
      if (signer === undefined) throw new Error(`no signer of ${key.suite.id}`);
      const signed = await signFlattened(type, payload, { ...key, sign: signer.sign });
      return { protected: signed.protected, signature: signed.signature };
    }),
  );
  const document = { [member]: members, signature: { signatures }, keys: writePublisherKeys(publisher) };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

export function openDocument(kind: DocumentKind, bytes: Uint8Array): OpenedDocument {
  if (bytes.length > kind.maxBytes) return { kind: "fault", fault: "too_large" };
  const form = canonicalMember(kind.member, bytes);
  const document = form === undefined ? undefined : parsedObject(fromUtf8(bytes) ?? "");
  const members = objectIn(document?.[kind.member]);
  if (form === undefined || document === undefined || members === undefined) {
    return { kind: "fault", fault: "malformed" };
  }
  const signed = readSignatures(document, toBase64url(utf8(form)));
  if (signed === undefined) return { kind: "fault", fault: "malformed" };
  const { keys, signatures } = signed;
  const fault = keys.keys
    .map((key) => signatureFault(kind.type, key, signatures))
    .find((each) => each !== undefined);
  if (fault !== undefined) return { kind: "fault", fault };
  return { kind: "signed", members, signedBy: keys.fingerprint, digest: sha256Base64url(form) };
}

interface Signed {
  readonly signatures: readonly FlattenedJws[];
  readonly keys: KeySet;
}

function readSignatures(document: Fields, payload: string): Signed | undefined {
  return whole({
    signatures: listIn(objectIn(document["signature"])?.["signatures"], maxSignatures, (each) => {
      const { protected: header, signature } = objectIn(each) ?? {};
      if (typeof header !== "string" || typeof signature !== "string") return undefined;
      return { protected: header, payload, signature };
    }),
    keys: readPublisherKeys(document["keys"]),
  });
}

/** Others may sign it too, in other ways. */
const maxSignatures = 8;

/** Nothing that is signed may be there twice. */
function canonicalMember(member: string, bytes: Uint8Array): string | undefined {
  try {
    const shape = { [member]: true, signature: true, keys: true } as const;
    const place = scanJson(bytes, shape).members?.get(member);
    return place && canonicalJson(bytes.subarray(place.start, place.end));
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

function signatureFault(
  type: string,
  key: NamedKey,
  signatures: readonly FlattenedJws[],
): DocumentFault | undefined {
  const own = signatures.filter((jws) => headerOf(jws)?.["alg"] === key.suite.id);
  if (own.length === 0) return "weak_algorithm";
  if (own.some((jws) => isFlattenedBy(type, jws, key))) return undefined;
  return own.some((jws) => headerOf(jws)?.["kid"] === key.kid) ? "bad_signature" : "unknown_key";
}

/** Only for naming what is wrong; what counts is compared byte for byte. */
function headerOf({ protected: header }: FlattenedJws): Fields | undefined {
  return encodedObject(header);
}
