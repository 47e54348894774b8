/** Bundles of policies as lines for a terminal: what a publisher says of itself moves no cursor. */
import type { BundleHistory } from "../app/policy/bundle-operations.ts";
import type { VerifiedBundle } from "../integrity/policy-bundle.ts";
import { table } from "./table.ts";
import { shown } from "./tools-text.ts";

export function bundleLines(bundle: VerifiedBundle): readonly string[] {
  const { sequence, publisher, policies, signedBy, digest, issuedAtUnixMs, expiresAtUnixMs } = bundle;
  return [
    `bundle ${sequence} of ${shown(publisher)}: ${policies.length} rule${policies.length === 1 ? "" : "s"}, issued ${dateOf(issuedAtUnixMs)}, until ${dateOf(expiresAtUnixMs)}`,
    `signed by ${signedBy}`,
    `digest    ${digest}`,
  ];
}

export function bundleHistoryLines({ rows, highest, trouble }: BundleHistory): readonly string[] {
  const lines = rows.map((row, at) => [
    `${row.sequence}${at === 0 ? " *" : ""}`,
    dateOf(row.atUnixMs),
    row.what,
    shown(row.by),
    shown(row.publisher),
    row.commit === null ? shown(row.source) : `${shown(row.source)} ${row.commit.slice(0, 12)}`,
    row.digest,
    shown(row.because ?? ""),
  ]);
  const head = ["sequence", "at", "what", "by", "publisher", "from", "digest", "because"];
  const isHeld = highest !== undefined && rows[0] !== undefined && highest > rows[0].sequence;
  return [
    ...(rows.length === 0 ? ["no bundle was taken yet"] : table([head, ...lines], "")),
    ...(isHeld ? [`rolled back: the source counts again with a sequence above ${highest}`] : []),
    ...(trouble === undefined ? [] : [`since ${dateOf(trouble.sinceUnixMs)}: ${shown(trouble.text)}`]),
  ];
}

function dateOf(unixMs: number): string {
  return new Date(unixMs).toISOString();
}
