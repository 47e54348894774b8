import assert from "node:assert/strict";
import { test } from "node:test";

import { Spec, Validation } from "@cyclonedx/cyclonedx-library";

import { lookedAtUnixMs, serverAt, sightings } from "../../../test/support/sightings.ts";
import { inventoryOf } from "../inventory.ts";
import { defaultAssumptions } from "../mosca.ts";
import { migrationPlan } from "../plan.ts";
import { algorithmOf } from "./algorithms.ts";
import { cbomOf } from "./cbom.ts";
import { csvOf } from "./csv.ts";
import { htmlOf } from "./html.ts";

const inventory = inventoryOf(sightings, undefined, lookedAtUnixMs);
const facts = {
  serialNumber: "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
  timestamp: "2026-11-23T00:00:00.000Z",
  version: "1.0.0",
};

async function schemaErrors(document: unknown): Promise<unknown> {
  return await new Validation.JsonStrictValidator(Spec.Version.v1dot7).validate(JSON.stringify(document));
}

test("the CBOM passes the schema of CycloneDX 1.7, and a spoiled one doesn't", async () => {
  const cbom = cbomOf(inventory, facts);
  assert.equal(await schemaErrors(cbom), null);
  assert.notEqual(await schemaErrors({ ...cbom, components: [{ type: "nonsense" }] }), null);
});

test("the CBOM doesn't depend on the order of sightings, and each reference leads somewhere", () => {
  const cbom = cbomOf(inventory, facts);
  const turned = inventoryOf(sightings.toReversed(), undefined, lookedAtUnixMs);
  assert.deepEqual(cbomOf(turned, facts), cbom);
  const all = cbom["dependencies"] as readonly { ref: string; dependsOn: readonly string[] }[];
  const refs = new Set(all.map(({ ref }) => ref));
  assert.equal(refs.size, all.length);
  for (const { dependsOn } of all) for (const ref of dependsOn) assert.ok(refs.has(ref), ref);
});

test("hostile certificates and addresses leave the CBOM valid", async () => {
  const [server] = inventory.servers.filter(({ posture }) => posture?.link.kind === "tls");
  assert.ok(server?.posture?.link.kind === "tls");
  const { link } = server.posture;
  const [certificate] = link.tls.chains.flatMap(({ certificates }) => certificates);
  assert.ok(certificate);
  const odd = { ...certificate, notAfterUnixMs: Number.NaN, sha256: "none", subject: "", signature: "?" };
  const tls = { ...link.tls, groups: ["0xfefe"], chains: [{ certificates: [odd] }] };
  const posture = { ...server.posture, link: { kind: "tls", tls } as const };
  const seen = serverAt("https://a.example/<secret>/é", { posture });
  assert.equal(await schemaErrors(cbomOf(inventoryOf([seen], undefined, lookedAtUnixMs), facts)), null);
});

for (const [name, primitive, level] of [
  ["X25519MLKEM768", "combiner", 3],
  ["SecP384r1MLKEM1024", "combiner", 5],
  ["MLKEM512", "kem", 1],
  ["X25519", "key-agree", 0],
  ["secp256r1", "key-agree", 0],
  ["ML-DSA-44", "signature", 2],
  ["ML-DSA-87", "signature", 5],
  ["EC P-256", "signature", 0],
  ["sha256WithRSAEncryption", "signature", 0],
  ["0x1234", "unknown", undefined],
] as const) {
  test(`${name} is a ${primitive} of level ${level ?? "nobody knows"}`, () => {
    const found = algorithmOf(name);
    assert.deepEqual([found.primitive, found.nistQuantumSecurityLevel], [primitive, level]);
  });
}

test("a server's name is no formula in the CSV, and quotes and lines stay within their cell", () => {
  const csv = csvOf(
    inventoryOf(
      [...sightings, serverAt("https://q.example/", { name: 'a"b,\nc', version: "@x" })],
      undefined,
      lookedAtUnixMs,
    ),
  );
  assert.match(csv, /,'=SUM\(A1\),/);
  assert.match(csv, /,"a""b,\nc",'@x,/);
  assert.ok(csv.endsWith("\r\n"));
});

test("the report runs no script, loads nothing, and shows a server's name as text", () => {
  const html = htmlOf(inventory, migrationPlan(inventory, [], defaultAssumptions));
  assert.match(html, /content="default-src 'none'; style-src 'sha256-/);
  assert.doesNotMatch(html, /<script|unsafe-inline|src=|href=/);
  const named = inventoryOf(
    [serverAt('https://x.example/"><img src=x onerror=alert(1)>')],
    undefined,
    lookedAtUnixMs,
  );
  assert.doesNotMatch(htmlOf(named, migrationPlan(named, [], defaultAssumptions)), /<img/);
});
