/** Bundles of policies that another implementation signed, good ones and bad ones; what is good is so for jose too. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { flattenedVerify, importJWK, type JWK } from "jose";

import { parseConfig } from "../src/app/config.ts";
import { judgeBundle, type Judged } from "../src/app/policy/judge-bundle.ts";
import { verifyBundle } from "../src/integrity/policy-bundle.ts";
import { canonicalJson } from "../src/wire/canonical-json.ts";
import {
  makePolicyBundleVectors,
  policyBundleVectorFolder,
  type PolicyBundleVectors,
} from "./support/policy-bundle-vectors.ts";

const read = (file: string): Promise<Buffer> => readFile(new URL(file, policyBundleVectorFolder));
const table = JSON.parse((await read("vectors.json")).toString()) as PolicyBundleVectors;
const { publishers, nowUnixMs, highest } = table;
const config = parseConfig('servers: { files: { url: "http://127.0.0.1:1/mcp" } }', "/x/latticegate.yaml");
const judged = (document: Uint8Array): Promise<Judged> =>
  judgeBundle(document, { publishers, config, nowUnixMs, highest, inForce: highest.digest });

for (const { file, padding = 0, verdict } of table.vectors) {
  test(`${file}${padding === 0 ? "" : ` with ${padding} line ends`}: ${verdict}`, async () => {
    const document = Buffer.concat([await read(file), Buffer.alloc(padding, "\n")]);
    const found = await judged(document);
    assert.equal(found.kind === "refused" ? found.why : found.kind, verdict);
  });
}

test("the bundles are the same when they are made again", async () => {
  const made = makePolicyBundleVectors();
  assert.deepEqual(made.table, table);
  for (const [file, text] of made.files) assert.equal((await read(file)).toString(), text, file);
});

test("jose verifies both signatures of good.bundle too", async () => {
  const document = JSON.parse((await read("good.bundle")).toString()) as {
    readonly bundle: object;
    readonly signature: {
      readonly signatures: readonly { readonly protected: string; readonly signature: string }[];
    };
    readonly keys: readonly JWK[];
  };
  const form = canonicalJson(Buffer.from(JSON.stringify(document.bundle))) ?? "";
  for (const [at, jwk] of document.keys.entries()) {
    const { protected: header = "", signature = "" } = document.signature.signatures[at] ?? {};
    const jws = { protected: header, signature, payload: Buffer.from(form).toString("base64url") };
    const { payload } = await flattenedVerify(jws, await importJWK(jwk));
    assert.equal(Buffer.from(payload).toString(), form);
  }
});

test("no bit of a bundle can be turned", async () => {
  const bytes = await read("good.bundle");
  const end = bytes.indexOf('"signature"');
  for (let at = bytes.indexOf('"publisher"'); at < end - 6; at += 7) {
    const turned = Buffer.from(bytes);
    turned[at] = (turned[at] ?? 0) ^ 1;
    // White space between members is no part of what is signed.
    if (/\s/.test(String.fromCharCode(bytes[at] ?? 0))) continue;
    assert.equal(verifyBundle(turned, { publishers, nowUnixMs }).kind, "fault", `byte ${at}`);
  }
});
