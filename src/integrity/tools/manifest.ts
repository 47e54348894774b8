/**
 * The signed manifest of a server's declarations (SEP-3140; docs/formats/manifest.md): which tools, prompts and
 * resources there are, each by the hash of its content, signed by its publisher with Ed25519 and with ML-DSA-65.
 */
import { type Fields, listIn, objectIn, optional, parsedObject, textIn, timeIn, whole } from "../fields.ts";
import {
  type DocumentFault,
  type DocumentKind,
  type DocumentSigner,
  openDocument,
  signDocument,
} from "../signed-document.ts";
import { type ContentHash, isContentHash } from "./content-hash.ts";
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
  | Exclude<DocumentFault, "too_large">
  | "wrong_server"
  | "expired"
  | "not_yet_valid";

export type ManifestChecked =
  | { readonly kind: "verified"; readonly manifest: VerifiedManifest }
  | { readonly kind: "fault"; readonly fault: ManifestFault };

const kind: DocumentKind = {
  member: "manifest",
  type: "mcp-manifest+jws",
  // 10,000 tools with labels; a real manifest has a few dozen kilobytes.
  maxBytes: 8 * 1024 * 1024,
};
/** How far the publisher's clock may be ahead. */
const leewayMs = 60_000;

/**
 * The document, as a file and as the result of `declarations/manifest`.
 * @param signers one of each required algorithm
 */
export async function signManifest(manifest: Manifest, signers: readonly DocumentSigner[]): Promise<string> {
  return await signDocument(kind, writtenManifest(manifest), signers);
}

/** @param expected `server` as its clients know it; undefined: not known here, such as for a look at a file */
export function verifyManifest(
  document: Uint8Array,
  expected: { readonly server: string | undefined; readonly nowUnixMs: number },
): ManifestChecked {
  const opened = openDocument(kind, document);
  if (opened.kind === "fault") {
    return { kind: "fault", fault: opened.fault === "too_large" ? "malformed" : opened.fault };
  }
  const manifest = readManifest(opened.members);
  const fault = manifest === undefined ? "malformed" : untimely(manifest, expected);
  if (manifest === undefined || fault !== undefined) return { kind: "fault", fault: fault ?? "malformed" };
  return { kind: "verified", manifest: { ...manifest, signedBy: opened.signedBy } };
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
function readManifest(fields: Fields): Manifest | undefined {
  const publisher = optional(fields, "publisher", (each) => textIn(each, 2048));
  if (publisher === undefined) return undefined;
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
