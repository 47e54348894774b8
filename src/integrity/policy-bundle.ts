/**
 * Bundles of policies (docs/formats/policy-bundle.md): the rules, and the cases that they passed, as one document that
 * its publisher signs with Ed25519 and with ML-DSA-65, numbered so that an old one can't come back unseen.
 */
import { type Fields, listIn, objectIn, optional, textIn, timeIn, whole } from "./fields.ts";
import {
  type DocumentFault,
  type DocumentKind,
  type DocumentSigner,
  openDocument,
  signDocument,
} from "./signed-document.ts";

export interface PolicyBundle {
  /** Who publishes it, in words; what counts is whose keys signed it. */
  readonly publisher: string;
  /** Grows with each bundle of a publisher. */
  readonly sequence: number;
  readonly issuedAtUnixMs: number;
  /** From then on it isn't taken up any more; one in force stays. */
  readonly expiresAtUnixMs: number;
  /** As written; whoever takes them up makes rules of them. */
  readonly policies: readonly Fields[];
  /** Files of cases without their `rules`; none if nothing was tried. */
  readonly cases: readonly Fields[];
}

/** A bundle whose signatures are right and whose publisher is one that counts. */
export interface VerifiedBundle extends PolicyBundle {
  /** Fingerprint of the publisher's keys. */
  readonly signedBy: string;
  /** base64url of SHA-256 over the canonical form of what is signed. */
  readonly digest: string;
}

export type BundleFault =
  | DocumentFault
  /** Signed, but by nobody who counts here. */
  | "unknown_publisher"
  | "expired"
  | "not_yet_valid";

export type BundleChecked =
  | { readonly kind: "verified"; readonly bundle: VerifiedBundle }
  | {
      readonly kind: "fault";
      readonly fault: BundleFault;
      /** What it says of itself, where its signatures are right. */
      readonly bundle?: VerifiedBundle;
    };

/** Thousands of rules with their cases; one is a few hundred bytes. A gateway keeps some dozens of bundles. */
export const maxBundleBytes = 2 * 1024 * 1024;

const kind: DocumentKind = { member: "bundle", type: "latticegate-policies+jws", maxBytes: maxBundleBytes };
/** How far the publisher's clock may be ahead. */
const leewayMs = 60_000;
const maxRules = 10_000;
const maxCaseFiles = 100;

export interface Trusting {
  /** Fingerprints of the publishers that count; undefined: whoever signed it, such as for a look at a file. */
  readonly publishers: readonly string[] | undefined;
  /** undefined: whenever it was made, such as for one that was taken up before. */
  readonly nowUnixMs: number | undefined;
}

/** @param signers one of each required algorithm */
export async function signBundle(bundle: PolicyBundle, signers: readonly DocumentSigner[]): Promise<string> {
  const { publisher, sequence, policies, cases } = bundle;
  const members = {
    publisher,
    sequence,
    issuedAt: new Date(bundle.issuedAtUnixMs).toISOString(),
    expiresAt: new Date(bundle.expiresAtUnixMs).toISOString(),
    policies,
    cases,
  };
  return await signDocument(kind, members, signers);
}

export function verifyBundle(document: Uint8Array, { publishers, nowUnixMs }: Trusting): BundleChecked {
  const opened = openDocument(kind, document);
  if (opened.kind === "fault") return opened;
  const read = readBundle(opened.members);
  if (read === undefined) return { kind: "fault", fault: "malformed" };
  const bundle = { ...read, signedBy: opened.signedBy, digest: opened.digest };
  const isKnown = publishers === undefined || publishers.includes(bundle.signedBy);
  const fault = isKnown ? untimely(bundle, nowUnixMs) : "unknown_publisher";
  return fault === undefined ? { kind: "verified", bundle } : { kind: "fault", fault, bundle };
}

function untimely(
  { issuedAtUnixMs, expiresAtUnixMs }: PolicyBundle,
  nowUnixMs: number | undefined,
): "expired" | "not_yet_valid" | undefined {
  if (nowUnixMs === undefined) return undefined;
  if (nowUnixMs >= expiresAtUnixMs) return "expired";
  return issuedAtUnixMs > nowUnixMs + leewayMs ? "not_yet_valid" : undefined;
}

const memberNames = ["publisher", "sequence", "issuedAt", "expiresAt", "policies", "cases"];

/** Strict: a member that isn't known may be one that changes what the rules mean. */
function readBundle(fields: Fields): PolicyBundle | undefined {
  if (!Object.keys(fields).every((name) => memberNames.includes(name))) return undefined;
  const cases = optional(fields, "cases", (value) => listIn(value, maxCaseFiles, objectIn));
  const bundle = whole({
    publisher: textIn(fields["publisher"], 256),
    sequence: sequenceIn(fields["sequence"]),
    issuedAtUnixMs: timeIn(fields["issuedAt"]),
    expiresAtUnixMs: timeIn(fields["expiresAt"]),
    policies: listIn(fields["policies"], maxRules, objectIn),
  });
  return bundle && cases && { ...bundle, cases: cases.cases ?? [] };
}

function sequenceIn(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 1 ? value : undefined;
}
