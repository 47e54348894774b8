/** The self-test within the product: what the doctor says of it, and that no gateway starts without it. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { kemSuite } from "../crypto/suites/kem.ts";
import { resolveProfile } from "../crypto/suites/profiles.ts";
import { hashSuites } from "../crypto/suites/symmetric.ts";
import { systemClock, systemLog } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import { openPolicy, temporaryFolder, testGateway } from "../../test/support/gateway.ts";
import { parseConfig } from "./config.ts";
import { cryptographyFindings, cryptographyInForce } from "./cryptography.ts";
import { examine, type Finding } from "./doctor.ts";
import { startGateway } from "./gateway.ts";

const profile = resolveProfile("hybrid");
/** As if this machine's ML-DSA were another than the table's. */
const identity = { ...profile.identity, keyType: "ml-dsa-44", publicKeyBytes: 1312 } as const;
const broken = { ...profile, identity, identities: [identity] };

test("the doctor names each algorithm in use, what was done with it and how long it took", async () => {
  const findings = await cryptographyFindings([profile]);
  assert.ok(findings.every(({ level, what }) => level === "ok" && what === "cryptography"));
  const text = findings.map((finding) => finding.text).join("\n");
  const names = [
    ...hashSuites.map(({ id }) => id),
    ...profile.ciphers.split(":"),
    ...profile.identities.map(({ id }) => id),
    profile.classical.id,
    ...profile.log.required,
    profile.log.cosignature,
    profile.log.daily,
    "ML-KEM-768",
    "ML-KEM-1024",
  ];
  for (const name of names) assert.match(text, new RegExp(`[:,] ${name} \\d+\\.\\d ms`));
  assert.doesNotMatch(text, /ECDSA|ML-KEM-512/, "what isn't in use isn't tried");
});

test("of several profiles that count at once each algorithm is tried, and once", async () => {
  const findings = await cryptographyFindings([resolveProfile("cnsa-2.0"), profile]);
  const text = findings.map((finding) => finding.text).join("\n");
  for (const name of ["ECDSA-P384", "ML-DSA-87", "ML-DSA-65", "ML-KEM-1024", "ML-KEM-768"])
    assert.equal(text.split(` ${name} `).length, 2, name);
});

test("the doctor asks what is in force, not what the file says", async (t) => {
  const gateway = await testGateway(t, openPolicy);
  const config = { ...gateway.config, profile: broken };
  const findings = await cryptographyInForce(config, systemClock);
  assert.ok(findings.every(({ level }) => level === "ok"));
});

test("an algorithm that does something else is found by the doctor, and the rest is tried on", async (t) => {
  const config = parseConfig("state: ./state\n", path.join(await temporaryFolder(t), "latticegate.yaml"));
  const findings: Finding[] = [];
  for await (const finding of examine({ config: { ...config, profile: broken }, clock: systemClock }))
    findings.push(finding);
  const ours = findings.filter(({ what }) => what === "cryptography");
  const wrong = ours.filter(({ level }) => level === "wrong");
  assert.equal(wrong.length, 1);
  assert.match(wrong[0]?.text ?? "", /^Self-test of ML-DSA-65: /);
  assert.match(wrong[0]?.remedy ?? "", /run the Node that comes with this package/);
  assert.match(ours.map(({ text }) => text).join(), new RegExp(kemSuite("ML-KEM-1024").id));
});

test("a gateway whose algorithms do something else doesn't start, and leaves nothing behind", async (t) => {
  const folder = await temporaryFolder(t);
  const config = parseConfig("listen: 127.0.0.1:0\n", path.join(folder, "latticegate.yaml"));
  const log = systemLog({ level: "error", form: "json", write: () => undefined });
  const outcome = await startGateway({ ...config, profile: broken }, { clock: systemClock, log }).then(
    (gateway) => gateway.stop().then(() => "started"),
    (error: unknown) => (error instanceof Refusal ? error.code : error),
  );
  assert.equal(outcome, "self_test_failed");
  assert.equal(existsSync(config.state), false);
});
