/**
 * What a root's key may be used for by somebody who isn't trusted with it: leafs as this authority gives them out,
 * and, while it has given out none, the root's own certificate.
 */
import type { PublicKey } from "../crypto/keys.ts";
import type { SignatureSuite } from "../crypto/suites/signatures.ts";
import { readToBeSigned, type ToBeSigned } from "../crypto/to-be-signed.ts";
import { equalInConstantTime } from "../kernel/bytes.ts";
import {
  clockSkewMs,
  type Purpose,
  rootLifetimeMs,
  rootName,
  svidCommonName,
  svidLifetimeMs,
} from "./authority.ts";
import { isGatewayId, trustDomainOf } from "./spiffe-id.ts";

export interface RootKey {
  readonly purpose: Purpose;
  readonly trustDomain: string;
  readonly suite: SignatureSuite;
  readonly publicKey: PublicKey;
  /** Of the certificate that was made for it: undefined before. */
  readonly root: { readonly subject: Uint8Array; readonly notAfterUnixMs: number } | undefined;
  /** Whether it has signed a leaf, after which the root stays as it is. */
  readonly isUsed: boolean;
}

export type Judged =
  | {
      readonly kind: "leaf";
      readonly spiffeId: string;
      readonly serial: string;
      readonly notAfterUnixMs: number;
    }
  | { readonly kind: "root"; readonly subject: Uint8Array; readonly notAfterUnixMs: number }
  | { readonly kind: "refused"; readonly why: string };

/** A request may have waited for the signer, and two clocks of one machine may differ by a correction. */
const patienceMs = 60_000;
/** RFC 5280 §4.1.2.2: at most 20 octets; fewer than 8 could be guessed or met twice. */
const serialHex = /^[0-7][0-9a-f]{15,39}$/;

/** @param bytes a TBSCertificate in DER, as it would be signed */
export function judgeCertificate(bytes: Uint8Array, key: RootKey, nowUnixMs: number): Judged {
  const tbs = readToBeSigned(bytes);
  if (tbs === undefined) return refused("it is no certificate to be signed");
  if (!serialHex.test(tbs.serial)) return refused("its serial number isn't positive with 64 to 160 bits");
  if (tbs.notBeforeUnixMs < nowUnixMs - clockSkewMs - patienceMs) return refused("it begins in the past");
  if (tbs.notBeforeUnixMs > nowUnixMs) return refused("it begins in the future");
  return tbs.publicKey.equals(key.publicKey)
    ? judgeRoot(tbs, key, nowUnixMs)
    : judgeLeaf(tbs, key, nowUnixMs);
}

function judgeLeaf(tbs: ToBeSigned, key: RootKey, nowUnixMs: number): Judged {
  if (key.root === undefined) return refused("no root certificate was made for this key");
  const [spiffeId, ...others] = tbs.uris;
  if (spiffeId === undefined || others.length > 0) return refused("it doesn't have exactly one URI name");
  if (trustDomainOf(spiffeId) !== key.trustDomain) return refused("its name isn't of this trust domain");
  if (!mayHave(spiffeId, key.purpose)) return refused(`a ${key.purpose} certificate isn't for that name`);
  // Certificates have whole seconds: a lifetime is at most as much longer as rounding makes it.
  if (tbs.notAfterUnixMs > nowUnixMs + svidLifetimeMs + 1000) return refused("it lives too long");
  if (tbs.notAfterUnixMs <= nowUnixMs) return refused("it has ended");
  if (tbs.notAfterUnixMs > key.root.notAfterUnixMs) return refused("it outlives its root");
  if (!equalInConstantTime(tbs.issuer, key.root.subject)) return refused("its issuer isn't this root");
  if (tbs.commonName !== svidCommonName(spiffeId)) return refused("its subject isn't its name's last part");
  if (!tbs.isLeaf(key.suite, { spiffeId, purpose: key.purpose })) {
    return refused(`it isn't written as a ${key.purpose} leaf of this authority`);
  }
  return { kind: "leaf", spiffeId, serial: tbs.serial, notAfterUnixMs: tbs.notAfterUnixMs };
}

function judgeRoot(tbs: ToBeSigned, key: RootKey, nowUnixMs: number): Judged {
  if (key.isUsed) return refused("the root of this key was made already");
  if (!equalInConstantTime(tbs.issuer, tbs.subject)) return refused("a root's issuer is itself");
  if (!isRootName(tbs.commonName, key)) return refused("it isn't named as a root of this trust domain");
  if (tbs.notAfterUnixMs > nowUnixMs + rootLifetimeMs + 1000) return refused("it lives too long");
  if (!tbs.isRoot(key.suite, key.trustDomain)) {
    return refused("it isn't written as a root that is constrained to this trust domain");
  }
  return { kind: "root", subject: tbs.subject, notAfterUnixMs: tbs.notAfterUnixMs };
}

/** Server certificates are for the gateway and for exposed servers (`server/NAME`). */
function mayHave(spiffeId: string, purpose: Purpose): boolean {
  return purpose === "client" || isGatewayId(spiffeId) || /^spiffe:\/\/[^/]+\/server\/./.test(spiffeId);
}

/** The root's name, or that of a later generation of it. */
function isRootName(name: string | undefined, { trustDomain, purpose }: RootKey): boolean {
  const first = rootName(trustDomain, { purpose, generation: 1 });
  return name === first || (name?.startsWith(`${first} `) === true && name.length <= 64);
}

function refused(why: string): Judged {
  return { kind: "refused", why };
}
