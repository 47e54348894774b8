/** Manifests that another implementation signed, good ones and bad ones; what is good is so for jose too. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { flattenedVerify, importJWK, type JWK } from "jose";

import { canonicalJson } from "../src/wire/canonical-json.ts";
import { verifyManifest } from "../src/integrity/tools/manifest.ts";
import { takeUpManifest } from "../src/integrity/tools/pin-decisions.ts";
import { noToolPins } from "../src/integrity/tools/tool-pins.ts";
import { readDeclaration } from "../src/integrity/tools/tool-list.ts";
import {
  makeManifestVectors,
  type ManifestVectors,
  manifestVectorFolder,
  vectorDeclarations,
} from "./support/manifest-vectors.ts";

const read = (file: string): Promise<Buffer> => readFile(new URL(file, manifestVectorFolder));
const table = JSON.parse((await read("vectors.json")).toString()) as ManifestVectors;
const { server, nowUnixMs } = table;

for (const { file, verdict, signedBy } of table.vectors) {
  test(`${file} is ${verdict}`, async () => {
    const checked = verifyManifest(await read(file), { server, nowUnixMs });
    assert.equal(checked.kind === "verified" ? checked.kind : checked.fault, verdict);
    assert.equal(checked.kind === "verified" ? checked.manifest.signedBy : undefined, signedBy);
  });
}

for (const { file, verdict } of table.vectors) {
  if (verdict !== "verified") continue;
  test(`jose verifies ${file} too`, async () => {
    const document = JSON.parse((await read(file)).toString()) as {
      readonly manifest: object;
      readonly signature: {
        readonly signatures: readonly { readonly protected: string; readonly signature: string }[];
      };
      readonly keys: readonly JWK[];
    };
    const form = canonicalJson(Buffer.from(JSON.stringify(document.manifest))) ?? "";
    const payload = Buffer.from(form).toString("base64url");
    for (const jwk of document.keys) {
      const jws = document.signature.signatures.find(({ protected: header }) =>
        Buffer.from(header, "base64url").includes(`"${jwk.alg ?? ""}"`),
      );
      const verified = await flattenedVerify(
        { ...jws, payload, signature: jws?.signature ?? "" },
        await importJWK(jwk),
      );
      assert.equal(Buffer.from(verified.payload).toString(), form);
    }
  });
}

test("the manifests are the same when they are made again", async () => {
  const made = makeManifestVectors();
  assert.deepEqual(made.table, table);
  for (const [file, text] of made.files) assert.equal((await read(file)).toString(), text, file);
});

test("the hashes in the manifests are those of the declarations", async () => {
  const checked = verifyManifest(await read("good.manifest"), { server, nowUnixMs });
  const hashes = vectorDeclarations.map((text) => readDeclaration(Buffer.from(text))?.contentHash);
  assert.deepEqual(
    checked.kind === "verified" && checked.manifest.tools.map(({ contentHash }) => contentHash),
    hashes,
  );
});

test("a manifest that is replayed after a newer one doesn't come into force", async () => {
  const verified = async (file: string) => {
    const checked = verifyManifest(await read(file), { server, nowUnixMs });
    if (checked.kind === "fault") assert.fail(checked.fault);
    return checked.manifest;
  };
  const settings = { publishers: [], pin: "first-use" } as const;
  const newer = takeUpManifest(noToolPins, await verified("newer.manifest"), settings);
  if (newer.kind !== "taken") assert.fail(newer.kind);
  const replayed = takeUpManifest(newer.pins, await verified("good.manifest"), settings);
  assert.deepEqual(replayed, { kind: "refused", why: "older" });
  const foreign = takeUpManifest(newer.pins, await verified("other-publisher.manifest"), settings);
  assert.deepEqual(foreign, { kind: "refused", why: "unknown_publisher" });
});

test("no bit of a manifest can be turned", async () => {
  const good = await read("good.manifest");
  const start = good.indexOf('"server"');
  const end = good.indexOf('"prompts"');
  for (let at = start; at < end; at += 7) {
    const bytes = Buffer.from(good);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    assert.equal(verifyManifest(bytes, { server, nowUnixMs }).kind, "fault", `byte ${at}`);
  }
});
