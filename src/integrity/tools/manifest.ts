/**
 * The signed manifest of a server's declarations (SEP-3140; docs/formats/manifest.md): which tools, prompts and
 * resources there are, each by the hash of its content, signed by its publisher with Ed25519 and with ML-DSA-65.
 */
import { type FlattenedJws, isFlattenedBy, type NamedKey, signFlattened } from "../../crypto/jws.ts";
import type { SigningKey } from "../../crypto/keys.ts";
import { fromUtf8, toBase64url, utf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { canonicalJson } from "../../wire/canonical-json.ts";
import { scanJson } from "../../wire/json-scan.ts";
import {
  encodedObject,
  type Fields,
  listIn,
  objectIn,
  optional,
  parsedObject,
  textIn,
  whole,
} from "../fields.ts";
import { type ContentHash, isContentHash } from "./content-hash.ts";
import { publisherKeysOf, readPublisherKeys, writePublisherKeys } from "./publisher-keys.ts";
import { maxToolsInList } from "./tool-list.ts";
import { readTrust, type Trust } from "./trust.ts";

export interface Manifest {
  /** The server's canonical URI (RFC 8707): a manifest speaks of this one only. */
  readonly server: string;
  /** Where its publisher says who it is; for people. */
  readonly publisher?: string;
  /** Revision of MCP that the declarations are made in. */
  readonly specVersion: string;
  readonly issuedAtUnixMs: number;
  readonly expiresAtUnixMs: number;
  /** Random, so that no two manifests are taken for the same. */
  readonly nonce: string;
  readonly tools: readonly ManifestEntry[];
  readonly prompts: readonly ManifestEntry[];
  readonly resources: readonly ManifestEntry[];
}

/** What a publisher says of one declaration. */
export interface ManifestEntry {
  readonly name: string;
  readonly version?: string;
  readonly contentHash: ContentHash;
  /** For a declaration that says none of its own. */
  readonly trust?: Trust;
}

/** A manifest whose signatures, server and time are right. Whether its publisher counts is for pins to say. */
export interface VerifiedManifest extends Manifest {
  /** Fingerprint of the publisher's keys. */
  readonly signedBy: string;
}

export type ManifestFault =
  | "malformed"
  /** A required algorithm isn't among the signatures. */
  | "weak_algorithm"
  /** A signature names another key than the one that the document has for its algorithm. */
  | "unknown_key"
  | "bad_signature"
  | "wrong_server"
  | "expired"
  | "not_yet_valid";

export type ManifestChecked =
  | { readonly kind: "verified"; readonly manifest: VerifiedManifest }
  | { readonly kind: "fault"; readonly fault: ManifestFault };

/** A publisher's key that signs. */
export type ManifestSigner = Pick<SigningKey, "suite" | "publicKey" | "sign">;

/** For `typ` (RFC 8725 §3.11). */
const manifestType = "mcp-manifest+jws";
/** How far the publisher's clock may be ahead. */
const leewayMs = 60_000;
/** 10,000 tools with labels; a real manifest has a few dozen kilobytes. */
const maxManifestBytes = 8 * 1024 * 1024;

/**
 * The document, as a file and as the result of `declarations/manifest`.
 * @param signers one of each required algorithm
 */
export async function signManifest(manifest: Manifest, signers: readonly ManifestSigner[]): Promise<string> {
  const publisher = publisherKeysOf(signers);
  const members = writtenManifest(manifest);
  const payload = payloadOf(utf8(JSON.stringify(members)));
  if (payload === undefined) throw new Error("a manifest has a canonical form");
  const signatures = await Promise.all(
    publisher.keys.map(async (key) => {
      const signer = signers.find(({ suite }) => suite.id === key.suite.id);
      if (signer === undefined) throw new Error(`no signer of ${key.suite.id}`);
      const signed = await signFlattened(manifestType, payload, { ...key, sign: signer.sign });
      return { protected: signed.protected, signature: signed.signature };
    }),
  );
  const document = { manifest: members, signature: { signatures }, keys: writePublisherKeys(publisher) };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

/** @param expected `server` as its clients know it; undefined: not known here, such as for a look at a file */
export function verifyManifest(
  document: Uint8Array,
  expected: { readonly server: string | undefined; readonly nowUnixMs: number },
): ManifestChecked {
  const read = readDocument(document);
  if (read === undefined) return { kind: "fault", fault: "malformed" };
  const { manifest, signatures, keys } = read;
  const fault =
    keys.keys.map((key) => signatureFault(key, signatures)).find((each) => each !== undefined) ??
    untimely(manifest, expected);
  if (fault !== undefined) return { kind: "fault", fault };
  return { kind: "verified", manifest: { ...manifest, signedBy: keys.fingerprint } };
}

/** What a manifest says of a declaration that its server makes. @param trust where the declaration says none */
export function manifestEntry(
  declaration: { readonly name: string; readonly contentHash: ContentHash; readonly text: string },
  trust?: Trust,
): ManifestEntry {
  const said = parsedObject(declaration.text) ?? {};
  const { version } = said;
  return {
    name: declaration.name,
    ...(typeof version === "string" && { version }),
    contentHash: declaration.contentHash,
    ...(trust && !("trust" in said) && { trust }),
  };
}

interface Document {
  readonly manifest: Manifest;
  readonly signatures: readonly FlattenedJws[];
  readonly keys: NonNullable<ReturnType<typeof readPublisherKeys>>;
}

function readDocument(bytes: Uint8Array): Document | undefined {
  if (bytes.length > maxManifestBytes) return undefined;
  const place = manifestPlace(bytes);
  const payload = place && payloadOf(place);
  const document = parsedObject(fromUtf8(bytes) ?? "");
  if (payload === undefined || document === undefined) return undefined;
  return whole({
    manifest: readManifest(document["manifest"]),
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

/** The bytes of the manifest itself: nothing that is signed may be there twice. */
function manifestPlace(bytes: Uint8Array): Uint8Array | undefined {
  try {
    const place = scanJson(bytes, { manifest: true, signature: true, keys: true }).members?.get("manifest");
    return place && bytes.subarray(place.start, place.end);
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

function payloadOf(manifest: Uint8Array): string | undefined {
  const form = canonicalJson(manifest);
  return form === undefined ? undefined : toBase64url(utf8(form));
}

function signatureFault(key: NamedKey, signatures: readonly FlattenedJws[]): ManifestFault | undefined {
  const own = signatures.filter((jws) => headerOf(jws)?.["alg"] === key.suite.id);
  if (own.length === 0) return "weak_algorithm";
  if (own.some((jws) => isFlattenedBy(manifestType, jws, key))) return undefined;
  return own.some((jws) => headerOf(jws)?.["kid"] === key.kid) ? "bad_signature" : "unknown_key";
}

/** Only for naming what is wrong; what counts is compared byte for byte. */
function headerOf({ protected: header }: FlattenedJws): Fields | undefined {
  return encodedObject(header);
}

function untimely(
  { server, issuedAtUnixMs, expiresAtUnixMs }: Manifest,
  expected: { readonly server: string | undefined; readonly nowUnixMs: number },
): ManifestFault | undefined {
  if (expected.server !== undefined && server !== expected.server) return "wrong_server";
  if (expected.nowUnixMs >= expiresAtUnixMs) return "expired";
  return issuedAtUnixMs > expected.nowUnixMs + leewayMs ? "not_yet_valid" : undefined;
}

function writtenManifest(manifest: Manifest): object {
  const { server, publisher, specVersion, nonce, tools, prompts, resources } = manifest;
  return {
    server,
    ...(publisher !== undefined && { publisher }),
    specVersion,
    issuedAt: new Date(manifest.issuedAtUnixMs).toISOString(),
    expiresAt: new Date(manifest.expiresAtUnixMs).toISOString(),
    nonce,
    tools,
    prompts,
    resources,
  };
}

/** Members that it doesn't know are signed like the others, and mean nothing here. */
function readManifest(value: unknown): Manifest | undefined {
  const fields = objectIn(value);
  const publisher = fields && optional(fields, "publisher", (each) => textIn(each, 2048));
  if (fields === undefined || publisher === undefined) return undefined;
  const entries = (name: string): readonly ManifestEntry[] | undefined => readEntries(fields[name]);
  const manifest = whole({
    server: textIn(fields["server"], 2048),
    specVersion: textIn(fields["specVersion"], 64),
    issuedAtUnixMs: timeIn(fields["issuedAt"]),
    expiresAtUnixMs: timeIn(fields["expiresAt"]),
    nonce: textIn(fields["nonce"], 256),
    tools: entries("tools"),
    prompts: entries("prompts"),
    resources: entries("resources"),
  });
  return manifest && { ...manifest, ...publisher };
}

/** Each name once: two hashes for one name would be a choice. */
function readEntries(value: unknown): readonly ManifestEntry[] | undefined {
  const entries = listIn(value, maxToolsInList, (each): ManifestEntry | undefined => {
    const fields = objectIn(each);
    const version = fields && optional(fields, "version", (text) => textIn(text, 256));
    const entry = whole({
      name: textIn(fields?.["name"], 1024),
      contentHash: textIn(fields?.["contentHash"], 64),
    });
    if (entry === undefined || version === undefined || !isContentHash(entry.contentHash)) return undefined;
    const trust = readTrust(fields?.["trust"]);
    return { ...entry, ...version, ...(trust && { trust }) };
  });
  return entries && new Set(entries.map(({ name }) => name)).size === entries.length ? entries : undefined;
}

/** RFC 3339, in UTC. */
function timeIn(value: unknown): number | undefined {
  if (typeof value !== "string" || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/.test(value))
    return undefined;
  const time = Date.parse(value);
  return Number.isFinite(time) ? time : undefined;
}
