/**
 * Certification paths of outside authorities with classical keys (RFC 5280 §6, X509-SVID §5): judged by hand,
 * since OpenSSL judges chains only for links, and these come inside of one.
 */
import { AsnConvert } from "@peculiar/asn1-schema";
import {
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  type Extension,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_nameConstraints,
  id_ce_subjectAltName,
  id_kp_clientAuth,
  KeyUsage,
  KeyUsageFlags,
  NameConstraints,
  SubjectAlternativeName,
} from "@peculiar/asn1-x509";

import { Refusal } from "../kernel/refusal.ts";
import { isIssuedBy, type ParsedCertificate, parseCertificate } from "./certificate.ts";
import type { PublicKey } from "./keys.ts";
import { outsideKeySuite } from "./outside-key.ts";
import { outsideSignatureOids } from "./suites/outside.ts";

/** A leaf and what stands between it and the bundle; SPIRE has one or two, nested ones three. */
export const maxPathLength = 4;
/** A certificate with RSA-4096 and a few names has 2 KB. */
export const maxCertificateBytes = 8192;
/** Roots of one trust domain: the current ones and those of its last rotations. */
const maxAnchors = 64;
/** Clocks differ; so far before its beginning a certificate already counts. */
const clockSkewMs = 60_000;

/** What a leaf says whose path was verified. */
export interface OutsideLeaf {
  /** All its subject alternative names of type URI. */
  readonly uris: readonly string[];
  readonly publicKey: PublicKey;
  readonly notAfterUnixMs: number;
}

/** @returns undefined if `pem` isn't certificates, or too many of them */
export function parseBundle(pem: string): readonly ParsedCertificate[] | undefined {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0 || blocks.length > maxAnchors) return undefined;
  const certificates = blocks.flatMap((block) => parseCertificate(block) ?? []);
  return certificates.length === blocks.length ? certificates : undefined;
}

/**
 * @param chain DER, the leaf first, each below the next; @param anchors certificates that need no other to count
 * @throws Refusal `bad_certificate` with the reason
 */
export function verifyOutsidePath(
  chain: readonly Uint8Array[],
  anchors: readonly ParsedCertificate[],
  nowUnixMs: number,
): OutsideLeaf {
  if (chain.length > maxPathLength) throw refused(`the chain has more than ${maxPathLength} certificates`);
  const [leaf, ...above] = chain.map(read);
  if (leaf === undefined) throw refused("there is no certificate");
  checkLeaf(leaf, nowUnixMs);
  const roots = anchors.map(({ raw }) => read(raw));
  const uris = urisOf(leaf);
  let below = leaf;
  for (const [caCertificatesBelow, next] of [...above, undefined].entries()) {
    const fitting = roots.filter((each) => isIssuedBy(below.parsed, each.parsed));
    // A root that was renewed with its key stands there twice, and only one may have ended.
    const root = fitting.find((each) => whyNotNow(each, nowUnixMs) === undefined) ?? fitting[0];
    const issuer = root ?? next;
    if (issuer === undefined || !isIssuedBy(below.parsed, issuer.parsed)) break;
    checkIssuer(issuer, { caCertificatesBelow, uris, nowUnixMs });
    if (root !== undefined) {
      return { uris, publicKey: leaf.parsed.publicKey, notAfterUnixMs: leaf.parsed.validToDate.getTime() };
    }
    below = issuer;
  }
  throw refused("no certificate of the bundle stands above it");
}

/** The trust domain and path a leaf claims, before anything about it is proven. */
export function claimedUris(der: Uint8Array): readonly string[] {
  return urisOf(read(der));
}

interface Outside {
  readonly parsed: ParsedCertificate;
  readonly extensions: ReadonlyMap<string, Extension>;
}

/** Its bytes twice, by OpenSSL and by the ASN.1 library: who signs and who may is asked of both. */
function read(der: Uint8Array): Outside {
  const parsed = der.length > maxCertificateBytes ? undefined : parseCertificate(der);
  if (parsed === undefined) throw refused("a certificate can't be read");
  try {
    const { extensions = [] } = AsnConvert.parse(parsed.raw, Certificate).tbsCertificate;
    const byId = new Map(extensions.map((extension) => [extension.extnID, extension]));
    if (byId.size < extensions.length) throw refused("a certificate has an extension twice");
    return { parsed, extensions: byId };
  } catch (cause) {
    if (cause instanceof Refusal) throw cause;
    throw refused("a certificate can't be read", cause);
  }
}

/** X509-SVID §4: a leaf signs nothing but handshakes. */
function checkLeaf(leaf: Outside, nowUnixMs: number): void {
  checkCertificate(leaf, nowUnixMs);
  if (leaf.parsed.ca || content(leaf, id_ce_basicConstraints, BasicConstraints)?.cA === true) {
    throw refused("the first certificate is an authority's");
  }
  const usage = usageOf(leaf);
  if ((usage & KeyUsageFlags.digitalSignature) === 0) throw refused("its key isn't for signatures");
  if ((usage & (KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign)) !== 0) {
    throw refused("its key is for certificates");
  }
  const purposes = content(leaf, id_ce_extKeyUsage, ExtendedKeyUsage) ?? [];
  if (!purposes.includes(id_kp_clientAuth)) throw refused("its extended key usage lacks clientAuth");
}

function checkIssuer(
  issuer: Outside,
  at: { readonly caCertificatesBelow: number; readonly uris: readonly string[]; readonly nowUnixMs: number },
): void {
  checkCertificate(issuer, at.nowUnixMs);
  const constraints = content(issuer, id_ce_basicConstraints, BasicConstraints);
  if (!issuer.parsed.ca || constraints?.cA !== true)
    throw refused("a certificate above it is no authority's");
  if ((usageOf(issuer) & KeyUsageFlags.keyCertSign) === 0) {
    throw refused("a key above it isn't for certificates");
  }
  if ((constraints.pathLenConstraint ?? Infinity) < at.caCertificatesBelow) {
    throw refused("the chain is longer than an authority in it allows");
  }
  checkNames(issuer, at.uris);
}

const understood: readonly string[] = [
  id_ce_basicConstraints,
  id_ce_keyUsage,
  id_ce_extKeyUsage,
  id_ce_subjectAltName,
  id_ce_nameConstraints,
];

function checkCertificate({ parsed, extensions }: Outside, nowUnixMs: number): void {
  if (parsed.validFromDate.getTime() > nowUnixMs + clockSkewMs)
    throw refused("a certificate isn't valid yet");
  if (parsed.validToDate.getTime() <= nowUnixMs) throw refused("a certificate has expired");
  if (outsideKeySuite(parsed.publicKey) === undefined)
    throw refused("a key is too weak or of an unknown kind");
  if (!outsideSignatureOids.includes(parsed.signatureAlgorithmOid ?? "")) {
    throw refused("a signature is of an algorithm that isn't accepted");
  }
  for (const [id, { critical }] of extensions) {
    if (critical && !understood.includes(id)) throw refused("a critical extension isn't known");
  }
}

function whyNotNow({ parsed }: Pick<Outside, "parsed">, nowUnixMs: number): string | undefined {
  if (parsed.validFromDate.getTime() > nowUnixMs + clockSkewMs) return "a certificate isn't valid yet";
  return parsed.validToDate.getTime() <= nowUnixMs ? "a certificate has expired" : undefined;
}

/** RFC 5280 §4.2.1.10, for URIs; constraints on other names could not be held, so a path with them isn't taken. */
function checkNames(issuer: Outside, uris: readonly string[]): void {
  const constraints = content(issuer, id_ce_nameConstraints, NameConstraints);
  if (constraints === undefined) return;
  const hosts = uris.map((uri) => URL.parse(uri)?.hostname ?? "");
  const bases = (trees: NameConstraints["permittedSubtrees"]): readonly string[] =>
    (trees ?? []).map(({ base, minimum, maximum }) => {
      const host = base.uniformResourceIdentifier;
      if (host === undefined || minimum !== 0 || maximum !== undefined) {
        throw refused("it stands under name constraints that aren't of URIs");
      }
      return host.toLowerCase();
    });
  const [permitted, excluded] = [bases(constraints.permittedSubtrees), bases(constraints.excludedSubtrees)];
  const within = (host: string, base: string): boolean =>
    base.startsWith(".") ? host.endsWith(base) : host === base;
  const isFine = hosts.every(
    (host) =>
      (permitted.length === 0 || permitted.some((base) => within(host, base))) &&
      !excluded.some((base) => within(host, base)),
  );
  if (!isFine) throw refused("an authority above it may not vouch for its name");
}

function urisOf(certificate: Outside): readonly string[] {
  const names = content(certificate, id_ce_subjectAltName, SubjectAlternativeName) ?? [];
  return [...names].flatMap(({ uniformResourceIdentifier: uri }) => (uri === undefined ? [] : [uri]));
}

function usageOf(certificate: Outside): number {
  return content(certificate, id_ce_keyUsage, KeyUsage)?.toNumber() ?? 0;
}

function content<T>({ extensions }: Outside, id: string, kind: new () => T): T | undefined {
  const extension = extensions.get(id);
  if (extension === undefined) return undefined;
  try {
    return AsnConvert.parse(extension.extnValue, kind);
  } catch (cause) {
    throw refused("an extension of a certificate can't be read", cause);
  }
}

function refused(reason: string, cause?: unknown): Refusal {
  return new Refusal("bad_certificate", `The certificate isn't accepted: ${reason}.`, {
    cause,
    facts: { reason },
  });
}
