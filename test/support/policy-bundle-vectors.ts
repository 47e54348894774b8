/**
 * The vectors of test/vectors/policy-bundle/, made with another implementation of every algorithm (noble) and another
 * canonical JSON, from fixed seeds: made again they are the same bytes. `node test/support/policy-bundle-vectors.ts`
 * writes them.
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

interface PolicyBundleVector {
  /** In test/vectors/policy-bundle/. */
  readonly file: string;
  /** With so many line ends behind it: nobody keeps a file of two megabytes for that. */
  readonly padding?: number;
  /** What a gateway says that names `publishers` and took `highest` before, at `nowUnixMs`. */
  readonly verdict: string;
}

export interface PolicyBundleVectors {
  readonly publishers: readonly string[];
  readonly nowUnixMs: number;
  readonly highest: { readonly sequence: number; readonly digest: string };
  readonly vectors: readonly PolicyBundleVector[];
}

export const policyBundleVectorFolder = new URL("../vectors/policy-bundle/", import.meta.url);

const maxBytes = 2 * 1024 * 1024;
const rule = (name: string, effect: string): Json => ({
  name,
  callers: ["*"],
  tools: ["files/*"],
  effect,
  because: "A vector.",
});

function bundleOf(more: Json = {}): Json {
  return {
    publisher: "acme security",
    sequence: 7,
    issuedAt: "2026-07-27T12:00:00Z",
    expiresAt: "2026-10-27T12:00:00Z",
    policies: [rule("reading", "allow"), { ...rule("no-code", "deny"), tools: ["files/run"] }],
    cases: [
      {
        servers: ["files"],
        cases: [
          {
            name: "code",
            caller: "spiffe://acme.test/a",
            call: "files/run",
            expect: "deny",
            rule: "no-code",
          },
        ],
      },
    ],
    ...more,
  };
}

function signed(key: Key, bundle: Json, header: Json = {}): Json {
  const members = { alg: key.jwk["alg"], kid: key.kid, typ: "latticegate-policies+jws", ...header };
  const encoded = base64url(JSON.stringify(members));
  return { protected: encoded, signature: key.sign(`${encoded}.${base64url(canonical(bundle))}`) };
}

function documentOf(bundle: Json, keys: readonly Key[], signatures?: readonly Json[]): Json {
  return {
    bundle,
    signature: { signatures: signatures ?? keys.map((key) => signed(key, bundle)) },
    keys: keys.map(({ jwk }) => jwk),
  };
}

function oneTurned(signature: Json): Json {
  const bytes = Buffer.from(String(signature["signature"]), "base64url");
  bytes[40] = (bytes[40] ?? 0) ^ 1;
  return { ...signature, signature: base64url(bytes) };
}

const keys = publisher(3);
const [ed, ml] = keys;
const others = publisher(4);
const good = bundleOf();
const document = documentOf(good, keys);
/** What was taken before. */
const taken = bundleOf({ sequence: 6 });

const weak = ml_dsa44.keygen(new Uint8Array(32).fill(3));
const weakKey: Key = {
  jwk: { alg: "ML-DSA-44", kty: "AKP", pub: base64url(weak.publicKey) },
  kid: ml.kid,
  sign: (input) => base64url(ml_dsa44.sign(utf8(input), weak.secretKey, { extraEntropy: false })),
};

const withSignatures = (signatures: readonly Json[]): Json => documentOf(good, keys, signatures);
const withBundle = (more: Json): Json => documentOf(bundleOf(more), keys);
const failing = [
  { servers: ["files"], cases: [{ name: "c", caller: "a", call: "files/run", expect: "allow" }] },
];

const documents: readonly (readonly [name: string, document: Json, verdict: string])[] = [
  ["good", document, "take"],
  ["without-cases", withBundle({ cases: [] }), "take"],
  ["taken-before", documentOf(taken, keys), "known"],
  ["older", withBundle({ sequence: 5 }), "older"],
  ["same-sequence", withBundle({ sequence: 6, policies: [rule("other", "allow")] }), "same_sequence"],
  ["expired", withBundle({ expiresAt: "2026-07-30T12:00:00Z" }), "expired"],
  ["not-yet-valid", withBundle({ issuedAt: "2026-08-02T12:00:00Z" }), "not_yet_valid"],
  ["unknown-publisher", documentOf(good, others), "unknown_publisher"],
  ["tampered", { ...document, bundle: bundleOf({ policies: [rule("reading", "allow")] }) }, "bad_signature"],
  ["raised", { ...document, bundle: bundleOf({ sequence: 8 }) }, "bad_signature"],
  ["tampered-ed25519", withSignatures([oneTurned(signed(ed, good)), signed(ml, good)]), "bad_signature"],
  ["tampered-ml-dsa", withSignatures([signed(ed, good), oneTurned(signed(ml, good))]), "bad_signature"],
  ["stripped", withSignatures([]), "weak_algorithm"],
  ["stripped-of-ml-dsa", withSignatures([signed(ed, good)]), "weak_algorithm"],
  ["stripped-of-ed25519", withSignatures([signed(ml, good)]), "weak_algorithm"],
  ["downgraded", withSignatures([signed(ed, good), signed(weakKey, good)]), "weak_algorithm"],
  ["alg-none", withSignatures([{ protected: base64url('{"alg":"none"}'), signature: "" }]), "weak_algorithm"],
  ["unknown-key", withSignatures(others.map((key) => signed(key, good))), "unknown_key"],
  ["swapped-keys", { ...document, keys: others.map(({ jwk }) => jwk) }, "unknown_key"],
  [
    "manifest-type",
    withSignatures(keys.map((key) => signed(key, good, { typ: "mcp-manifest+jws" }))),
    "bad_signature",
  ],
  ["sequence-of-none", withBundle({ sequence: 0 }), "malformed"],
  ["unknown-member", withBundle({ groups: {} }), "malformed"],
  ["no-keys", { ...document, keys: [] }, "malformed"],
  ["bad-rule", withBundle({ policies: [rule("maybe", "perhaps")] }), "bad_rules"],
  ["failing-case", withBundle({ cases: failing }), "bad_rules"],
];

export function makePolicyBundleVectors(): {
  readonly files: ReadonlyMap<string, string>;
  readonly table: PolicyBundleVectors;
} {
  const text = (each: Json): string => `${JSON.stringify(each, undefined, 2)}\n`;
  const twice = text(document).replace('"sequence": 7', '"sequence": 9, "sequence": 7');
  const named = [
    ...documents.map(([name, each, verdict]) => ({ file: `${name}.bundle`, text: text(each), verdict })),
    { file: "member-twice.bundle", text: twice, verdict: "malformed" },
    { file: "not-json.bundle", text: "policies: []\n", verdict: "malformed" },
  ];
  const room = maxBytes - text(document).length;
  return {
    files: new Map(named.map((each) => [each.file, each.text])),
    table: {
      publishers: [fingerprint(keys)],
      nowUnixMs: Date.parse("2026-08-01T00:00:00Z"),
      highest: { sequence: 6, digest: digestOf(taken) },
      vectors: [
        ...named.map(({ file, verdict }) => ({ file, verdict })),
        { file: "good.bundle", padding: room, verdict: "take" },
        { file: "good.bundle", padding: room + 1, verdict: "too_large" },
      ],
    },
  };
}

function digestOf(bundle: Json): string {
  return digest(canonical(bundle));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { files, table } = makePolicyBundleVectors();
  for (const [file, text] of files) await writeFile(new URL(file, policyBundleVectorFolder), text);
  await writeFile(
    new URL("vectors.json", policyBundleVectorFolder),
    `${JSON.stringify(table, undefined, 2)}\n`,
  );
}
