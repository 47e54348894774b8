/**
 * The vectors of test/vectors/compliance-report/, signed with another implementation of every algorithm (noble) from
 * fixed seeds: made again they are the same bytes. `node test/support/compliance-report-vectors.ts` writes them.
 */
import { writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

import { base64url, canonical, fingerprint, type Json, type Key, publisher } from "./published.ts";

export interface ComplianceReportVectors {
  /** Of the keys that signed the good ones. */
  readonly signer: string;
  readonly vectors: readonly { readonly file: string; readonly isSigned: boolean }[];
}

export const complianceReportVectorFolder = new URL("../vectors/compliance-report/", import.meta.url);

const entry = { index: 4711, id: "01kaj5z5j0", at: "2026-11-21T09:30:00.007Z" };
const passed = { test: "tool-without-rule", result: "passed", says: "Denied by policy.", entry };

function reportOf(verdict = "met"): Json {
  const control = {
    id: "CC6.1",
    title: "Logical access",
    asks: "Who may reach what is limited, by identity.",
    verdict,
    because: [],
    evidence: [
      { name: "call", says: "calls <decided> by a rule", count: 3, isLeast: false, examples: [entry] },
    ],
    tests: [passed],
  };
  return {
    format: "dev.latticegate/compliance-report@v1",
    at: "2026-11-21T10:00:00.000Z",
    gateway: "spiffe://acme.test/gateway",
    version: "0.1.0",
    log: { size: 4712, checkpoint: "" },
    tested: { now: false, why: "No test was run for this report." },
    tests: [
      {
        test: "tool-without-rule",
        shows: "a tool without a rule is refused",
        kind: "refusal",
        result: passed,
      },
      { test: "outlet", shows: "an outlet gets events through", kind: "setting", result: null },
    ],
    frameworks: [
      {
        name: "soc2",
        title: "SOC 2",
        source: "https://www.aicpa-cima.com/",
        controls: [control],
        counts: { met: 1, "not met": 0, "no evidence": 0 },
      },
    ],
  };
}

function signed(key: Key, report: Json, typ = "latticegate-compliance+jws"): Json {
  const header = base64url(JSON.stringify({ alg: key.jwk["alg"], kid: key.kid, typ }));
  return { protected: header, signature: key.sign(`${header}.${base64url(canonical(report))}`) };
}

const keys = publisher(5);
const [ed] = keys;
const good = reportOf();
const all = (typ?: string): readonly Json[] => keys.map((key) => signed(key, good, typ));

function documentOf(report: Json, signatures: readonly Json[]): Json {
  return { report, signature: { signatures }, keys: keys.map(({ jwk }) => jwk) };
}

const documents: readonly (readonly [file: string, document: Json, isSigned: boolean])[] = [
  ["good.json", documentOf(good, all()), true],
  ["changed.json", documentOf(reportOf("not met"), all()), false],
  ["stripped-of-ml-dsa.json", documentOf(good, [signed(ed, good)]), false],
  ["policy-type.json", documentOf(good, all("latticegate-policies+jws")), false],
];

export function makeComplianceReportVectors(): {
  readonly table: ComplianceReportVectors;
  readonly files: ReadonlyMap<string, string>;
} {
  return {
    table: {
      signer: fingerprint(keys),
      vectors: documents.map(([file, , isSigned]) => ({ file, isSigned })),
    },
    files: new Map(
      documents.map(([file, document]) => [file, `${JSON.stringify(document, undefined, 2)}\n`]),
    ),
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { table, files } = makeComplianceReportVectors();
  for (const [file, text] of files) await writeFile(new URL(file, complianceReportVectorFolder), text);
  await writeFile(
    new URL("vectors.json", complianceReportVectorFolder),
    `${JSON.stringify(table, undefined, 2)}\n`,
  );
}
