/** Reports as files: signed JSON, or a page that holds it; and back, for whoever wants to know whose it is. */
import { type Report, reportSchema } from "../../compliance/report.ts";
import { documentIn, inScript, reportHtml } from "../../compliance/report-html.ts";
import { type DocumentKind, openDocument, signDocument } from "../../integrity/signed-document.ts";
import { publisherKeysOf } from "../../integrity/tools/publisher-keys.ts";
import { fromUtf8, utf8 } from "../../kernel/bytes.ts";
import type { Config } from "../config.ts";
import { publisherSigners } from "../publisher-signers.ts";
import { openConfigKeys } from "../signer/gateway-signer.ts";

/** A report of all frameworks has some 200 KiB. */
export const maxReportBytes = 16 * 1024 * 1024;

const kind: DocumentKind = { member: "report", type: "latticegate-compliance+jws", maxBytes: maxReportBytes };

export type ReportForm = "json" | "html";

/** @returns the file's text, and the fingerprint of the keys that signed it */
export async function signReport(
  config: Config,
  report: Report,
  form: ReportForm,
): Promise<{ readonly text: string; readonly fingerprint: string }> {
  const { keys, close } = await openConfigKeys(config);
  try {
    const signers = await publisherSigners(keys, "compliance");
    const document = await signDocument(kind, report, signers);
    const { fingerprint } = publisherKeysOf(signers);
    // What a page shows is made of what it holds, as it holds it.
    return { fingerprint, text: form === "json" ? document : reportHtml(report, inScript(document)) };
  } finally {
    close();
  }
}

/** The fingerprint of the keys with which this gateway signs its reports. */
export async function reportFingerprint(config: Config): Promise<string> {
  const { keys, close } = await openConfigKeys(config);
  try {
    return publisherKeysOf(await publisherSigners(keys, "compliance")).fingerprint;
  } finally {
    close();
  }
}

export type CheckedReport =
  | { readonly kind: "signed"; readonly report: Report; readonly signedBy: string }
  | { readonly kind: "fault"; readonly why: string };

/** Never throws: whoever hands a file over may have changed any of it. */
export function checkReport(bytes: Uint8Array): CheckedReport {
  const text = bytes.length > maxReportBytes ? undefined : fromUtf8(bytes);
  if (text === undefined) return fault("it is too long, or no text");
  const isPage = text.trimStart().startsWith("<");
  const document = isPage ? documentIn(text) : text;
  if (document === undefined) return fault("the page holds no signed report");
  const opened = openDocument(kind, utf8(document));
  if (opened.kind === "fault") return fault(faults[opened.fault]);
  const report = reportSchema.safeParse(opened.members);
  if (!report.success) return fault("it is signed, but no report that this version reads");
  if (isPage && reportHtml(report.data, document) !== text) {
    return fault(
      "the page shows something else than the signed report in it, or was made by another version",
    );
  }
  return { kind: "signed", report: report.data, signedBy: opened.signedBy };
}

const faults = {
  too_large: "it is too long",
  malformed: "it isn't whole",
  weak_algorithm: "a signature is missing: Ed25519 and ML-DSA-65 are both needed",
  unknown_key: "it is signed with other keys than it names",
  bad_signature: "it was changed after it was signed",
} as const;

function fault(why: string): CheckedReport {
  return { kind: "fault", why };
}
