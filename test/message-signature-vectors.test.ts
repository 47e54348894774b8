/** Message signatures as others may verify them: the vectors of docs/formats/message-signature.md, read twice. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { flattenedVerify, type FlattenedJWS, importJWK } from "jose";

import { envelopeRemovals } from "../src/integrity/envelope.ts";
import { offerIn } from "../src/integrity/extension-offer.ts";
import { replayWindow } from "../src/integrity/replay.ts";
import { fromUtf8 } from "../src/kernel/bytes.ts";
import { edited, removals } from "../src/wire/json-edit.ts";
import { leafHash, treeHash } from "./second-reading/merkle.ts";
import { frameOf } from "./support/message-ends.ts";
import { judgeBatch, judgeMessage, keySetNamed, messageVectors } from "./support/message-vectors.ts";

const vectors = await messageVectors();

for (const [name, { fingerprint }] of Object.entries(vectors.keys)) {
  test(`a key set has its fingerprint: ${name}`, () => {
    assert.equal(keySetNamed(vectors, name)?.fingerprint, fingerprint);
  });
}

for (const [name, vector] of Object.entries(vectors.good)) {
  test(`a good signature holds: ${name}`, () => {
    const { ok, fault } = judgeMessage(vectors, vector);
    assert.equal(fault, undefined);
    assert.deepEqual(
      [ok?.mode, ok?.mode === "direct" ? ok.algorithm : undefined, ok?.signer],
      [vector.mode, vector.algorithm, vector.expected.issuer],
    );
  });

  test(`without its signature it is what it was: ${name}`, () => {
    const frame = frameOf(vector.message);
    const places = [...envelopeRemovals(frame), ...offerIn(frame).removals];
    assert.equal(fromUtf8(edited(frame.bytes, removals(frame.bytes, places))), vector.unsigned);
  });

  test(`others read the same: ${name}`, async () => {
    const signature = signatureIn(vector.message);
    const payload = signature.jws?.payload ?? signature.payload;
    const jwks = vectors.keys[vector.expected.keys]?.keys ?? [];
    const jwk = jwks.find(({ alg }) => alg === vector.algorithm);
    if (signature.jws !== undefined) {
      assert.ok(jwk);
      const { kty, alg, pub } = jwk;
      await flattenedVerify(signature.jws, await importJWK({ kty, alg, pub }));
    }
    const claims = JSON.parse(Buffer.from(payload ?? "", "base64url").toString()) as {
      readonly body: string;
    };
    const digest = createHash("sha256")
      .update(strictForm(covered(vector.message)))
      .digest("base64url");
    assert.equal(claims.body === `sha-256:${digest}`, vector.beyondJcs !== true);
  });
}

for (const [name, vector] of Object.entries(vectors.bad)) {
  test(`${vector.fault}: ${name}`, () => {
    assert.deepEqual(judgeMessage(vectors, vector), { fault: vector.fault });
  });
}

for (const { started, steps } of vectors.replay) {
  test(`replayed, stale: what a window from ${started} on has seen, or might have`, () => {
    const window = replayWindow(started);
    for (const { message, at, says } of steps) {
      const vector = vectors.good[message];
      assert.ok(vector);
      const { ok } = judgeMessage(vectors, { ...vector, expected: { ...vector.expected, now: at / 1000 } });
      assert.ok(ok);
      assert.equal(window.reserve(ok, at), says, `${message} at ${at}`);
    }
  });
}

for (const [name, vector] of Object.entries(vectors.batches.good)) {
  test(`a good batch holds, and others read the same: ${name}`, async () => {
    assert.equal(judgeBatch(vectors, vector).fault, undefined);
    const { statement, leaves } = vector.attestation as { statement: FlattenedJWS; leaves: string[] };
    const hashes = vector.payloads.map((payload) => leafHash(Buffer.from(payload)));
    assert.deepEqual(
      leaves,
      hashes.map((hash) => Buffer.from(hash).toString("base64url")),
    );
    const [jwk] = vectors.keys[vector.expected.keys]?.keys ?? [];
    assert.ok(jwk);
    const { kty, alg, pub } = jwk;
    const { payload } = await flattenedVerify(statement, await importJWK({ kty, alg, pub }));
    const { root } = JSON.parse(new TextDecoder().decode(payload)) as { readonly root: string };
    assert.equal(root, `sha-256:${Buffer.from(treeHash(hashes)).toString("base64url")}`);
  });
}

for (const [name, vector] of Object.entries(vectors.batches.bad)) {
  test(`${vector.fault}: a batch, ${name}`, () => {
    assert.deepEqual(judgeBatch(vectors, vector), { fault: vector.fault });
  });
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
type Objects = Record<string, Record<string, Record<string, never>>>;

interface Signature {
  readonly jws?: FlattenedJWS;
  readonly payload?: string;
}

function signatureIn(message: string): Signature {
  const { params, result, error } = JSON.parse(message) as Objects;
  const holder = params?.["_meta"] ?? result?.["_meta"] ?? error?.["data"];
  return holder?.["dev.latticegate/sig"] ?? {};
}

/** What the format says is signed, done on values. */
function covered(message: string): Json {
  const value = JSON.parse(message) as Record<string, Json> & Objects;
  delete value["id"];
  const capabilitiesKey = "io.modelcontextprotocol/clientCapabilities";
  const holders = [value["params"]?.["_meta"]?.[capabilitiesKey], value["result"]?.["capabilities"]];
  for (const capabilities of holders as (Objects | undefined)[]) {
    for (const name of ["extensions", "experimental"]) {
      delete capabilities?.[name]?.["dev.latticegate/message-signature"];
      without(capabilities, name);
    }
  }
  for (const [outer, inner, names] of [
    ["params", "_meta", hopMembers],
    ["result", "_meta", hopMembers],
    ["error", "data", ["dev.latticegate/sig"]],
  ] as const) {
    for (const name of names) delete value[outer]?.[inner]?.[name];
    without(value[outer], inner);
  }
  without(value, "params");
  return value;
}

const hopMembers = [
  "dev.latticegate/sig",
  "dev.latticegate/receipt",
  "dev.latticegate/answer",
  "progressToken",
  "io.modelcontextprotocol/subscriptionId",
  "traceparent",
  "tracestate",
  "baggage",
];

/** The object goes if it is empty. */
function without(holder: Record<string, unknown> | undefined, name: string): void {
  if (holder !== undefined && JSON.stringify(holder[name]) === "{}") delete holder[name];
}

/** RFC 8785 on values. */
function strictForm(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(strictForm).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value as Record<string, Json>).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, one]) => `${JSON.stringify(name)}:${strictForm(one)}`).join(",")}}`;
}
