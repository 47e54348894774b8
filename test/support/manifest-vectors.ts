/**
 * The vectors of test/vectors/manifest/, made with another implementation of every algorithm (noble) and another
 * canonical JSON, from fixed seeds: made again they are the same bytes. `node test/support/manifest-vectors.ts` writes
 * them.
 */
import { writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

import { ml_dsa44 } from "@noble/post-quantum/ml-dsa.js";

import {
  base64url,
  canonical,
  digest,
  fingerprint,
  type Json,
  type Key,
  publisher,
  utf8,
} from "./published.ts";

interface ManifestVector {
  /** In test/vectors/manifest/. */
  readonly file: string;
  /** What a verifier for `server` says at `nowUnixMs`. */
  readonly verdict: string;
  /** By whom, if it is verified. */
  readonly signedBy?: string;
}

export interface ManifestVectors {
  readonly server: string;
  readonly nowUnixMs: number;
  readonly vectors: readonly ManifestVector[];
}

export const manifestVectorFolder = new URL("../vectors/manifest/", import.meta.url);

const server = "https://mcp.example/mcp";
const nowUnixMs = Date.parse("2026-08-01T00:00:00Z");
function signed(key: Key, manifest: Json, header: Json = {}): Json {
  const members = { alg: key.jwk["alg"], kid: key.kid, typ: "mcp-manifest+jws", ...header };
  const encoded = base64url(JSON.stringify(members));
  return { protected: encoded, signature: key.sign(`${encoded}.${base64url(canonical(manifest))}`) };
}

function documentOf(manifest: Json, keys: readonly Key[], signatures?: readonly Json[]): Json {
  return {
    manifest,
    signature: { signatures: signatures ?? keys.map((key) => signed(key, manifest)) },
    keys: keys.map(({ jwk }) => jwk),
  };
}

const declarations = [
  {
    name: "read_file",
    description: "Reads a file.",
    inputSchema: { type: "object", properties: { path: { type: "string" } }, required: ["path"] },
    version: "3",
  },
  { name: "write_file", description: "Writes a file.", inputSchema: { type: "object" }, version: "1" },
];

/** What the tools of the vectors are; their hashes are in the manifests. */
export const vectorDeclarations: readonly string[] = declarations.map((each) => JSON.stringify(each));

function manifestOf(more: Json = {}): Json {
  return {
    server,
    publisher: "https://publisher.example/mcp-publisher.json",
    specVersion: "2025-11-25",
    issuedAt: "2026-07-27T12:00:00Z",
    expiresAt: "2026-08-27T12:00:00Z",
    nonce: "AAECAwQFBgcICQoLDA0ODw",
    tools: declarations.map((each) => ({
      name: each.name,
      version: each.version,
      contentHash: `sha256-${digest(canonical(each))}`,
    })),
    prompts: [],
    resources: [],
    ...more,
  };
}

/** By file: what it says and what is to be said of it. */
function made(): ReadonlyMap<string, readonly [text: string, verdict: string, signedBy?: string]> {
  const keys = publisher(1);
  const [ed, ml] = keys;
  const others = publisher(2);
  const text = (document: Json): string => `${JSON.stringify(document, undefined, 2)}\n`;
  const good = manifestOf();
  const [, second] = manifestOf()["tools"] as readonly Json[];
  const document = documentOf(good, keys);
  const renamed = { ...good, tools: [{ ...second, name: "read_file" }] };
  const oneTurned = (signature: Json): Json => {
    const bytes = Buffer.from(String(signature["signature"]), "base64url");
    bytes[100 % bytes.length] = (bytes[100 % bytes.length] ?? 0) ^ 1;
    return { ...signature, signature: base64url(bytes) };
  };
  const weak = ml_dsa44.keygen(new Uint8Array(32).fill(1));
  const weakKey: Key = {
    jwk: { alg: "ML-DSA-44", kty: "AKP", pub: base64url(weak.publicKey) },
    kid: ml.kid,
    sign: (input) => base64url(ml_dsa44.sign(utf8(input), weak.secretKey, { extraEntropy: false })),
  };
  const turned = (manifest: Json): Json => Object.fromEntries(Object.entries(manifest).toReversed());
  const verified = ["verified", fingerprint(keys)] as const;
  return new Map<string, readonly [string, string, string?]>([
    ["good", [text(document), ...verified]],
    ["reordered", [`${JSON.stringify(turned({ ...document, manifest: turned(good) }))}\n`, ...verified]],
    ["unknown-members", [text(documentOf(manifestOf({ "x-more": ["y"] }), keys)), ...verified]],
    [
      "other-signatures-too",
      [
        text(
          documentOf(good, keys, [
            { protected: "e30", signature: "AA" },
            ...keys.map((key) => signed(key, good)),
          ]),
        ),
        ...verified,
      ],
    ],
    [
      "newer",
      [
        text(
          documentOf(manifestOf({ issuedAt: "2026-07-28T12:00:00Z", nonce: "EAECAwQFBgcICQoLDA0ODw" }), keys),
        ),
        ...verified,
      ],
    ],
    ["other-publisher", [text(documentOf(good, others)), "verified", fingerprint(others)]],
    ["tampered", [text({ ...document, manifest: renamed }), "bad_signature"]],
    [
      "tampered-ed25519",
      [text(documentOf(good, keys, [oneTurned(signed(ed, good)), signed(ml, good)])), "bad_signature"],
    ],
    [
      "tampered-ml-dsa",
      [text(documentOf(good, keys, [signed(ed, good), oneTurned(signed(ml, good))])), "bad_signature"],
    ],
    ["stripped", [text(documentOf(good, keys, [])), "weak_algorithm"]],
    ["stripped-of-ml-dsa", [text(documentOf(good, keys, [signed(ed, good)])), "weak_algorithm"]],
    ["stripped-of-ed25519", [text(documentOf(good, keys, [signed(ml, good)])), "weak_algorithm"]],
    [
      "downgraded",
      [text(documentOf(good, keys, [signed(ed, good), signed(weakKey, good)])), "weak_algorithm"],
    ],
    [
      "downgraded-keys",
      [text({ ...documentOf(good, [ed, weakKey]), keys: [ed.jwk, weakKey.jwk] }), "malformed"],
    ],
    [
      "alg-none",
      [
        text(documentOf(good, keys, [{ protected: base64url('{"alg":"none"}'), signature: "" }])),
        "weak_algorithm",
      ],
    ],
    [
      "unknown-key",
      [
        text(
          documentOf(
            good,
            keys,
            others.map((key) => signed(key, good)),
          ),
        ),
        "unknown_key",
      ],
    ],
    ["swapped-keys", [text({ ...document, keys: others.map(({ jwk }) => jwk) }), "unknown_key"]],
    [
      "other-type",
      [
        text(
          documentOf(
            good,
            keys,
            keys.map((key) => signed(key, good, { typ: "mcp-message+jws" })),
          ),
        ),
        "bad_signature",
      ],
    ],
    [
      "re-aimed",
      [text(documentOf(manifestOf({ server: "https://other.example/mcp" }), keys)), "wrong_server"],
    ],
    ["expired", [text(documentOf(manifestOf({ expiresAt: "2026-08-01T00:00:00Z" }), keys)), "expired"]],
    [
      "not-yet-valid",
      [text(documentOf(manifestOf({ issuedAt: "2026-08-01T00:01:01Z" }), keys)), "not_yet_valid"],
    ],
    ["name-twice", [text(documentOf(manifestOf({ tools: [second, second] }), keys)), "malformed"]],
    ["member-twice", [text(document).replace('"prompts": []', '"prompts": [], "prompts": []'), "malformed"]],
    [
      "manifest-twice",
      [text(document).replace('"signature": {', '"manifest": {}, "signature": {'), "malformed"],
    ],
    [
      "other-hash",
      [text(documentOf(manifestOf({ tools: [{ name: "a", contentHash: "sha512-AA" }] }), keys)), "malformed"],
    ],
    ["no-time", [text(documentOf(manifestOf({ expiresAt: "2026-08-27" }), keys)), "malformed"]],
  ]);
}

/** The vectors as they are made: their texts by file, and the table. */
export function makeManifestVectors(): {
  readonly files: ReadonlyMap<string, string>;
  readonly table: ManifestVectors;
} {
  const vectors = [...made()].map(([name, [text, verdict, signedBy]]) => ({
    text,
    row: { file: `${name}.manifest`, verdict, ...(signedBy !== undefined && { signedBy }) },
  }));
  return {
    files: new Map(vectors.map(({ row, text }) => [row.file, text])),
    table: { server, nowUnixMs, vectors: vectors.map(({ row }) => row) },
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { files, table } = makeManifestVectors();
  for (const [file, text] of files) await writeFile(new URL(file, manifestVectorFolder), text);
  await writeFile(new URL("vectors.json", manifestVectorFolder), `${JSON.stringify(table, undefined, 2)}\n`);
}
