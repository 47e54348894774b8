/** Reports of compliance that another implementation signed; what is good is so for jose too. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { flattenedVerify, importJWK, type JWK } from "jose";

import { checkReport } from "../src/app/compliance/signed-report.ts";
import { inScript, reportHtml } from "../src/compliance/report-html.ts";
import { canonicalJson } from "../src/wire/canonical-json.ts";
import {
  type ComplianceReportVectors,
  complianceReportVectorFolder,
  makeComplianceReportVectors,
} from "./support/compliance-report-vectors.ts";

const read = (file: string): Promise<Buffer> => readFile(new URL(file, complianceReportVectorFolder));
const table = JSON.parse((await read("vectors.json")).toString()) as ComplianceReportVectors;

for (const { file, isSigned } of table.vectors) {
  test(`${file} is ${isSigned ? "as it was signed" : "refused"}`, async () => {
    const checked = checkReport(await read(file));
    assert.equal(checked.kind, isSigned ? "signed" : "fault");
    if (checked.kind === "signed") assert.equal(checked.signedBy, table.signer);
  });
}

test("the reports are the same when they are made again", async () => {
  const made = makeComplianceReportVectors();
  assert.deepEqual(made.table, table);
  for (const [file, text] of made.files) assert.equal((await read(file)).toString(), text, file);
});

test("jose verifies both signatures of good.json too", async () => {
  const document = JSON.parse((await read("good.json")).toString()) as {
    readonly report: object;
    readonly signature: {
      readonly signatures: readonly { readonly protected: string; readonly signature: string }[];
    };
    readonly keys: readonly JWK[];
  };
  const form = canonicalJson(Buffer.from(JSON.stringify(document.report))) ?? "";
  assert.equal(document.keys.length, 2);
  for (const [at, jwk] of document.keys.entries()) {
    const { protected: header = "", signature = "" } = document.signature.signatures[at] ?? {};
    const jws = { protected: header, signature, payload: Buffer.from(form).toString("base64url") };
    const { payload } = await flattenedVerify(jws, await importJWK(jwk));
    assert.equal(Buffer.from(payload).toString(), form);
  }
});

test("a page shows what it holds, and another verdict in its text or its document is told", async () => {
  const text = inScript((await read("good.json")).toString());
  const checked = checkReport(Buffer.from(text));
  assert.ok(checked.kind === "signed");
  const page = reportHtml(checked.report, text);
  assert.equal(checkReport(Buffer.from(page)).kind, "signed");
  assert.match(page, /calls &lt;decided&gt; by a rule/);
  assert.doesNotMatch(page, /<decided>/);
  for (const [from, to] of [
    ["✓ met", "✗ not met"],
    ["Logical access</strong>", "Anything</strong>"],
    [`"count": 3`, `"count": 4`],
    ["</body>", "<p>All is well.</p></body>"],
  ] as const) {
    const changed = page.replace(from, to);
    assert.notEqual(changed, page);
    assert.equal(checkReport(Buffer.from(changed)).kind, "fault", from);
  }
});
